"""One partition's way along its chain: cuts records into segments and keeps at most one upload going."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from stock_market.chain import HOUR_MS, ObjectInfo
from stock_market.logs import Log
from stock_market.objects import Objects, Outcome
from stock_market.segment import Record, Segment
from stock_market.settings import Cut

_log = Log("partition")
_CHUNK = 2000
"""Records that are validated and compressed at once; an object overshoots its bytes by less than this."""


@dataclass(slots=True)
class Totals:
    """What all partitions have done since the service started."""

    records: int = 0
    bytes: int = 0
    objects: int = 0
    stored: int = 0
    quarantined: int = 0
    skipped_objects: int = 0


@dataclass(slots=True)
class Progress:
    """What the main loop has to do for a partition.

    Attributes:
        reached: the object whose end may be committed.
        seek: the offset to read on from.
    """

    reached: ObjectInfo | None = None
    seek: int | None = None


@dataclass(slots=True)
class _Repair:
    """A quarantine object is missing: its main object, and that range's records as they are read once more."""

    info: ObjectInfo
    segment: Segment


@dataclass(frozen=True, slots=True)
class Context:
    """What all partitions of a topic share.

    Attributes:
        topic: the topic's name.
        objects: the chain in S3.
        executor: runs what waits for S3.
        cut: when an object is full.
        log_start: asks Kafka for the first offset that a partition still has.
        totals: counts of all partitions.
    """

    topic: str
    objects: Objects
    executor: Executor
    cut: Cut
    log_start: Callable[[int], int]
    totals: Totals


