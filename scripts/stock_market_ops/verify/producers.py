"""Is every producer's sequence complete, each number once? The same question as roles/analyses' quality.sql.

A producer's records reach a partition in the order of their numbers. So in each partition everything up to the newest
number that is there has arrived, and up to the least of these (`settled`) everything must be there, whatever the
partitions: what is absent below is missing, what is absent above is pending. A partition of the same log in which the
producer has not been seen is either none of his or not written yet: it is judged by its clock, Kafka's timestamps.
While the pipeline runs, there may also be a partition of which nothing is in S3 yet; its clock is the newest of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from pyroaring import BitMap64

from stock_market_ops.verify.numbers import Numbers, absent, in_words, ranges
from stock_market_ops.verify.reading import Reading
from stock_market_ops.verify.violations import Finding, Findings, Log

_STRETCHES = 3
SETTLE_SECONDS = 60.0
"""How much later than its neighbours' a record of a lower number may be appended to another partition, and stored."""


class Verdict(msgspec.Struct):
    """One producer's line of the table.

    Attributes:
        records: its records among the quotes.
        newest: the highest number there.
        missing: numbers that must be there and are not.
        pending: absent numbers that may still be on their way.
        quarantined: absent numbers that a quarantined record carries.
        doubles: records whose number was there before.
    """

    producer_id: str
    records: int
    newest: int
    missing: int
    pending: int
    quarantined: int
    doubles: int


@dataclass(slots=True)
class _Producer:
    numbers: Numbers = field(default_factory=Numbers)
    quarantined: BitMap64 = field(default_factory=BitMap64)
    newest: dict[Log, int] = field(default_factory=dict)
    clock: list[tuple[int, int]] = field(default_factory=list)
    historic: bool = False


class Producers:
    """Collects the numbers of all objects, and judges them at the end."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._producers: dict[str, _Producer] = {}
        self._longest_ms = 0

    def add(self, reading: Reading, log: Log, first_timestamp: int, last_timestamp: int) -> None:
        """Takes the numbers of an object of quotes.

        Args:
            reading: the object.
            log: its partition.
            first_timestamp: Kafka timestamp of its first record, in milliseconds; -1 for a replay.
            last_timestamp: of its last one.
        """
        # So long a consumer may hold what another partition's object already tells of.
        self._longest_ms = max(self._longest_ms, last_timestamp - first_timestamp)
        for name, counted in reading.producers.items():
            producer = self._producers.setdefault(name, _Producer())
            again = producer.numbers.merge(BitMap64.deserialize(counted.numbers), counted.records)
            producer.newest[log] = max(producer.newest.get(log, -1), counted.newest)
            if last_timestamp >= 0:
                producer.clock.append((last_timestamp, counted.newest))
            if counted.doubles:
                numbers = in_words([(number, number) for number in counted.examples], more=counted.doubles > 3)
                words = f"holds {counted.doubles} records of producer {name} twice: sequence {numbers}"
                self._double(reading.key, words, log, name, counted.examples[0])
            if again:
                words = f"holds {len(again)} records of producer {name} that are in an object read before it: sequence"
                self._double(reading.key, f"{words} {_span(again)}", log, name, again.min())

    def add_history(self, where: str, name: str, numbers: BitMap64, end_ms: int) -> None:
        """Takes numbers that only an hour's history has, since their raw objects are gone.

        Args:
            where: the hour's history, in words.
            name: the producer.
            numbers: at least one.
            end_ms: the end of the hour, in milliseconds since 1970.
        """
        producer = self._producers.setdefault(name, _Producer(historic=True))
        producer.historic = True
        again = producer.numbers.merge(numbers, len(numbers))
        producer.clock.append((end_ms, numbers.max()))
        if again:
            words = f"{where} holds {len(again)} records of producer {name} that are in an object read before it"
            first = again.min()
            sentence = f"{words}: sequence {_span(again)}"
            self._findings.add(Finding("double", sentence, producer_id=name, start=first, end=first + 1))

    def _double(self, key: str, words: str, log: Log, name: str, number: int) -> None:
        self._findings.add(
            Finding("double", f"{key} {words}", key=key, log=log, producer_id=name, start=number, end=number + 1)
        )

    def add_quarantined(self, reading: Reading) -> None:
        """Takes the numbers that can be read in quarantined records; they only explain what is absent elsewhere."""
        for name, counted in reading.producers.items():
            producer = self._producers.setdefault(name, _Producer())
            producer.quarantined |= BitMap64.deserialize(counted.numbers)

    def judge(
        self, clocks: dict[Log, int], *, at_rest: bool, unfinished: frozenset[str], excused: int
    ) -> list[Verdict]:
        """Judges every producer.

        Args:
            clocks: of every partition, the Kafka timestamp of its last record, in milliseconds.
            at_rest: whether all that was sent is said to be in S3: then nothing is pending.
            unfinished: producers that did not end by themselves: what they had in flight may never have been sent.
            excused: the number of records in gaps that were accepted: as many numbers may be missing.
        """
        verdicts = []
        violations = []
        for name, producer in sorted(self._producers.items()):
            seen = producer.numbers.seen
            newest = seen.max() if seen else -1
            strict = at_rest and name not in unfinished
            settled = newest if strict else self._settled(producer, clocks, name not in unfinished, at_rest)
            known = seen | producer.quarantined
            missing = absent(known, settled + 1)
            verdicts.append(
                Verdict(
                    name,
                    producer.numbers.records,
                    newest,
                    missing,
                    absent(known, newest + 1) - missing,
                    absent(seen, newest + 1) - absent(known, newest + 1),
                    producer.numbers.doubles,
                )
            )
            if missing:
                stretches = ranges(known, 0, settled + 1, _STRETCHES + 1)
                violations.append(_missing(name, missing, settled, stretches))
        if sum(verdict.missing for verdict in verdicts) > excused:
            for violation in violations:
                self._findings.add(violation)
        return verdicts

    def _settled(self, producer: _Producer, clocks: dict[Log, int], patient: bool, at_rest: bool) -> int:
        if not producer.newest and producer.historic:
            return producer.numbers.seen.max()  # An hour becomes history when all its records are stored.
        settled = min(producer.newest.values(), default=-1)
        logs = {(log.topic, log.cluster_id, log.topic_id) for log in producer.newest}
        known = {log: clock for log, clock in clocks.items() if (log.topic, log.cluster_id, log.topic_id) in logs}
        unseen = [clock for log, clock in known.items() if log not in producer.newest]
        if unseen and not patient:
            return -1
        if known and not at_rest:
            unseen.append(max(known.values()))
        if unseen:
            passed = min(unseen) - SETTLE_SECONDS * 1000 - self._longest_ms
            settled = min(settled, max((newest for clock, newest in producer.clock if clock <= passed), default=-1))
        return settled


def _span(numbers: BitMap64) -> str:
    first, last = numbers.min(), numbers.max()
    if len(numbers) == 1:
        return str(first)
    return f"{first} to {last}" if last - first + 1 == len(numbers) else f"between {first} and {last}"


def _missing(name: str, missing: int, settled: int, stretches: list[tuple[int, int]]) -> Finding:
    shown: Iterable[tuple[int, int]] = stretches[:_STRETCHES]
    words = in_words(list(shown), more=len(stretches) > _STRETCHES)
    start = stretches[0][0]
    return Finding(
        "missing",
        f"producer {name} lacks {missing} of its records 0 to {settled}: sequence {words}",
        producer_id=name,
        start=start,
        end=stretches[0][1] + 1,
    )
