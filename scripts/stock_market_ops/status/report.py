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


class DiskView(msgspec.Struct, frozen=True):
    """A file system of an instance, in bytes; `failure` says why nothing is known of it, and then all else is empty."""

    host: str
    mount: str
    total_bytes: int
    free_bytes: int
    failure: str = ""

    @property
    def free_share(self) -> float:
        """Which part of it is free."""
        return self.free_bytes / self.total_bytes if self.total_bytes else 0.0


class LogDirView(msgspec.Struct, frozen=True):
    """Where a broker keeps its logs: `total_bytes` and `free_bytes` of the volume, -1 where the broker can't say.

    `growth_bytes_per_second` is the topic's on this broker; `bytes_to_bound` is how much more it can take there until
    retention.bytes holds it, None where it has no bound.
    """

    broker: int
    path: str
    total_bytes: int
    free_bytes: int
    offline: bool
    growth_bytes_per_second: float
    bytes_to_bound: int | None

    @property
    def days_left(self) -> float | None:
        """Days until the volume is full at this growth; None where retention holds it before, or nothing grows."""
        if self.free_bytes < 0 or self.growth_bytes_per_second <= 0:
            return None
        if self.bytes_to_bound is not None and self.bytes_to_bound <= self.free_bytes:
            return None
        return self.free_bytes / self.growth_bytes_per_second / 86400


class KafkaView(msgspec.Struct, frozen=True):
    """The brokers as a client outside sees them; partitions are named `topic-partition`. `topic` is None if absent.

    `controllers` are those of KRaft and whether each leads or follows; empty with ZooKeeper, where a broker is the
    controller.
    """

    cluster_id: str
    controller_id: int
    brokers: dict[int, str]
    partitions: int
    under_replicated: list[str]
    offline: list[str]
    topic: TopicView | None
    group: GroupView | None
    log_dirs: list[LogDirView] = msgspec.field(default_factory=list)
    controllers: dict[int, bool] = msgspec.field(default_factory=dict)


class StorageView(msgspec.Struct, frozen=True):
    """The newest objects: `end_offsets` (exclusive) by partition, and the rate over the last minutes if it shows."""

    newest_key: str
    newest_age_seconds: float
    newest_bytes: int
    end_offsets: dict[int, int]
    records_per_second: float | None


class RowsView(msgspec.Struct, frozen=True):
    """What Athena counts in the newest hour that has objects; `newest_event_time` is None without rows.

    Of an hour with many bytes it counts the newest objects only: `objects` says how many, and is None otherwise.
    """

    dt: str
    hour: str
    rows: int
    newest_event_time: str | None
    objects: int | None = None


class HistoryUnitView(msgspec.Struct, frozen=True):
    """stock-history.timer and its service on an instance, in systemd's words; `failure` says why nothing is known."""

    host: str
    timer: str = ""
    service: str = ""
    result: str = ""
    exit_code: int = 0
    last_run_age_seconds: float | None = None
    failure: str = ""


class HistoryView(msgspec.Struct, frozen=True):
    """The history: `watermark` is the first hour that is read raw, `YYYY-MM-DD HH`; empty before there is any.

    `hours_behind` is for how long the oldest hour with raw objects that is not history has been over.
    """

    watermark: str
    hours_behind: float
    units: list[HistoryUnitView]


class AlertView(msgspec.Struct, frozen=True):
    """An alert of Prometheus that fires: what is wrong, what to do, and where in docs/ that is explained."""

    name: str
    severity: str
    summary: str
    description: str
    runbook: str


class Outcome(msgspec.Struct, Generic[T], frozen=True):
    """A part's value, or the sentence that says why there is none, and how long looking took."""

    value: T | None
    failure: str | None
    seconds: float


class MigrationView(msgspec.Struct, frozen=True):
    """What brokers (zookeeper, dual_write or kraft) and controllers (migrating or kraft) are, by the host's name."""

    brokers: dict[str, str]
    controllers: dict[str, str]

    @property
    def stage(self) -> str:
        """The step of `make migrate` that was begun last."""
        if "kraft" in self.controllers.values():
            return "finalize"
        found = set(self.brokers.values())
        return "kraft" if "kraft" in found else "brokers" if "dual_write" in found else "controllers"


class Report(msgspec.Struct, frozen=True):
    """All parts together."""

    instances: Outcome[list[InstanceView]]
    kafka: Outcome[KafkaView]
    storage: Outcome[StorageView]
    rows: Outcome[RowsView]
    disks: Outcome[list[DiskView]] = msgspec.field(default_factory=lambda: Outcome([], None, 0.0))
    history: Outcome[HistoryView] = msgspec.field(default_factory=lambda: Outcome(None, None, 0.0))
    alerts: Outcome[list[AlertView]] = msgspec.field(default_factory=lambda: Outcome([], None, 0.0))
    migration: Outcome[MigrationView | None] = msgspec.field(default_factory=lambda: Outcome(None, None, 0.0))


def lag(ends: Mapping[int, int], reached: Mapping[int, int]) -> int:
    """Return how many records lie between `reached` and `ends`; where nothing is reached, all of a partition do."""
    return sum(max(0, end - reached.get(partition, 0)) for partition, end in ends.items())


def stored_offsets(group: GroupView | None, storage: StorageView | None) -> dict[int, int]:
    """Return up to which offset each partition is in S3.

    A partition whose newest object is older than the hours looked at is as far as its commit, which follows the object.
    """
    return (dict(group.committed) if group else {}) | (storage.end_offsets if storage else {})


def size(count: float) -> str:
    """Say how many bytes, in the unit that fits."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"
