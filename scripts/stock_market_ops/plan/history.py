"""What the history costs in a month at the declared rate, and what it saves on queries."""

from __future__ import annotations

import math
from typing import NamedTuple

from stock_market_ops.plan import usage
from stock_market_ops.plan.facts import Costs, Stream
from stock_market_ops.plan.prices import RegionPrices

HISTORY_BYTES = 25
"""A quote's share of a Parquet file: measured on the simulation, 180,000 quotes an hour, zstd, sorted by symbol."""
QUOTE_HOURS = 0.4
"""Hours of history that a named analysis reads quote by quote, the mean of all: two of ten read two. Otherwise it reads
hours summed up."""
FILE_BYTES = 128_000_000
LATE_DAYS = 8
"""Days of raw objects that each run lists; the default of stock_history_late_days."""
SUMS_BYTES = 60_000
"""An hour summed up, of 200 symbols and 180,000 quotes."""
GLUE_CALLS = 30
"""Calls to Glue in a run that makes an hour history and sums it up."""
RAW_HOURS = 1.5
"""Hours at the end of the stream that a query reads raw: the one that runs, and half of the one before it."""


class Part(NamedTuple):
    """An item of the bill: its name, how many, and US dollars a month for all together."""

    name: str
    number: float
    month: float


def is_made(costs: Costs) -> bool:
    """Return whether an instance carries stock_history."""
    return any("stock_history" in instance.services for instance in costs.instances)


def runs(costs: Costs) -> float:
    """Return the runs of a month: one an hour on each instance that carries the service."""
    return usage.HOURS_A_MONTH * sum("stock_history" in instance.services for instance in costs.instances)


def stored_bytes(stream: Stream) -> float:
    """Return the bytes of history that a month adds."""
    return usage.records(stream) * HISTORY_BYTES


def files(stream: Stream) -> float:
    """Return the Parquet files of a month."""
    hour = stored_bytes(stream) / usage.HOURS_A_MONTH
    return usage.HOURS_A_MONTH * max(1, math.ceil(hour / FILE_BYTES))


def made_bytes(stream: Stream) -> float:
    """Return the bytes that Athena bills for making a month.

    Each hour is written, then compared with its source; its sums are made of what was written, and then counted.
    """
    raw, history = usage.stored_bytes(stream) / usage.HOURS_A_MONTH, stored_bytes(stream) / usage.HOURS_A_MONTH
    least = usage.MIN_SCANNED_BYTES
    return usage.HOURS_A_MONTH * (max(raw, least) + max(raw + history, least) + max(history, least) + least)


def parts(costs: Costs, prices: RegionPrices) -> list[Part]:
    """Return what making and keeping the history costs, item by item."""
    stream = costs.stream
    made, objects, parquet = made_bytes(stream), usage.objects(stream), files(stream)
    # Of each hour: the files, the sums and the manifest, and the results of four queries with their metadata.
    puts = parquet + 10 * usage.HOURS_A_MONTH
    listed = objects / 1000
    lists = runs(costs) * (LATE_DAYS + LATE_DAYS * listed / usage.DAYS_A_MONTH) + 4 * listed + 12 * usage.HOURS_A_MONTH
    # A HEAD is billed as a GET. Late objects are looked for with the manifests of the hours listed.
    heads, gets = objects, 2 * objects + 2 * parquet + 2 * usage.HOURS_A_MONTH + runs(costs) * LATE_DAYS * 24
    calls = GLUE_CALLS * runs(costs)
    stored = (stored_bytes(stream) + usage.HOURS_A_MONTH * SUMS_BYTES) / (1 << 30)
    get = prices.s3_get_thousand / 1000
    return [
        Part("history: UNLOADs and counts of each hour", 4 * usage.HOURS_A_MONTH, made / 1e12 * prices.athena_tb),
        Part("history: PUTs of files, manifests, results", puts, puts / 1000 * prices.s3_put_thousand),
        Part("history: HEADs of raw objects", heads, heads * get),
        Part("history: GETs of Athena, and of manifests", gets, gets * get),
        Part("history: LISTs", lists, lists / 1000 * prices.s3_put_thousand),
        Part("history: calls to Glue", calls, calls / 1e6 * prices.glue_million_calls),
        Part("history: GiB in S3, and again each month", stored, stored * prices.s3_gib_month),
    ]


def scanned_bytes(costs: Costs) -> float:
    """Return the bytes that Athena bills for a month's queries that read history, and the newest hours raw."""
    return usage.queries(costs) * max(usage.MIN_SCANNED_BYTES, _read_bytes(costs))


def _read_bytes(costs: Costs) -> float:
    raw, hours, files_read = _read_hours(costs)
    made = usage.stored_bytes(costs.stream) * raw + stored_bytes(costs.stream) * files_read
    return made / usage.HOURS_A_MONTH + hours * SUMS_BYTES


def _read_hours(costs: Costs) -> tuple[float, float, float]:
    """Return the hours that a query reads raw, summed up, and quote by quote from the history."""
    hours = usage.read_share(costs) * usage.HOURS_A_MONTH
    raw = min(RAW_HOURS, hours)
    return raw, hours - raw, min(QUOTE_HOURS, hours - raw)


def requests(costs: Costs) -> tuple[float, float]:
    """Return the GETs and LISTs of these queries, and of the crawls, which read raw objects."""
    raw, hours, files_read = _read_hours(costs)
    objects, parquet = (made / usage.HOURS_A_MONTH for made in (usage.objects(costs.stream), files(costs.stream)))
    # A file of Parquet is read by its footer and its columns.
    gets_a_query = objects * raw + 3 * (hours + parquet * files_read)
    lists_a_query = raw + hours + objects / 1000 * raw
    crawl_gets, crawl_lists = usage.requests(costs, costs.use.crawls)
    return usage.queries(costs) * gets_a_query + crawl_gets, usage.queries(costs) * lists_a_query + crawl_lists


def saved(costs: Costs, prices: RegionPrices) -> float:
    """Return by how many US dollars a month the queries are cheaper than over raw objects."""
    gets, lists = requests(costs)
    raw_gets, raw_lists = usage.requests(costs, usage.queries(costs) + costs.use.crawls)
    return (
        (usage.scanned_bytes(costs) - scanned_bytes(costs)) / 1e12 * prices.athena_tb
        + (raw_gets - gets) / 1000 * prices.s3_get_thousand
        + (raw_lists - lists) / 1000 * prices.s3_put_thousand
    )
