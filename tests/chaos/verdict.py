"""Compares Kafka's topic with S3, record by record: what was lost, what is there twice.

Nothing here is taken from the services. The topic comes from kafka-python's public consumer, the objects from S3's own
listing; a record is (partition, offset), and its bytes have to be the same on both sides.

Lost is, first, a record of the topic that is in no object and in no quarantine. Second, a record that the topic does
not have although its producer was told so: each one that the witness had acknowledged, and of a producer every number
below its count when it ended well. A producer that was killed may lack numbers only among its last ones, no more than
it may have in flight. Doubled is a record that is in two places in S3, and a (producer_id, sequence) that is in the
topic twice.

Where the broker itself lost records (`cuts`), the topic may lack those, and no others. S3 may hold them in place of
those that took their offsets, and then says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from tests.chaos.cuts import Expected, LogCut, expected
from tests.chaos.lake import Lake, MainObject, QuarantinedRecord
from tests.chaos.topic import Entry
from tests.chaos.witness import Acknowledged

_HOUR_MS = 3_600_000
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ProducerEnd:
    """How a producer's life ended.

    Attributes:
        producer_id: its id.
        whole: whether it said that every record was acknowledged.
        records: how many it numbered; None when it could not say.
    """

    producer_id: str
    whole: bool
    records: int | None = None


@dataclass(slots=True)
class Verdict:
    """What the comparison has found.

    Attributes:
        records: records in the topic.
        objects: objects of the chain.
        quarantined: poison records in quarantine.
        producers: producer ids in the topic.
        acknowledged: records of the witness that were looked for.
        cut_away: records that the broker lost when its log was cut.
        clock_jumps: places in the topic where Kafka's timestamps jump by more than half an hour.
        lost: records that are not where they have to be.
        doubled: records that are there once more than they should be.
        problems: one sentence each; nothing is well unless there are none.
    """

    records: int = 0
    objects: int = 0
    quarantined: int = 0
    producers: int = 0
    acknowledged: int = 0
    cut_away: int = 0
    clock_jumps: int = 0
    lost: int = 0
    doubled: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether everything is there once."""
        return not (self.lost or self.doubled or self.problems)


def _ranges(offsets: Iterable[int]) -> str:
    found: list[list[int]] = []
    for offset in sorted(offsets):
        if found and offset == found[-1][1] + 1:
            found[-1][1] = offset
        else:
            found.append([offset, offset])
    shown = ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in found[:_SHOWN])
    return shown + (", ..." if len(found) > _SHOWN else "")


