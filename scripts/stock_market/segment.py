"""A stretch of a partition on its way to S3: the valid lines and the quarantined ones, compressed as they come."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec
from isal import isal_zlib

from stock_market import quotes
from stock_market.chain import HOUR_MS, Identity, ObjectInfo

_GZIP = 31
_LEVEL = 2


class Record(Protocol):
    """What a segment reads of a Kafka record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Lines:
    """JSON Lines, gzip; the same lines give the same checksum, and no time stamp is in them."""

    def __init__(self) -> None:
        self._gzip = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
        self._sha256 = hashlib.sha256()
        self._parts: list[bytes] = []
        self._finished = False
        self.count = 0
        self.plain_bytes = 0
        self.packed_bytes = 0

    def add(self, lines: bytes, count: int) -> None:
        """Appends `count` lines, each with its end."""
        self.count += count
        self.plain_bytes += len(lines)
        self._sha256.update(lines)
        self._keep(self._gzip.compress(lines))

    def _keep(self, part: bytes) -> None:
        if part:
            self._parts.append(part)
            self.packed_bytes += len(part)

    @property
    def sha256(self) -> str:
        """Of the lines so far, uncompressed."""
        return self._sha256.hexdigest()

    def finish(self) -> bytes:
        """The whole gzip file; nothing can be added afterwards, and a second call gives the same."""
        if not self._finished:
            self._finished = True
            self._keep(self._gzip.flush())
            self._parts = [b"".join(self._parts)]
        return self._parts[0]


class Poison(msgspec.Struct):
    """A line of a quarantine object."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    reason: str
    encoding: str
    key: str | None
    value: str | None


_ENCODER = msgspec.json.Encoder()


def poison_line(topic: str, partition: int, record: Record, reason: str) -> bytes:
    """The quarantine's line for a record: key and value as text, or both as base64 when one is not UTF-8."""
    raw = (record.key, record.value)
    try:
        encoding = "utf-8"
        key, value = (None if part is None else part.decode() for part in raw)
    except UnicodeDecodeError:
        encoding = "base64"
        key, value = (None if part is None else base64.b64encode(part).decode() for part in raw)
    line = Poison(topic, partition, record.offset, record.timestamp, reason, encoding, key, value)
    return _ENCODER.encode(line) + b"\n"


class Segment:
    """The records of one object-to-be: offsets from `start` on, all within one hour of Kafka's timestamps.

    Args:
        topic: the topic.
        partition: the partition.
        start: the offset at which the object before this one ends.
        gap_end: end of a range that begins at `start` and that Kafka no longer has, if there is one.
    """

    def __init__(self, topic: str, partition: int, start: int, gap_end: int | None = None) -> None:
        self.topic = topic
        self.partition = partition
        self.start = start
        self.end = start
        self.gap_end = gap_end
        self.first_timestamp = -1
        self.last_timestamp = -1
        self.opened = time.monotonic()
        self.good = Lines()
        self.bad = Lines()

    @property
    def empty(self) -> bool:
        """Whether no record has been added yet."""
        return self.first_timestamp < 0

    @property
    def records(self) -> int:
        """Records so far, valid or not."""
        return self.good.count + self.bad.count

    @property
    def plain_bytes(self) -> int:
        """Uncompressed size so far."""
        return self.good.plain_bytes + self.bad.plain_bytes

    @property
    def packed_bytes(self) -> int:
        """What it holds in memory."""
        return self.good.packed_bytes + self.bad.packed_bytes

    def fits(self, record: Record) -> bool:
        """Whether the record belongs to this segment's hour."""
        return self.empty or record.timestamp // HOUR_MS == self.first_timestamp // HOUR_MS

    def add(self, records: Sequence[Record]) -> None:
        """Appends records that follow each other and all fit."""
        if self.empty:
            self.first_timestamp = records[0].timestamp
            self.opened = time.monotonic()
        self.last_timestamp = records[-1].timestamp
        self.end = records[-1].offset + 1
        values = [record.value for record in records]
        if None not in values:
            joined = b"\n".join(values) + b"\n"  # type: ignore[arg-type]
            if quotes.all_valid([record.key for record in records], values, joined):
                self.good.add(joined, len(values))
                return
        self._sort(records)

    def _sort(self, records: Sequence[Record]) -> None:
        for record in records:
            reason = quotes.flaw(record.key, record.value)
            if reason is None:
                self.good.add(record.value + b"\n", 1)  # type: ignore[operator]
            else:
                self.bad.add(poison_line(self.topic, self.partition, record, reason), 1)

    def info(self, key: str, identity: Identity) -> ObjectInfo:
        """What the object's metadata will say."""
        return ObjectInfo(
            key=key,
            start=self.start,
            end=self.end,
            records=self.good.count,
            quarantined=self.bad.count,
            first_timestamp=self.first_timestamp,
            last_timestamp=self.last_timestamp,
            sha256=self.good.sha256,
            identity=identity,
            gap_end=self.gap_end,
        )
