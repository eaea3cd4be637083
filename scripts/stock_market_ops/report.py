"""What `make status` knows after looking: one structure a part, or a sentence where looking failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class InstanceView(msgspec.Struct, frozen=True):
    """An EC2 instance as the API describes it now; addresses are empty where it has none."""

    name: str
    instance_id: str
    state: str
    public_address: str
    private_address: str
    services: list[str]


class TopicView(msgspec.Struct, frozen=True):
    """The topic between two looks at its end offsets, `sample_seconds` apart."""

    end_offsets: dict[int, int]
    records_per_second: float
    newest_record_age_seconds: float | None


class GroupView(msgspec.Struct, frozen=True):
    """The consumer group: Kafka's name of its state, how many members it has, what they committed by partition."""

    state: str
    members: int
    committed: dict[int, int]


class KafkaView(msgspec.Struct, frozen=True):
    """The brokers as a client outside sees them; partitions are named `topic-partition`. `topic` is None if absent."""

    cluster_id: str
    controller_id: int
    brokers: dict[int, str]
    partitions: int
    under_replicated: list[str]
    offline: list[str]
    topic: TopicView | None
    group: GroupView | None


class StorageView(msgspec.Struct, frozen=True):
    """The newest objects: `end_offsets` (exclusive) by partition, and the rate over the last minutes if it shows."""

    newest_key: str
    newest_age_seconds: float
    newest_bytes: int
    end_offsets: dict[int, int]
    records_per_second: float | None


class RowsView(msgspec.Struct, frozen=True):
    """What Athena counts in the newest hour that has objects; `newest_event_time` is None without rows."""

    dt: str
    hour: str
    rows: int
    newest_event_time: str | None


class Outcome(msgspec.Struct, Generic[T], frozen=True):
    """A part's value, or the sentence that says why there is none, and how long looking took."""

    value: T | None
    failure: str | None
    seconds: float


class Report(msgspec.Struct, frozen=True):
    """All parts together."""

    instances: Outcome[list[InstanceView]]
    kafka: Outcome[KafkaView]
    storage: Outcome[StorageView]
    rows: Outcome[RowsView]


def lag(ends: Mapping[int, int], reached: Mapping[int, int]) -> int:
    """Return how many records lie between `reached` and `ends`; where nothing is reached, all of a partition do."""
    return sum(max(0, end - reached.get(partition, 0)) for partition, end in ends.items())


def stored_offsets(group: GroupView | None, storage: StorageView | None) -> dict[int, int]:
    """Return up to which offset each partition is in S3.

    A partition whose newest object is older than the hours looked at is as far as its commit, which follows the object.
    """
    return (dict(group.committed) if group else {}) | (storage.end_offsets if storage else {})