def _jumps(entries: Sequence[Entry]) -> int:
    return sum(abs(after.timestamp - before.timestamp) > _HOUR_MS // 2 for before, after in pairwise(entries))


class Reconciliation:
    """One comparison.

    Args:
        topic: the records of each partition.
        lake: what is in S3.
        poison: key and value of every record that was sent although it is no quote.
        cuts: what the broker lost.
        given_up: keys of main objects whose quarantine object a consumer could not make any more, for a cut.

    Attributes:
        verdict: what was found so far.
        expected: what S3 has to hold of each partition; complete after `check_objects`.
    """

    def __init__(
        self,
        topic: Mapping[int, Sequence[Entry]],
        lake: Lake,
        poison: set[tuple[bytes | None, bytes | None]],
        cuts: Sequence[LogCut] = (),
        given_up: Collection[str] = (),
    ) -> None:
        self._topic = topic
        self._lake = lake
        self._poison = poison
        self._cuts = cuts
        self._given_up = given_up
        self.expected: dict[int, Expected] = {}
        self.verdict = Verdict(
            records=sum(map(len, topic.values())),
            objects=sum(map(len, lake.main.values())),
            clock_jumps=sum(map(_jumps, topic.values())),
            cut_away=sum(len(cut.lost) for cut in cuts),
            problems=list(lake.problems),
        )

    def check_objects(self) -> None:
        """Holds every record of the topic against S3, and every line in S3 against the topic."""
        used: set[str] = set()
        for partition, entries in sorted(self._topic.items()):
            if [entry.offset for entry in entries] != list(range(len(entries))):
                self.verdict.problems.append(f"partition {partition} of the topic has holes or does not begin at 0")
            self._check_partition(partition, entries, used)
        for partition in self._lake.main.keys() - self._topic.keys():
            self.verdict.problems.append(f"S3 has objects of a partition {partition} that the topic does not have")
        for key in self._lake.quarantine.keys() - used:
            self.verdict.problems.append(f"quarantine/{key} belongs to no object of the chain")

    def _check_partition(self, partition: int, entries: Sequence[Entry], used: set[str]) -> None:
        objects = self._lake.main.get(partition, [])
        cuts = [cut for cut in self._cuts if cut.partition == partition]
        view = self.expected[partition] = expected(entries, cuts, objects)
        self.verdict.problems += view.problems
        known = view.entries
        times: Counter[int] = Counter()
        end = 0
        for found in objects:
            if found.start != end:
                what = "overlaps" if found.start < end else "leaves a hole after"
                self.verdict.problems.append(f"{found.key} {what} the object before it, which ends at {end}")
            end = found.end
            times.update(self._check_object(found, known, used))
        lost = [offset for offset in known if not times[offset]]
        doubled = {offset: count - 1 for offset, count in times.items() if count > 1}
        foreign = [offset for offset in times if offset not in known]
        self.verdict.lost += len(lost)
        self.verdict.doubled += sum(doubled.values())
        for offsets, what in (
            (lost, "are in the topic and not in S3"),
            (doubled, "are in S3 more than once"),
            (foreign, "are in S3 and not in the topic"),
        ):
            if offsets:
                self.verdict.problems.append(f"offsets {_ranges(offsets)} of partition {partition} {what}")

    def _check_object(self, found: MainObject, known: Mapping[int, Entry], used: set[str]) -> list[int]:
        """The offsets that an object and its quarantine really hold."""
        problems = self.verdict.problems
        name = found.key.removeprefix("quotes/")
        bad = self._lake.quarantine.get(name) or self._given_up_poison(found, known)
        used.add(name)
        if len(bad) != found.quarantined:
            problems.append(f"{found.key} speaks of {found.quarantined} quarantined records, there are {len(bad)}")
        self.verdict.quarantined += len(bad)
        held = []
        for one in bad:
            entry = known.get(one.offset)
            if entry is None or (one.key, one.value) != (entry.key, entry.value):
                problems.append(f"quarantine/{name} has another record at offset {one.offset} than the topic")
                continue
            if (entry.key, entry.value) not in self._poison:
                problems.append(f"the good record {one.offset} is in quarantine/{name}: {one.reason}")
            if not found.start <= one.offset < found.end:
                problems.append(f"quarantine/{name} holds offset {one.offset}, which is outside its object's range")
            held.append(one.offset)
        taken = set(held)
        good = [offset for offset in range(found.start, found.end) if offset not in taken]
        if len(good) != len(found.lines):
            problems.append(f"{found.key} has {len(found.lines)} lines for {len(good)} records")
        differing = []
        for offset, line in zip(good, found.lines, strict=False):
            if offset in known and known[offset].value == line:
                held.append(offset)
                if (known[offset].key, line) in self._poison:
                    problems.append(f"{found.key} holds poison at offset {offset}")
            else:
                differing.append(offset)
        if differing:
            problems.append(f"{found.key} holds other bytes than the topic at the offsets {_ranges(differing)}")
        hours = {known[offset].timestamp // _HOUR_MS for offset in range(found.start, found.end) if offset in known}
        named = {f"{datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%d %H}" for hour in hours}
        if named != {found.hour}:
            problems.append(f"{found.key} holds records of the hours {sorted(named)}")
        return held

    def _given_up_poison(self, found: MainObject, known: Mapping[int, Entry]) -> list[QuarantinedRecord]:
        """The poison of an object whose quarantine object could not be made, for the broker lost some of its range."""
        if found.key not in self._given_up or not any(
            cut.partition == found.partition and cut.start < found.end and found.start < cut.end for cut in self._cuts
        ):
            return []
        entries = [known[offset] for offset in range(found.start, found.end) if offset in known]
        return [
            QuarantinedRecord(entry.offset, entry.key, entry.value, "given up")
            for entry in entries
            if (entry.key, entry.value) in self._poison
        ]

    def check_acknowledged(self, acknowledged: Sequence[Acknowledged]) -> None:
        """Looks in the topic for each record of which the broker has said that it has it."""
        cut_away = {(cut.partition, offset, entry.value) for cut in self._cuts for offset, entry in cut.lost.items()}
        lost = [
            one
            for one in acknowledged
            if (
                one.offset >= len(self._topic.get(one.partition, ()))
                or self._topic[one.partition][one.offset].value != one.value
            )
            and (one.partition, one.offset, one.value) not in cut_away
        ]
        self.verdict.acknowledged = len(acknowledged)
        self.verdict.lost += len(lost)
        if lost:
            places = ", ".join(f"{one.partition}:{one.offset}" for one in lost[:_SHOWN])
            self.verdict.problems.append(f"{len(lost)} acknowledged records are not in the topic, at {places}")

    def check_sequences(self, ends: Sequence[ProducerEnd], in_flight_limit: int) -> None:
        """Looks in the topic for each producer's numbers; `in_flight_limit` is how many may be unacknowledged."""
        numbers = self._numbers(entry for entries in self._topic.values() for entry in entries)
        cut_away = self._numbers(entry for cut in self._cuts for entry in cut.lost.values())
        self.verdict.producers = len(numbers)
        by_id = {end.producer_id: end for end in ends}
        for producer_id in sorted(numbers.keys() | by_id.keys()):
            counts = numbers.get(producer_id, Counter())
            end = by_id.get(producer_id, ProducerEnd(producer_id, whole=False))
            self._check_producer(end, counts, cut_away.get(producer_id, Counter()), in_flight_limit)

    def stored_numbers(self) -> dict[str, Counter[int]]:
        """How often S3 has to hold each number of each producer, after `check_objects`."""
        return self._numbers(entry for view in self.expected.values() for entry in view.entries.values())

    def _numbers(self, entries: Iterable[Entry]) -> dict[str, Counter[int]]:
        """How often each number of each producer is there, among the quotes."""
        numbers: dict[str, Counter[int]] = {}
        for entry in entries:
            if (entry.key, entry.value) not in self._poison and entry.value is not None:
                line = json.loads(entry.value)
                numbers.setdefault(line["producer_id"], Counter())[line["sequence"]] += 1
        return numbers

    def _check_producer(
        self, end: ProducerEnd, counts: Counter[int], cut_away: Collection[int], in_flight_limit: int
    ) -> None:
        verdict = self.verdict
        doubled = {number: count - 1 for number, count in counts.items() if count > 1}
        if doubled:
            verdict.doubled += sum(doubled.values())
            verdict.problems.append(f"{end.producer_id} has the numbers {_ranges(doubled)} in the topic more than once")
        seen = max(counts, default=-1) + 1
        expected = end.records if end.whole and end.records is not None else seen
        certain = expected if end.whole else max(0, seen - in_flight_limit)
        missing = [number for number in range(certain) if number not in counts and number not in cut_away]
        if missing:
            verdict.lost += len(missing)
            how = "ended well" if end.whole else "was killed"
            verdict.problems.append(
                f"{end.producer_id}, which {how}, lacks the numbers {_ranges(missing)} in the topic"
            )
        if seen > expected:
            verdict.problems.append(f"{end.producer_id} has numbers up to {seen - 1}, but said that it sent {expected}")
