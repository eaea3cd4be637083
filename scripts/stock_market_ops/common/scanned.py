"""What queries scanned, and what Athena charges for that on AWS."""

from __future__ import annotations

from collections.abc import Sequence

from stock_market_ops.common.athena import Answer
from stock_market_ops.common.deployment import Deployment
from stock_market_ops.plan import prices, usage


def billed_bytes(answers: Sequence[Answer]) -> int:
    """Return the bytes that Athena charges for: 10 MB at least for each query, nothing for statements of DDL.

    https://aws.amazon.com/athena/pricing/
    """
    return sum(max(one.scanned_bytes, usage.MIN_SCANNED_BYTES) for one in answers if one.is_query)


def size(count: int) -> str:
    """Say how many bytes, in Athena's units of 1,000."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count} B"


def told(deployment: Deployment, answers: Sequence[Answer]) -> str:
    """Say in a line what the queries scanned and what that costs by AWS's list prices."""
    scanned = sum(one.scanned_bytes for one in answers)
    queries = f"{len(answers)} queries" if len(answers) != 1 else "1 query"
    table = prices.load()
    region = table.regions.get(deployment.region)
    if region is None:
        return f"Scanned {size(scanned)} in {queries}; the price list has no price for {deployment.region}."
    billed = billed_bytes(answers)
    cost = billed / 1e12 * region.athena_tb
    where = "free here, on AWS" if deployment.endpoint_url else "on AWS"
    least = f", {size(billed)} charged (10 MB at least for each)" if billed > scanned else ""
    return f"Scanned {size(scanned)} in {queries}{least}: {where} about ${cost:,.5f}."
