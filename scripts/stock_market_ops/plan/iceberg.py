"""What the Iceberg table beside the history costs in a month at the declared rate."""

from __future__ import annotations

import math

from stock_market_ops.plan import history, usage
from stock_market_ops.plan.facts import Costs, Stream
from stock_market_ops.plan.history import Part
from stock_market_ops.plan.prices import RegionPrices

ICEBERG_BYTES = 23
"""A quote's share of the table's Parquet files: nine tenths of its share of the history's, measured on three hours of
180,000 quotes each."""
OLD_DAYS = 2
"""Days whose hourly files are still there beside the file of the day: VACUUM removes what is older than a day."""
METADATA_FILES = 3
"""Files of metadata that a commit writes: the manifest, the list of manifests, and the table's metadata."""
METADATA_GETS = 10
"""GETs of such files by a statement."""
GLUE_CALLS = 5
"""Calls to Glue by a statement."""


def is_made(costs: Costs) -> bool:
    """Return whether the table is kept."""
    return costs.iceberg and history.is_made(costs)


def stored_bytes(stream: Stream) -> float:
    """Return the bytes of the table that a month adds."""
    return usage.records(stream) * ICEBERG_BYTES


def parts(costs: Costs, prices: RegionPrices) -> list[Part]:
    """Return what making and keeping the table costs, item by item."""
    stored, hours, days = stored_bytes(costs.stream), usage.HOURS_A_MONTH, usage.DAYS_A_MONTH
    least = usage.MIN_SCANNED_BYTES
    # Each run counts what the table has; a run that has added an hour counts again.
    counts = history.runs(costs) + hours
    merged = hours * max(history.stored_bytes(costs.stream) / hours, least) + counts * least
    joined = days * max(stored / days, least)
    hourly = hours * max(1, math.ceil(stored / hours / history.FILE_BYTES))
    daily = days * max(1, math.ceil(stored / days / history.FILE_BYTES))
    # Two objects of results for each query.
    puts = hourly + daily + (hours + days) * METADATA_FILES + 2 * (hours + counts)
    statements = hours + counts + days
    # A file is read by its footer and its columns; the counts read half a day of hourly files.
    gets = 3 * history.files(costs.stream) + 2 * counts * hourly / days / 2 + 2 * hourly + METADATA_GETS * statements
    # Each run looks for folders of earlier tables; VACUUM lists the table's own.
    lists = history.runs(costs) + days * (1 + (daily + OLD_DAYS * hourly / days) / 1000)
    calls = GLUE_CALLS * statements
    held = stored * (1 + OLD_DAYS / days) / (1 << 30)
    return [
        Part("iceberg: MERGE and counts of each hour", hours + counts, merged / 1e12 * prices.athena_tb),
        Part("iceberg: OPTIMIZE of each day", days, joined / 1e12 * prices.athena_tb),
        Part("iceberg: PUTs of files, metadata, results", puts, puts / 1000 * prices.s3_put_thousand),
        Part("iceberg: GETs of Athena", gets, gets / 1000 * prices.s3_get_thousand),
        Part("iceberg: LISTs", lists, lists / 1000 * prices.s3_put_thousand),
        Part("iceberg: calls to Glue", calls, calls / 1e6 * prices.glue_million_calls),
        Part("iceberg: GiB in S3, and again each month", held, held * prices.s3_gib_month),
    ]
