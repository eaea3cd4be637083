"""A block of a partition: records that follow each other, as one buffer and where each key and value lies in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stock_market.hours import END_TIME_MS, FIRST_TIME_MS, HOUR_MS, NO_HOUR

Integers: TypeAlias = NDArray[np.int64]


class Record(NamedTuple):
    """One record; `timestamp` is Kafka's, in milliseconds since 1970, `leader_epoch` as in `RecordBlock`."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    leader_epoch: int = -1


class Spans(NamedTuple):
    """Where the keys and the values of n records lie in their buffer; a null ends before it starts.

    Attributes:
        key_starts: first byte of each key, shape (n,).
        key_ends: first byte after each key, shape (n,).
        value_starts: first byte of each value, shape (n,).
        value_ends: first byte after each value, shape (n,).
    """

    key_starts: Integers
    key_ends: Integers
    value_starts: Integers
    value_ends: Integers


class RecordBlock:
    """Records of one partition in the order of their offsets.

    Args:
        start: the offset from which on nothing is missing: of the first record, or smaller where the reader knows that
            Kafka has no record before it.
        end: the offset to read on from.
        offsets: of the records, shape (n,).
        timestamps: of the records, in milliseconds since 1970, shape (n,).
        buffer: holds the keys and the values.
        spans: where they lie.
        leader_epoch: epoch of the leader that appended the last of them; -1 where the format has none.
        flaw: why none of the records can be read, in words for a person; empty where they can.
    """

    __slots__ = ("buffer", "end", "flaw", "leader_epoch", "offsets", "spans", "start", "timestamps")

    def __init__(
        self,
        start: int,
        end: int,
        *,
        offsets: Integers,
        timestamps: Integers,
        buffer: bytes,
        spans: Spans,
        leader_epoch: int = -1,
        flaw: str = "",
    ) -> None:
        self.start = start
        self.end = end
        self.offsets = offsets
        self.timestamps = timestamps
        self.buffer = buffer
        self.spans = spans
        self.leader_epoch = leader_epoch
        self.flaw = flaw

    @classmethod
    def empty(cls, start: int, end: int) -> RecordBlock:
        """No records; Kafka has none between these offsets."""
        none = np.zeros(0, np.int64)
        return cls(start, end, offsets=none, timestamps=none, buffer=b"", spans=Spans(none, none, none, none))

    @classmethod
    def of_records(cls, records: Sequence[Any], flaw: str = "") -> RecordBlock:
        """At least one record, as kafka-python hands them out, or as `Record`; `flaw` as above."""
        parts: list[bytes] = []
        lengths: list[int] = []
        for record in records:
            key, value = record.key, record.value
            parts += (key or b"", value or b"")
            lengths += (-1 if key is None else len(key), -1 if value is None else len(value))
        sizes = np.fromiter(map(len, parts), np.int64, len(parts))
        starts = np.cumsum(sizes) - sizes
        ends = starts + np.array(lengths, np.int64)
        offsets = np.fromiter((record.offset for record in records), np.int64, len(records))
        # The oldest format has none.
        stamps = (-1 if record.timestamp is None else record.timestamp for record in records)
        timestamps = np.fromiter(stamps, np.int64, len(records))
        spans = Spans(starts[::2], ends[::2], starts[1::2], ends[1::2])
        return cls(
            int(offsets[0]),
            int(offsets[-1]) + 1,
            offsets=offsets,
            timestamps=timestamps,
            buffer=b"".join(parts),
            spans=spans,
            leader_epoch=getattr(records[-1], "leader_epoch", -1),  # Records of the formats before 0.11 have none.
            flaw=flaw,
        )

    def __len__(self) -> int:
        return len(self.offsets)

    def part(self, first: int, last: int) -> RecordBlock:
        """The records from index `first` up to but without `last`; shares the buffer."""
        chosen = slice(first, last)
        return RecordBlock(
            int(self.offsets[first]) if first else self.start,
            int(self.offsets[last]) if last < len(self) else self.end,
            offsets=self.offsets[chosen],
            timestamps=self.timestamps[chosen],
            buffer=self.buffer,
            spans=Spans(*(each[chosen] for each in self.spans)),
            leader_epoch=self.leader_epoch,
            flaw=self.flaw,
        )

    def before(self, offset: int) -> int:
        """How many of the records have smaller offsets."""
        return int(np.searchsorted(self.offsets, offset))

    def same_hour(self, first: int, last: int, hour: int) -> int:
        """Index of the first record, from `first` up to `last`, that belongs to another hour than this (`hour_of`)."""
        stamps = self.timestamps[first:last]
        if hour == NO_HOUR:
            others = np.flatnonzero((stamps >= FIRST_TIME_MS) & (stamps < END_TIME_MS))
        else:
            others = np.flatnonzero((stamps < hour * HOUR_MS) | (stamps >= (hour + 1) * HOUR_MS))
        return first + int(others[0]) if len(others) else last

    def lines(self) -> bytes:
        """The values as lines, each with its end; none of them may be null."""
        buffer = self.buffer
        starts, ends = self.spans.value_starts.tolist(), self.spans.value_ends.tolist()
        lines = [buffer[start:end] for start, end in zip(starts, ends, strict=True)]
        lines.append(b"")
        return b"\n".join(lines)

    def keys(self) -> list[bytes | None]:
        """The keys."""
        buffer = self.buffer
        places = zip(self.spans.key_starts.tolist(), self.spans.key_ends.tolist(), strict=True)
        return [buffer[start:end] if end >= start else None for start, end in places]

    def record(self, index: int) -> Record:
        """One of the records."""
        key_start, key_end, value_start, value_end = (int(each[index]) for each in self.spans)
        return Record(
            int(self.offsets[index]),
            int(self.timestamps[index]),
            self.buffer[key_start:key_end] if key_end >= key_start else None,
            self.buffer[value_start:value_end] if value_end >= value_start else None,
        )
