"""The chain of objects that a partition becomes: their names, and what their S3 metadata says.

Each object starts at the offset at which the one before it ends, is written once and never changed. Its name carries
its start, its metadata its end (exclusive); so whoever knows one object knows where the next one starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from stock_market.errors import ConflictError

HOUR_MS = 3_600_000
_NAME = re.compile(r"(?P<topic>[A-Za-z0-9._-]+)\+(?P<partition>\d+)\+(?P<start>\d{20})\.json\.gz")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which log the offsets count: a topic made anew, or another cluster, counts from 0 again."""

    cluster_id: str
    topic_id: str


def object_key(prefix: str, topic: str, partition: int, start: int, timestamp_ms: int) -> str:
    """The key of the object that starts at offset `start`; `timestamp_ms` is its first record's Kafka timestamp."""
    moment = datetime.fromtimestamp(timestamp_ms // 1000, UTC)
    return f"{prefix}dt={moment:%Y-%m-%d}/hour={moment:%H}/{topic}+{partition}+{start:020d}.json.gz"


def parse_key(key: str) -> tuple[str, int, int] | None:
    """Topic, partition and start offset that an object's key names; None for a key of another form."""
    match = _NAME.fullmatch(key.rpartition("/")[2])
    return (match["topic"], int(match["partition"]), int(match["start"])) if match else None


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a chain.

    Attributes:
        key: where it lies, without the bucket.
        start: first offset that it stands for.
        end: first offset after it.
        records: lines in it; the valid quotes of its range.
        quarantined: records of its range that lie in the quarantine object of the same start.
        first_timestamp: Kafka timestamp of the range's first record, in milliseconds, which names its hour.
        last_timestamp: Kafka timestamp of the range's last record, in milliseconds.
        sha256: of the object's bytes, hexadecimal.
        identity: the log that the offsets count.
        gap_end: where a range begins at `start` that Kafka's retention removed before it was read, its end, else None.
    """

    key: str
    start: int
    end: int
    records: int
    quarantined: int
    first_timestamp: int
    last_timestamp: int
    sha256: str
    identity: Identity
    gap_end: int | None = None

    def metadata(self) -> dict[str, str]:
        """What S3 keeps beside the object."""
        fields = {
            "start-offset": str(self.start),
            "end-offset": str(self.end),
            "record-count": str(self.records),
            "quarantined-count": str(self.quarantined),
            "first-timestamp": str(self.first_timestamp),
            "last-timestamp": str(self.last_timestamp),
            "sha256": self.sha256,
            "cluster-id": self.identity.cluster_id,
            "topic-id": self.identity.topic_id,
        }
        if self.gap_end is not None:
            fields["gap-end-offset"] = str(self.gap_end)
        return fields

    @classmethod
    def from_metadata(cls, key: str, metadata: Mapping[str, str]) -> ObjectInfo:
        """Reads what S3 keeps beside the object.

        Raises:
            ConflictError: the object lies where one of the chain belongs, but does not say which offsets it holds.
        """
        gap_end = metadata.get("gap-end-offset")
        try:
            return cls(
                key=key,
                start=int(metadata["start-offset"]),
                end=int(metadata["end-offset"]),
                records=int(metadata["record-count"]),
                quarantined=int(metadata["quarantined-count"]),
                first_timestamp=int(metadata["first-timestamp"]),
                last_timestamp=int(metadata["last-timestamp"]),
                sha256=metadata["sha256"],
                identity=Identity(metadata["cluster-id"], metadata["topic-id"]),
                gap_end=None if gap_end is None else int(gap_end),
            )
        except (KeyError, ValueError) as error:
            raise ConflictError(
                f"the object {key} lies where an object of the chain belongs, but its metadata does not say which"
                " offsets it holds: it was not written by this consumer; move it away"
            ) from error
