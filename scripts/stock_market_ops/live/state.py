"""The pipeline's state as the page gets it."""

from __future__ import annotations

import msgspec

from stock_market_ops.live.brokers import Partition
from stock_market_ops.live.prometheus import Alert, Service


class Broker(msgspec.Struct, frozen=True):
    """A broker: its id (-1 while not known), instance, address, whether it accepts connections, what it leads."""

    number: int
    name: str
    address: str
    up: bool
    controller: bool
    leads: list[int]


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it should be: what, what it means, and whether the stream stands still by it."""

    what: str
    meaning: str
    stops: bool


class Event(msgspec.Struct, frozen=True):
    """A finding that began, or ended: when, in milliseconds since 1970."""

    at: int
    what: str
    began: bool


class Stored(msgspec.Struct, frozen=True):
    """What S3 and Athena have: times in milliseconds since 1970, None where not known.

    Attributes:
        object_at: when the newest object was written.
        object_bytes: its size.
        reached: records of the topic that are in objects, by the newest objects' end offsets.
        rows: in Athena, of the newest hour.
        rows_of_objects: how many of the hour's newest objects have these rows; None where all of them were counted.
        row_at: event time of the newest row.
        row_delay: seconds from that event to Athena's answer.
    """

    object_at: int | None = None
    object_bytes: int | None = None
    reached: int | None = None
    rows: int | None = None
    rows_of_objects: int | None = None
    row_at: int | None = None
    row_delay: float | None = None


class State(msgspec.Struct, frozen=True):
    """All of it. `problems` says for each of kafka, prometheus, s3 and athena why it is not known; "" where it is."""

    brokers: list[Broker]
    partitions: list[Partition]
    producers: list[Service]
    consumers: list[Service]
    numbers: dict[str, float]
    stored: Stored
    alerts: list[Alert]
    findings: list[Finding]
    events: list[Event]
    problems: dict[str, str]
    flush_seconds: float
