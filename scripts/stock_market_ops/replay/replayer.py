"""Replays quarantined records: first looks at all, then at what quotes/ has already, then writes.

The record's turn is kept by S3: see `stock_market.chain.replays`. A record is replayed when no replay names its
offset and no quote has its producer_id and sequence.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pyroaring import BitMap64

from stock_market.chain.naming import parse_key
from stock_market.chain.replays import OffsetText, replay_key
from stock_market.chain.segment import Lines, Poison
from stock_market.chain.store import metadata_of
from stock_market.history.naming import Hour, parse_hour
from stock_market_ops.replay.source import DamagedError, Done, Quarantined, put_new, replayed
from stock_market_ops.replay.transform import Judged
from stock_market_ops.verify.bucket import Place, take_listing
from stock_market_ops.verify.history.published import Published, files_beyond, look
from stock_market_ops.verify.parallel_reader import Task, read_all
from stock_market_ops.verify.reading import Content, Reading

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Mend = Callable[[Sequence[Poison]], list[Judged]]
BEFORE, ALREADY, REPLAYED, REPLAYABLE = "replayed before", "already in quotes", "replayed", "can be replayed"
_POSITION = re.compile(r" \(byte \d+\)")


class Kind(NamedTuple):
    """Why records were quarantined, and what they are now: one of the words above, or a reason again."""

    reason: str
    now: str


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        kinds: how many records of which kind.
        written: the replay objects that were written.
        late: how many of these lie in hours that are history.
        problems: one sentence for each object that had to be left alone.
    """

    kinds: Counter[Kind] = field(default_factory=Counter)
    written: list[str] = field(default_factory=list)
    late: int = 0
    problems: list[str] = field(default_factory=list)


