"""One partition's way along its chain: cuts records into segments and keeps at most one upload going."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import NamedTuple

from stock_market.chain.naming import ObjectInfo
from stock_market.chain.objects import Objects, Outcome
from stock_market.chain.segment import Segment
from stock_market.chain.totals import Totals
from stock_market.hours import hour_of
from stock_market.kafka.record_block import RecordBlock
from stock_market.logs import Log
from stock_market.settings import Cut

_log = Log("partition")
_CHUNK = 8000
"""Records at most that are validated and compressed at once; an object overshoots its bytes by less than this."""


class LastRecord(NamedTuple):
    """What tells the record before a position from another at its offset.

    Attributes:
        leader_epoch: epoch of the leader that appended it; -1 where the format has none.
        offset: its offset.
        timestamp: its Kafka timestamp, in milliseconds since 1970; -1 where it has none.
    """

    leader_epoch: int
    offset: int
    timestamp: int


def _last_record(info: ObjectInfo | None) -> LastRecord | None:
    return None if info is None else LastRecord(info.leader_epoch, info.end - 1, info.last_timestamp)


@dataclass(slots=True)
class Progress:
    """What the main loop has to do: commit the end of the object that was `reached`, read on from the offset `seek`."""

    reached: ObjectInfo | None = None
    seek: int | None = None


@dataclass(slots=True)
class _Repair:
    """A quarantine object is missing: its main object, and that range's records as they are read once more."""

    info: ObjectInfo
    segment: Segment


