"""A block of a partition on its way to S3: the valid lines and the quarantined ones, compressed as they come."""

from __future__ import annotations

import base64
import hashlib
import time
from collections import Counter

import msgspec
import numpy as np
from isal import isal_zlib

from stock_market.chain.ages import Ages
from stock_market.chain.naming import ObjectInfo
from stock_market.hours import NO_HOUR, hour_of
from stock_market.kafka.identity import Identity
from stock_market.kafka.record_block import Record, RecordBlock
from stock_market.quotes import validation as quotes
from stock_market.quotes.compact import surely_valid

_GZIP = 31
_LEVEL = 2
_FEW = 16
"""So few records are judged one by one rather than halved again."""
_MANY = 100
"""Fewer records are sooner decoded than read side by side."""
_SELDOM = 50
"""All records are decoded where at least one in this number needs to be looked at by itself."""


class Lines:
    """JSON Lines, gzip, without a time stamp."""

    def __init__(self) -> None:
        self._gzip: isal_zlib.Compress | None = None
        self._sha256 = ""
        # One growing buffer: a list of pieces would leave the heap full of holes, and be copied to be sent.
        self._packed = bytearray()
        self._finished = False
        self.count = 0
        self.plain_bytes = 0

    def add(self, lines: bytes, count: int) -> None:
        """Appends `count` lines, each with its end."""
        self.count += count
        self.plain_bytes += len(lines)
        self._packed += self._compressor().compress(lines)

    def _compressor(self) -> isal_zlib.Compress:
        # Made late, for it takes half a megabyte, and hardly any segment has a bad line.
        if self._gzip is None:
            self._gzip = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
        return self._gzip

    @property
    def packed_bytes(self) -> int:
        """What is held of the gzip file so far."""
        return len(self._packed)

    def finish(self) -> bytearray:
        """The whole gzip file; nothing can be added afterwards, and a second call gives the same."""
        if not self._finished:
            self._finished = True
            self._packed += self._compressor().flush()
            self._gzip = None
        return self._packed

    @property
    def sha256(self) -> str:
        """Of the whole gzip file, which this finishes; of the lines it would cost seven times as much."""
        if not self._sha256:
            self._sha256 = hashlib.sha256(self.finish()).hexdigest()
        return self._sha256


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


def _no_time(timestamp_ms: int) -> str:
    if timestamp_ms == -1:
        return "the record carries no Kafka timestamp"
    return f"the Kafka timestamp {timestamp_ms} is no time of this century in milliseconds since 1970"


class Segment:
    """The records of one object-to-be: offsets from `start` on, all within one hour of Kafka's timestamps.

    Attributes:
        gap_end: end of a range that begins at `start` and that Kafka no longer has, if there is one.
        cut_start: where the log was cut below `start`, if it was.
        ages: how old its records are.
        reasons: why records were quarantined, each with their number.
    """

    def __init__(self, topic: str, partition: int, start: int) -> None:
        self.topic = topic
        self.partition = partition
        self.start = start
        self.end = start
        self.gap_end: int | None = None
        self.cut_start: int | None = None
        self.leader_epoch = -1
        self.first_timestamp = -1
        self.last_timestamp = -1
        self.empty = True
        self.opened = time.monotonic()
        self.good = Lines()
        self.bad = Lines()
        self.ages = Ages()
        self.reasons: Counter[str] = Counter()

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

    def add(self, block: RecordBlock) -> None:
        """Appends records, at least one, that follow those before and are all of the same hour."""
        if self.empty:
            self.empty = False
            self.first_timestamp = int(block.timestamps[0])
            self.opened = time.monotonic()
        self.last_timestamp = int(block.timestamps[-1])
        self.end = int(block.offsets[-1]) + 1
        self.leader_epoch = block.leader_epoch
        timed = hour_of(self.first_timestamp) != NO_HOUR
        if timed:
            self.ages.add(block.timestamps)
        if block.flaw:
            for index in range(len(block)):
                self._refuse(block.record(index), quotes.UNREADABLE, block.flaw)
        elif not timed:  # All of this segment's are of that kind.
            for index in range(len(block)):
                record = block.record(index)
                self._refuse(record, quotes.TIMESTAMP, _no_time(record.timestamp))
        else:
            self._sort(block)

    def _refuse(self, record: Record, kind: str, reason: str) -> None:
        """Puts a record to the bad lines, for a reason of one of the kinds in `REASONS`."""
        self.reasons[kind] += 1
        self.bad.add(poison_line(self.topic, self.partition, record, reason), 1)

    def _sort(self, block: RecordBlock) -> None:
        """Puts valid records to the good lines and others to the bad ones."""
        count = len(block)
        unsure = np.flatnonzero(~surely_valid(block, quotes.is_time)).tolist() if count >= _MANY else None
        if unsure is None or len(unsure) > count // _SELDOM:
            self._halve(block)
            return
        first = 0
        for index in (*unsure, count):
            if index > first:
                self.good.add(block.part(first, index).lines(), index - first)
            if index < count:
                self._judge(block.record(index))
            first = index + 1

    def _halve(self, block: RecordBlock) -> None:
        """Halves a block with a flaw until the flaw is among few.

        One bad record costs what some twenty good ones do, and each half a second look.
        """
        count = len(block)
        lines = quotes.valid_lines(block)
        if lines is not None:
            self.good.add(lines, count)
        elif count > _FEW:
            self._halve(block.part(0, count // 2))
            self._halve(block.part(count // 2, count))
        else:
            for index in range(count):
                self._judge(block.record(index))

    def _judge(self, record: Record) -> None:
        reason = quotes.flaw(record.key, record.value)
        if reason is None and record.value is not None:
            self.good.add(record.value + b"\n", 1)
        else:
            self._refuse(record, quotes.kind_of(reason or ""), reason or "")

    def close(self) -> None:
        """Nothing is added any more: lets go of the compressors, which take half a megabyte each."""
        for lines in (self.good, self.bad):
            if lines.count:
                lines.finish()

    def info(self, key: str, identity: Identity) -> ObjectInfo:
        """What the object's metadata will say; nothing can be added afterwards."""
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
            leader_epoch=self.leader_epoch,
            cut_start=self.cut_start,
        )