class Replayer:
    """One run, over the records whose reason has this text in it; `jobs` processes read quotes/."""

    def __init__(self, place: Place, mend: Mend, reason: str = "", jobs: int = 1) -> None:
        self._place = place
        self._client: S3Client = place.client()
        self._writer: S3Client = place.writer()
        self._mend = mend
        self._reason = reason
        self._jobs = jobs
        self._run = uuid.uuid4().hex
        self._there: dict[str, BitMap64] = {}
        self._history = Published()
        self.outcome = Outcome()

    def run(self, *, dry: bool) -> Outcome:
        """Replays what can be replayed; with `dry` only tells.

        Raises:
            MendError: the filter program failed; what was written before stays, and the next run goes on after it.
            botocore's errors.
        """
        self._history = look(self._client, self._place)
        keys = [
            entry.key
            for entry in take_listing(self._client, self._place.bucket, self._place.quarantine_prefix).entries
            if self._chosen(entry.key)
        ]
        sound = [key for key in keys if self._each(key, self._survey)]
        if self._there:
            self._there = self._look(self._there)
        for key in sound:
            self._each(key, self._tell if dry else self._replay)
        return self.outcome

    def _chosen(self, key: str) -> bool:
        name = parse_key(key)
        return name is not None and self._place.topic in ("", name.topic)

    def _each(self, key: str, act: Callable[[Quarantined], None]) -> bool:
        try:
            act(Quarantined(self._client, self._place, key))
        except DamagedError as error:
            self.outcome.problems.append(str(error))
            return False
        return True

    def _judged(self, source: Quarantined, done: Done) -> Iterator[Judged]:
        """The records that are asked for and that no replay has, judged."""
        for poisons in source.slices():
            open_ones = [one for one in poisons if one.offset not in done.offsets and self._reason in one.reason]
            if open_ones:
                yield from self._mend(open_ones)

    def _hour(self, key: str) -> Hour | None:
        return parse_hour(key, self._place.prefix)

    def _done(self, source: Quarantined) -> Done:
        hour = self._hour(source.main_key)
        found = None if hour is None else self._history.tries.get(hour)
        history = [] if found is None else found.manifest.replays
        return replayed(self._client, self._place, source.main_key, history)

    def _survey(self, source: Quarantined) -> None:
        """Notes the numbers to look for in quotes/."""
        for one in self._judged(source, self._done(source)):
            if one.line:
                self._there.setdefault(one.producer_id, BitMap64()).add(one.sequence)

    def _look(self, wanted: dict[str, BitMap64]) -> dict[str, BitMap64]:
        """Which of these numbers quotes/ or the history has."""
        found: dict[str, BitMap64] = {name: BitMap64() for name in wanted}
        entries = take_listing(self._client, self._place.bucket, self._place.prefix).entries
        tasks = [Task(entry.key) for entry in entries]
        # Of records whose raw objects are gone, the history tells.
        beyond = files_beyond(self._history, (entry.key for entry in entries), self._place.prefix)
        tasks += [Task(key, Content.HISTORY) for key in beyond]
        size = sum(entry.size for entry in entries)
        for reading in read_all(self._place, self._client, tasks, size, self._jobs):
            if isinstance(reading, Reading):
                for name in reading.producers.keys() & wanted.keys():
                    found[name] |= wanted[name] & BitMap64.deserialize(reading.producers[name].numbers)
        return found

    def _is_there(self, one: Judged) -> bool:
        return one.sequence in self._there.get(one.producer_id, ())

    def _mark(self, one: Judged) -> None:
        self._there.setdefault(one.producer_id, BitMap64()).add(one.sequence)

    def _count(self, reason: str, now: str) -> None:
        self.outcome.kinds[Kind(_POSITION.sub("", reason), _POSITION.sub("", now))] += 1

    def _count_before(self, source: Quarantined, done: Done) -> None:
        if done.offsets:
            for poisons in source.slices():
                for one in poisons:
                    if one.offset in done.offsets and self._reason in one.reason:
                        self._count(one.reason, BEFORE)

    def _tell(self, source: Quarantined) -> None:
        done = self._done(source)
        self._count_before(source, done)
        for one in self._judged(source, done):
            if one.line and not self._is_there(one):
                self._mark(one)
                self._count(one.reason, REPLAYABLE)
            else:
                self._count(one.reason, ALREADY if one.line else one.flaw)

    def _replay(self, source: Quarantined) -> None:
        done = self._done(source)
        self._count_before(source, done)
        while True:
            turn = _Turn(source, done)
            stay, full = self._fill(turn, source, done)
            written = bool(turn.records) and turn.write(self._writer, self._client, self._place, self._run)
            if written:
                self.outcome.written.append(turn.key)
                hour = self._hour(turn.key)
                self.outcome.late += hour is not None and hour.text < self._history.watermark
                for one in turn.records:
                    self._mark(one)
                    self._count(one.reason, REPLAYED)
            if (written and not full) or not turn.records:
                for kind in stay:
                    self._count(*kind)
                return
            done = self._done(source)

    def _fill(self, turn: _Turn, source: Quarantined, done: Done) -> tuple[list[Kind], bool]:
        """Fills a replay object; returns the kinds of the records that stay, and whether some had no room in it."""
        stay = []
        for one in self._judged(source, done):
            if not one.line:
                stay.append(Kind(one.reason, one.flaw))
            elif self._is_there(one) or turn.has(one):
                stay.append(Kind(one.reason, ALREADY))
            elif not turn.take(one):
                return stay, True
        return stay, False


class _Turn:
    """One replay object in the making."""

    def __init__(self, source: Quarantined, done: Done) -> None:
        self.key = replay_key(source.main_key, done.number)
        self.records: list[Judged] = []
        self._source = source
        self._numbers: set[tuple[str, int]] = set()
        self._offsets = OffsetText()
        self._lines = Lines()

    def has(self, one: Judged) -> bool:
        """Whether a record of the same producer and number has been taken."""
        return (one.producer_id, one.sequence) in self._numbers

    def take(self, one: Judged) -> bool:
        """Takes a record; False when the object can name no more."""
        if not self._offsets.add(one.offset):
            return False
        self.records.append(one)
        self._numbers.add((one.producer_id, one.sequence))
        self._lines.add(one.line + b"\n", 1)
        return True

    def write(self, writer: S3Client, client: S3Client, place: Place, run: str) -> bool:
        """Writes the object; False when another run has had this turn."""
        metadata = {
            "replayed-offsets": self._offsets.text,
            "record-count": str(self._lines.count),
            "sha256": self._lines.sha256,
            "quarantine-object": self._source.key,
            "replay-run": run,
            "cluster-id": self._source.metadata.get("cluster-id", ""),
            "topic-id": self._source.metadata.get("topic-id", ""),
        }
        if put_new(writer, place.bucket, self.key, bytes(self._lines.finish()), metadata):
            return True
        # An attempt of ours whose answer got lost has stored it all the same.
        return metadata_of(client, place.bucket, self.key) == metadata
