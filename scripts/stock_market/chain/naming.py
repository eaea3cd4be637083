"""The chain of objects that a partition becomes: their names, and what their S3 metadata says.

Each object starts at the offset at which the one before it ends, is written once and never changed. Its name carries
the log and its start, its metadata its end (exclusive); so whoever knows one object knows where the next one starts.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from stock_market.errors import ConflictError
from stock_market.hours import HOUR_MS, hour_of
from stock_market.kafka.identity import Identity, topic_id_text

_NAME = re.compile(
    r"(?P<topic>[A-Za-z0-9._-]+)\+(?:(?P<log>[A-Za-z0-9_-]+)\+)?(?P<partition>\d+)\+(?P<start>\d{20})\.json\.gz"
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ObjectName(NamedTuple):
    """What an object's key names.

    `log` is the topic's id, empty in a name of the old form, which had none; `start` is the first offset that the
    object stands for.
    """

    topic: str
    log: str
    partition: int
    start: int


def object_key(prefix: str, name: ObjectName, timestamp_ms: int) -> str:
    """The key of an object; `timestamp_ms` is its first record's Kafka timestamp."""
    moment = datetime.fromtimestamp(hour_of(timestamp_ms) * HOUR_MS // 1000, UTC)
    log = f"{name.log}+" if name.log else ""
    file = f"{name.topic}+{log}{name.partition}+{name.start:020d}.json.gz"
    return f"{prefix}dt={moment:%Y-%m-%d}/hour={moment:%H}/{file}"


def parse_key(key: str) -> ObjectName | None:
    """What an object's key names; None for a key of another form."""
    match = _NAME.fullmatch(key.rpartition("/")[2])
    if match is None:
        return None
    return ObjectName(match["topic"], match["log"] or "", int(match["partition"]), int(match["start"]))


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
        leader_epoch: epoch of the partition's leader under which the last record was appended; -1 where the record
            format has none.
        cut_start: where the log lost its tail and then grew past `start` again, the offset at which it was cut: what
            it has now from there up to `start` is in no object; else None.
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
    leader_epoch: int = -1
    cut_start: int | None = None

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
            "leader-epoch": str(self.leader_epoch),
        }
        if self.gap_end is not None:
            fields["gap-end-offset"] = str(self.gap_end)
        if self.cut_start is not None:
            fields["cut-start-offset"] = str(self.cut_start)
        return fields

    @classmethod
    def from_metadata(cls, key: str, metadata: Mapping[str, str]) -> ObjectInfo:
        """Reads what S3 keeps beside the object.

        Raises:
            ConflictError: the object lies where one of the chain belongs, but does not say which offsets it holds.
        """
        gap_end, cut_start = metadata.get("gap-end-offset"), metadata.get("cut-start-offset")
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
                identity=identity_in(metadata),
                gap_end=None if gap_end is None else int(gap_end),
                leader_epoch=int(metadata.get("leader-epoch", "-1")),
                cut_start=None if cut_start is None else int(cut_start),
            )
        except (KeyError, ValueError) as error:
            raise ConflictError(
                f"the object {key} lies where an object of the chain belongs, but its metadata does not say which"
                " offsets it holds: it was not written by this consumer; move it away"
            ) from error


def identity_in(metadata: Mapping[str, str]) -> Identity:
    """The log that an object's metadata names; objects with names of the old form carry the topic's id as a UUID.

    Raises:
        KeyError: it names none.
    """
    topic_id = metadata["topic-id"]
    return Identity(
        metadata["cluster-id"], topic_id_text(uuid.UUID(topic_id)) if _UUID.fullmatch(topic_id) else topic_id
    )
