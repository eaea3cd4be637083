"""Cuts the broker's logs back while it is down, and keeps what it lost: S3 may hold that, or what took its offsets."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kafka.errors import KafkaError
from tests.chaos import topic
from tests.chaos.daemon import Daemon, Run
from tests.chaos.lake import MainObject
from tests.chaos.topic import Entry
from tests.support.stock_market import log_cutting
from tests.support.stock_market.broker import answers

_START_SECONDS = 180.0
_OVERTAKE_SECONDS = 120.0
_ENDING_SECONDS = 30.0
"""A consumer that finds its log too short first stores what it holds, for 20 s at most."""
_CONFLICT = re.compile(r"the objects of partition (\d+) reach offset (\d+), but Kafka's log ends at (\d+):")
_TOLD = re.compile(r"event=log_cut_back partition=(\d+) start=(\d+) end=(\d+) lost=(\d+) ")


@dataclass(slots=True)
class LogCut:
    """One cut of one partition's log.

    Attributes:
        partition: the partition.
        start: the first offset that was lost.
        end: the log's end before, which readers had been told.
        lost: the records that were lost, by offset.
        begun: when the broker was killed, in seconds of the steady clock.
        over: when the log was as long as before again.
    """

    partition: int
    start: int
    end: int
    lost: dict[int, Entry]
    begun: float
    over: float = math.inf

    def told_by(self, start: int, end: int) -> bool:
        """Whether a range that is told as lost to a reader at `end` is of this cut."""
        return start == self.start < end <= self.end


@dataclass(slots=True)
class Expected:
    """What S3 has to hold of one partition.

    Attributes:
        entries: the record of each offset: the topic's, but what was lost where an object says that it was read before.
        told: start and end of each range of which S3 has what was lost.
        problems: one sentence for each object that tells a cut that there was not.
    """

    entries: dict[int, Entry]
    told: list[tuple[int, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def expected(entries: Sequence[Entry], cuts: Sequence[LogCut], objects: Sequence[MainObject]) -> Expected:
    """What S3 has to hold of a partition of which the broker lost records.

    A reader that was behind a cut, and only it, has read what was lost; the object at which it found out begins where
    it was and names the cut's start. From there on, and where no object names a cut, S3 holds what the topic has.

    Args:
        entries: the partition as the topic has it now.
        cuts: its cuts.
        objects: its objects in the order of the chain.
    """
    found = Expected({entry.offset: entry for entry in entries})
    left = list(cuts)
    for each in objects:
        if each.cut_start is None:
            continue
        cut = next((cut for cut in left if cut.told_by(each.cut_start, each.start)), None)
        if cut is None:
            found.problems.append(f"{each.key} tells a cut at offset {each.cut_start} that there was not")
            continue
        left.remove(cut)
        found.told.append((cut.start, each.start))
        found.entries |= {offset: cut.lost[offset] for offset in range(cut.start, each.start)}
    return found


class LogCutter:
    """Cuts logs of one topic, one cut after the other.

    A cut takes no offset that one before it took: so what S3 has at an offset was lost in one cut at most.

    Args:
        broker: the broker.
        address: where it listens.
        folder: its data.
        name: the topic's name.

    Attributes:
        alone: held while the broker recovers its logs, which it has to do with room on its disk.
        cuts: those that were made.
    """

    def __init__(self, broker: Daemon, address: str, folder: Path, name: str) -> None:
        self._broker = broker
        self._address = address
        self._folder = folder
        self._topic = name
        self.alone = threading.Lock()
        self._one = threading.Lock()
        self.cuts: list[LogCut] = []

    def cut(self, records: Mapping[int, int], down_seconds: float) -> None:
        """Kills the broker, takes about this many records from the ends of its logs, and waits until others took their
        offsets.

        Args:
            records: by partition.
            down_seconds: for how long the broker stays down.

        Raises:
            TimeoutError: the broker does not start, or the logs do not grow.
        """
        # The next cut would kill the broker before others have taken the offsets of this one.
        with self._one:
            with self.alone:
                begun = time.monotonic()
                with self._broker.held():
                    if self._broker.running is not None:
                        self._broker.kill(0.0)
                    made = [self._cut(partition, count, begun) for partition, count in records.items()]
                    time.sleep(down_seconds)
                self._wait(lambda: answers(self._address), "the broker does not start with logs that were cut")
            self._wait(lambda: self._overtaken(made), "logs that were cut do not grow", _OVERTAKE_SECONDS)

    def _cut(self, partition: int, count: int, begun: float) -> LogCut:
        folder = self._folder / f"{self._topic}-{partition}"
        places = log_cutting.boundaries(folder)
        end = places[-1]
        floor = max((cut.end for cut in self.cuts if cut.partition == partition), default=0)
        free = [place for place in places if place >= floor]
        start = max((place for place in free if place <= end - count), default=min(free, default=end))
        lost = {
            record.offset: Entry(record.offset, record.timestamp, record.key, record.value)
            for record in log_cutting.read(folder, start)
        }
        if list(lost) != list(range(start, end)):
            raise AssertionError(f"{folder} has not each of the offsets {start} to {end - 1}")
        made = LogCut(partition, start, end, lost, begun)
        if start < end:
            self.cuts.append(made)
            if log_cutting.cut(folder, start) != start:
                raise AssertionError(f"{folder} was not cut at offset {start}")
        return made

    def _overtaken(self, made: Sequence[LogCut]) -> bool:
        try:
            ends = topic.ends(self._address, self._topic)
        except KafkaError:
            return False
        for cut in made:
            if ends[cut.partition] >= cut.end:
                cut.over = min(cut.over, time.monotonic())
        return all(cut.over < math.inf for cut in made)

    def wait_for_recovery(self) -> None:
        """Waits until no broker is recovering its logs: it answers, or none runs."""
        self._wait(lambda: self._broker.running is None or answers(self._address), "the broker does not recover")

    @staticmethod
    def _wait(condition: Callable[[], bool], complaint: str, seconds: float = _START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{complaint}, waited {seconds:g} s")
            time.sleep(0.2)

    def excuses(self, run: Run) -> bool:
        """Whether a consumer that ended because Kafka and S3 contradict each other was right: a log was too short."""
        found = _CONFLICT.search(run.text())
        if found is None:
            return False
        partition, position, log_end = map(int, found.groups())
        return any(
            cut.partition == partition
            and cut.start <= log_end < position <= cut.end
            and cut.begun <= run.ended <= cut.over + _ENDING_SECONDS
            for cut in self.cuts
        )

    def complaints(self, run: Run) -> list[str]:
        """What is wrong with the cuts that a consumer has told."""
        return [
            f"{run.name} tells a cut that there was not: {told[0]}"
            for told in _TOLD.finditer(run.text())
            if not self._was(*map(int, told.groups()))
        ]

    def _was(self, partition: int, start: int, end: int, lost: int) -> bool:
        cuts = [cut for cut in self.cuts if cut.partition == partition and cut.told_by(start, end)]
        return bool(cuts) and lost == end - start