@dataclass(frozen=True, slots=True)
class Context:
    """What all partitions of a topic share; `log_start` asks Kafka for the first offset that a partition still has."""

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
        last: the chain's last object; None where there is none yet.
        unfinished: whether that object's quarantine object is missing and has to be made first.

    Attributes:
        position: the offset of the next record to be read.
        before: the record before it, as far as it is known.
    """

    def __init__(
        self, context: Context, partition: int, last: ObjectInfo | None = None, *, unfinished: bool = False
    ) -> None:
        self._context = context
        self.partition = partition
        self.before = _last_record(last)
        self._sealed: deque[Segment] = deque()
        self._upload: Future[Outcome] | None = None
        self._probe: Future[Outcome] | None = None
        self._repair: _Repair | None = None
        self._search: Future[Outcome] | None = None
        self._searched = -1
        self._leaving = False
        seconds = context.cut.seconds
        self._seconds = seconds if last is not None else min(context.cut.first_seconds, seconds)
        self._hole = (-1, -1)
        self._begin(0 if last is None else last.end, last if unfinished else None)

    def _begin(self, start: int, unfinished: ObjectInfo | None) -> None:
        self._sealed.clear()
        self._probe = self._search = None
        self._building = Segment(self._context.topic, self.partition, start)
        self.position = start
        if unfinished is not None:
            self._repair = _Repair(unfinished, Segment(self._context.topic, self.partition, unfinished.start))
            self.position = unfinished.start
        # Somebody may have gone on from here already: look, before a whole interval's records are read for nothing.
        self._uncertain = True

    @property
    def growing_bytes(self) -> int:
        """Compressed bytes of the segment that still grows."""
        return self._building.packed_bytes

    @property
    def sealed_bytes(self) -> int:
        """Compressed bytes of the segments that are full and not stored yet."""
        return sum(segment.packed_bytes for segment in self._sealed)

    @property
    def held(self) -> list[Segment]:
        """The segments with records that were read and are not stored yet."""
        return [segment for segment in (*self._sealed, self._building) if not segment.empty]

    @property
    def idle(self) -> bool:
        """Whether nothing is held and nothing is under way."""
        return self._upload is None and not self._sealed and self._building.empty

    @property
    def crowded(self) -> bool:
        """Whether full segments wait behind the one that is being uploaded, so that reading has to pause."""
        return len(self._sealed) > 1

    @property
    def searching(self) -> bool:
        """Whether reading has to pause until S3 has told how far the chain really reaches."""
        return self._search is not None

    def add(self, block: RecordBlock) -> bool:
        """Takes records in the order of their offsets.

        Returns:
            False when they are not taken, because they do not begin at the position: the reader has to go back to it.

        Raises:
            KafkaError: some offsets are missing, and Kafka did not tell whether it has removed them.
        """
        if block.start < self.position or (block.start > self.position and not self._cross_hole(block.start)):
            return False
        first = 0 if self._repair is None else self._feed(self._repair, block)
        while first < len(block):
            first = self._take(block, first)
        self.position = block.end
        if len(block):
            self.before = LastRecord(block.leader_epoch, int(block.offsets[-1]), int(block.timestamps[-1]))
        return True

    def note_cut(self, cut_start: int) -> None:
        """The log was cut at `cut_start` and has grown past the position again: tells it, and notes it in S3.

        What the log has now up to the position stays out of S3: its offsets have objects, which hold what was there
        before. The next object's metadata says so. A missing quarantine object is given up for the same reason.
        """
        if self._repair is not None:
            self._give_up_repair(self._repair)
        _log.error(
            "log_cut_back",
            partition=self.partition,
            start=cut_start,
            end=self.position,
            lost=self.position - cut_start,
            leader_epoch=None if self.before is None else self.before.leader_epoch,
            advice="the brokers lost records that were read before, and have given their offsets to others since: S3"
            " holds the records that were lost, and will not have those that took their offsets",
        )
        self.seal()
        self._building.cut_start = cut_start
        self.before = None

    def _cross_hole(self, offset: int) -> bool:
        """Offsets are missing: tells whether to go on after them.

        Retention leaves gaps, which are told. Transactions leave holes, which are nothing; but nothing is taken for
        one before it has been read twice.
        """
        gap_end = min(self._context.log_start(self.partition), offset)
        if gap_end > self.position:
            return self._cross_gap(gap_end, offset)
        if self._hole != (self.position, offset):
            self._hole = (self.position, offset)
            return False
        return True

    def _cross_gap(self, gap_end: int, offset: int) -> bool:
        """Kafka no longer has the offsets up to `gap_end`: tells whether to go on after them.

        Somebody else may have stored them, and the object that starts at the position could have another hour in its
        name than the first record that is left: only a listing tells where the chain ends.
        """
        if self._repair is not None:
            self._give_up_repair(self._repair)
            return offset == self.position or (offset > self.position and self._cross_hole(offset))
        if self._searched != self.position:
            if self._search is None:
                self._search = self._context.executor.submit(self._context.objects.last, self.partition)
            return False
        _log.error(
            "retention_gap",
            partition=self.partition,
            start=self.position,
            end=gap_end,
            lost=gap_end - self.position,
            advice="Kafka's retention removed these records before they were read; S3 will never have them",
        )
        self.seal()
        self._building.gap_end = gap_end
        return True

    def _give_up_repair(self, repair: _Repair) -> None:
        _log.error(
            "quarantine_lost",
            partition=self.partition,
            key=repair.info.key,
            start=repair.info.start,
            end=repair.info.end,
            records=repair.info.quarantined,
            advice="the quarantine object of this range is missing, and Kafka no longer has its records; bring it back"
            " from a version or a copy of the bucket",
        )
        self._repair = None
        self._begin(repair.info.end, None)

    def _feed(self, repair: _Repair, block: RecordBlock) -> int:
        """Reads a stored object's range once more; returns the index of the first record after it."""
        end = repair.info.end
        last = block.before(end)
        if last:
            repair.segment.add(block.part(0, last))
        if self._upload is None and block.end >= end:
            self._upload = self._context.executor.submit(self._finish_repair, repair)
        return last

    def _finish_repair(self, repair: _Repair) -> Outcome:
        self._context.objects.quarantine(repair.segment, repair.info)
        _log.info("quarantine_repaired", key=repair.info.key, records=repair.segment.bad.count)
        return Outcome(repair.info, stored=True)

    def _take(self, block: RecordBlock, first: int) -> int:
        """Adds what fits into the growing segment and seals it when it is full; returns the index of what is left."""
        segment = self._building
        hour = hour_of(int(block.timestamps[first]) if segment.empty else segment.first_timestamp)
        limit = min(len(block), first + min(_CHUNK, self._context.cut.records - segment.records))
        last = block.same_hour(first, limit, hour)
        if last > first:
            before = segment.plain_bytes
            segment.add(block.part(first, last))
            self._context.totals.records += last - first
            self._context.totals.bytes += segment.plain_bytes - before
        if self._uncertain and self._probe is None and self._upload is None:
            self._probe = self._context.executor.submit(
                self._context.objects.probe, self.partition, segment.start, segment.first_timestamp
            )
        full = segment.records >= self._context.cut.records or segment.plain_bytes >= self._context.cut.bytes
        self._context.totals.hours_ended += last < limit
        if full or last < limit:
            self.seal()
        return last

    def seal(self) -> None:
        """Closes the growing segment, if anything is in it, and lets it go to S3."""
        if not self._building.empty:
            # Where timestamps go to and fro between hours, thousands wait here, each with one record.
            self._building.close()
            self._sealed.append(self._building)
            self._building = Segment(self._context.topic, self.partition, self._building.end)
        self._pump()

    @property
    def seconds_left(self) -> float:
        """Until the growing segment has been open for long enough; infinite while it is empty or has to wait.

        While an upload is under way it goes on growing: if S3 is slow, objects become fewer and larger, not more.
        """
        if self._building.empty or self._upload is not None:
            return math.inf
        return self._building.opened + self._seconds - time.monotonic()

    def tick(self) -> None:
        """Seals the growing segment when it has been open for long enough."""
        if self.seconds_left <= 0:
            self._seconds = min(2 * self._seconds, self._context.cut.seconds)
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
        elif self._search is not None and self._search.done() and self._upload is None and not self._sealed:
            progress = self._resume_after(self._search.result())
        self._pump()
        return progress

    def _resume_after(self, outcome: Outcome) -> Progress:
        """The chain's end is known: goes on there, or takes the gap at the position for what it is."""
        self._search = None
        if outcome.info is not None and outcome.info.end > self.position:
            return self._skip(outcome)
        self._searched = self.position
        return Progress(seek=self.position)

    def _stored(self, outcome: Outcome) -> None:
        info = outcome.info
        if self._repair is not None:
            self._repair = None
        elif info is not None:
            self._context.totals.note_stored(self._sealed.popleft(), outcome.moment)
            self._uncertain = False
            self._probe = None
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
        self.before = _last_record(info)
        self._begin(info.end, info if outcome.lacks_quarantine else None)
        return Progress(None if outcome.lacks_quarantine else info, self.position)