class PartitionWriter:
    """Writes one partition. Everything here runs in the main thread; S3 is met in the executor's.

    Args:
        context: what all partitions share.
        partition: the partition.
        start: the offset to begin at: the end of the chain.
        unfinished: the chain's last object, when its quarantine object is missing and has to be made first.
    """

    def __init__(self, context: Context, partition: int, start: int, unfinished: ObjectInfo | None = None) -> None:
        self._context = context
        self.partition = partition
        self._sealed: deque[Segment] = deque()
        self._upload: Future[Outcome] | None = None
        self._probe: Future[Outcome] | None = None
        self._repair: _Repair | None = None
        self._leaving = False
        self._hole = (-1, -1)
        self._begin(start, unfinished)

    def _begin(self, start: int, unfinished: ObjectInfo | None) -> None:
        self._sealed.clear()
        self._probe = None
        self._building = Segment(self._context.topic, self.partition, start)
        self.position = start
        if unfinished is not None:
            self._repair = _Repair(unfinished, Segment(self._context.topic, self.partition, unfinished.start))
            self.position = unfinished.start
        # Somebody may have gone on from here already: look, before a whole interval's records are read for nothing.
        self._uncertain = True

    @property
    def buffered_bytes(self) -> int:
        """Compressed bytes held in memory."""
        return self.building_bytes + sum(segment.packed_bytes for segment in self._sealed)

    @property
    def building_bytes(self) -> int:
        """Compressed bytes of the segment that still grows."""
        return self._building.packed_bytes

    @property
    def idle(self) -> bool:
        """Whether nothing is held and nothing is under way."""
        return self._upload is None and not self._sealed and self._building.empty

    @property
    def crowded(self) -> bool:
        """Whether full segments wait behind the one that is being uploaded, so that reading has to pause."""
        return len(self._sealed) > 1

    def add(self, records: Sequence[Record]) -> bool:
        """Takes records in the order of their offsets.

        Returns:
            False when they are not taken, because they do not begin at the position: the reader has to go back to it.

        Raises:
            KafkaError: some offsets are missing, and Kafka did not tell whether it has removed them.
        """
        offset = records[0].offset
        if offset < self.position or (offset > self.position and not self._cross_hole(offset)):
            return False
        first = 0 if self._repair is None else self._feed(self._repair, records)
        while first < len(records):
            first = self._take(records, first)
        self.position = records[-1].offset + 1
        return True

    def _cross_hole(self, offset: int) -> bool:
        """Offsets are missing: tells whether to go on after them.

        Retention leaves gaps, which are told. Transactions leave holes, which are nothing; but nothing is taken for
        one before it has been read twice.
        """
        gap_end = min(self._context.log_start(self.partition), offset)
        if gap_end > self.position:
            _log.error(
                "retention_gap",
                partition=self.partition,
                start=self.position,
                end=gap_end,
                lost=gap_end - self.position,
                advice="Kafka's retention removed these records before they were read; S3 will never have them",
            )
            if self._repair is None:
                self.seal()
                self._building.gap_end = gap_end
            return True
        if self._hole != (self.position, offset):
            self._hole = (self.position, offset)
            return False
        return True

    def _feed(self, repair: _Repair, records: Sequence[Record]) -> int:
        """Reads a stored object's range once more; returns the index of the first record after it."""
        end = repair.info.end
        last = next((index for index, record in enumerate(records) if record.offset >= end), len(records))
        if last:
            repair.segment.add(records[:last])
        if self._upload is None and (last < len(records) or records[-1].offset + 1 >= end):
            self._upload = self._context.executor.submit(self._finish_repair, repair)
        return last

    def _finish_repair(self, repair: _Repair) -> Outcome:
        self._context.objects.quarantine(repair.segment, repair.info)
        _log.info("quarantine_repaired", key=repair.info.key, records=repair.segment.bad.count)
        return Outcome(repair.info, stored=True)

    def _take(self, records: Sequence[Record], first: int) -> int:
        """Adds what fits into the growing segment and seals it when it is full; returns the index of what is left."""
        segment = self._building
        hour = (records[first].timestamp if segment.empty else segment.first_timestamp) // HOUR_MS
        limit = min(len(records), first + min(_CHUNK, self._context.cut.records - segment.records))
        last = first
        while last < limit and records[last].timestamp // HOUR_MS == hour:
            last += 1
        if last > first:
            before = segment.plain_bytes
            segment.add(records[first:last])
            self._context.totals.records += last - first
            self._context.totals.bytes += segment.plain_bytes - before
        if self._uncertain and self._probe is None and self._upload is None:
            self._probe = self._context.executor.submit(
                self._context.objects.probe, self.partition, segment.start, segment.first_timestamp
            )
        full = segment.records >= self._context.cut.records or segment.plain_bytes >= self._context.cut.bytes
        if full or last < limit:
            self.seal()
        return last

    def seal(self) -> None:
        """Closes the growing segment, if anything is in it, and lets it go to S3."""
        if not self._building.empty:
            self._sealed.append(self._building)
            self._building = Segment(self._context.topic, self.partition, self._building.end)
        self._pump()

    def tick(self) -> None:
        """Seals the growing segment when it has been open for long enough.

        While an upload is under way it goes on growing: if S3 is slow, objects become fewer and larger, not more.
        """
        age = time.monotonic() - self._building.opened
        if not self._building.empty and age >= self._context.cut.seconds and self._upload is None:
            self.seal()

    def leave(self) -> None:
        """Seals what is held, so that it is stored although nothing follows; afterwards `collect` until idle."""
        self._leaving = True
        if self._repair is not None and self._upload is None:
            self._abandon()
        self.seal()

    def _abandon(self) -> None:
        """Lets go of what is not stored yet; whoever comes next reads it from Kafka."""
        self._sealed.clear()
        self._repair = None
        self._building = Segment(self._context.topic, self.partition, self._building.end)

    def _pump(self) -> None:
        if self._upload is None and self._repair is None and self._sealed:
            self._upload = self._context.executor.submit(self._context.objects.store, self._sealed[0])

    def collect(self) -> Progress:
        """Looks what became of the upload.

        Raises:
            ConflictError: S3 holds what does not belong to this log.
            UnfinishedError: the service's time was over before S3 answered.
        """
        progress = Progress()
        if self._upload is not None and self._upload.done():
            outcome, self._upload = self._upload.result(), None
            if outcome.stored:
                progress.reached = outcome.info
                self._stored(outcome)
            else:
                progress = self._skip(outcome)
        elif self._probe is not None and self._probe.done() and self._upload is None:
            outcome, self._probe = self._probe.result(), None
            self._uncertain = False
            if outcome.info is not None:
                progress = self._skip(outcome)
        self._pump()
        return progress

    def _stored(self, outcome: Outcome) -> None:
        info = outcome.info
        if self._repair is not None:
            self._repair = None
        elif info is not None:
            self._sealed.popleft()
            self._uncertain = False
            self._probe = None
            self._context.totals.objects += 1
            self._context.totals.stored += info.records
            self._context.totals.quarantined += info.quarantined
            _log.info(
                "object_stored",
                key=info.key,
                partition=self.partition,
                start=info.start,
                end=info.end,
                records=info.records,
                quarantined=info.quarantined,
            )

    def _skip(self, outcome: Outcome) -> Progress:
        """The chain already goes on from here: jump to the end of the object that is there."""
        info = outcome.info
        if info is None:
            raise AssertionError("an upload ended neither with its own object nor with another's")
        self._context.totals.skipped_objects += 1
        _log.info("object_exists", key=info.key, partition=self.partition, start=info.start, end=info.end)
        if self._leaving:
            self._abandon()
            return Progress(None if outcome.lacks_quarantine else info)
        self._begin(info.end, info if outcome.lacks_quarantine else None)
        return Progress(None if outcome.lacks_quarantine else info, self.position)
