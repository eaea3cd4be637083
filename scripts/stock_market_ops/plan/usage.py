"""What a deployment uses in a month at its declared rate: objects, requests, bytes over the edge of a zone."""

from __future__ import annotations

from collections.abc import Iterable

from stock_market_ops.plan.facts import Costs, Stream

HOURS_A_MONTH = 730
"""AWS's own convention: a twelfth of a year."""
DAYS_A_MONTH = HOURS_A_MONTH / 24
SECONDS_A_MONTH = HOURS_A_MONTH * 3600
LINE_BYTES, OBJECT_BYTES = 245, 40
"""A quote as a line, and its share of a gzip object: measured on the simulation, 500 to a million quotes an object."""
MIN_SCANNED_BYTES = 10_000_000
"""Athena bills each query for 10 MB at least: https://aws.amazon.com/athena/pricing/"""


def records(stream: Stream) -> float:
    """Return the records of a month."""
    return stream.rate * SECONDS_A_MONTH


def objects(stream: Stream) -> float:
    """Return the objects that the consumer writes: one a partition and flush, and one more where an hour ends."""
    of_partition = records(stream) / stream.partitions
    flushes = max(
        SECONDS_A_MONTH / stream.flush_seconds,
        of_partition / stream.flush_records,
        of_partition * LINE_BYTES / stream.flush_bytes,
    )
    return stream.partitions * min(flushes + HOURS_A_MONTH, of_partition)


def stored_bytes(stream: Stream) -> float:
    """Return the bytes in S3 that a month adds."""
    return records(stream) * OBJECT_BYTES


def read_share(costs: Costs) -> float:
    """Return the share of a month's objects that one query or crawl reads."""
    return min(costs.use.days_read / DAYS_A_MONTH, 1.0)


def queries(costs: Costs) -> int:
    """Return the queries of a month."""
    return costs.use.analyses * costs.use.queries


def requests(costs: Costs, readers: int) -> tuple[float, float]:
    """Return the GETs and LISTs of a number of queries or crawls that read raw objects.

    Each reads each object once, and lists an hour's folder once, and once more for each thousand objects.
    """
    share, number = readers * read_share(costs), objects(costs.stream)
    return share * number, share * (HOURS_A_MONTH + number / 1000)


def scanned_bytes(costs: Costs) -> float:
    """Return the bytes that Athena bills for the queries over raw objects."""
    return queries(costs) * max(MIN_SCANNED_BYTES, stored_bytes(costs.stream) * read_share(costs))


def wire_bytes(stream: Stream) -> float:
    """Return the bytes of a month's records on the wire."""
    return records(stream) * stream.bytes_per_record


def cross_zone_bytes(costs: Costs) -> float:
    """Return the bytes that leave one zone for another: from producers, between replicas, and to consumers.

    Partitions' leaders are spread evenly over the brokers, followers over the other zones first, partitions evenly over
    the consumers; consumers read from leaders.
    """
    brokers = _zones(costs, "kafka")
    sent = _apart((at, broker) for at in _zones(costs, "stock_producer") for broker in brokers)
    fetched = _apart((broker, at) for broker in brokers for at in _zones(costs, "stock_consumer"))
    followers = min(costs.stream.replicas, len(brokers)) - 1
    pairs = [(one, other) for number, one in enumerate(brokers) for other in brokers[:number] + brokers[number + 1 :]]
    elsewhere = _apart(pairs) * (len(brokers) - 1)
    replicated = min(float(followers), elsewhere) if len(set(brokers)) > 1 else 0.0
    return wire_bytes(costs.stream) * (sent + replicated + fetched)


def _zones(costs: Costs, service: str) -> list[str]:
    return [instance.zone for instance in costs.instances if service in instance.services]


def _apart(pairs: Iterable[tuple[str, str]]) -> float:
    """Return the share of pairs whose two zones differ."""
    known = [one != other for one, other in pairs]
    return sum(known) / len(known) if known else 0.0
