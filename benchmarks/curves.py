"""`make bench PART=scale`: what producer, consumer and verifier cost against what grows, and the whole way's pace.

Each curve varies one thing in equal ratios and keeps the rest. What costs more than in proportion is a fault: from the
last value but one to the last, the exponent by which a run's CPU seconds grow (1 is in proportion) may be 1.1 at most,
and no process may take more than 256 MB at any value.
"""

from __future__ import annotations

import math
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import drains, producers
from benchmarks.drains import consumer_settings
from benchmarks.figures import Figure, at_most, bar
from benchmarks.producers import UNBOUNDED, producer_settings
from benchmarks.stage import TOPIC_RECORDS, Stage, say
from benchmarks.verifier import backlog
from tabulate import tabulate

_PARTITIONS = (8, 64, 512)
_SYMBOLS = (20, 320, 5000)
_BACKLOG = (1_000_000, 4_000_000, 16_000_000)
_OBJECTS = (128, 512, 2048)
_CONSUMERS = (1, 2, 4)
_BACKLOG_PARTITIONS = 64
_GROWTH, _MEGABYTES, _MORE_CONSUMERS = 1.1, 256.0, 1.25
_WAY_RECORDS = 12_000_000
_FLUSH = 5.0  # seconds, for which the last objects of a run wait


@dataclass(frozen=True)
class Point:
    """A run at one value of what a curve varies.

    Attributes:
        at: the value.
        cpu: its CPU seconds.
        peak: its most memory, in MB.
    """

    at: int
    cpu: float
    peak: float


@dataclass(frozen=True)
class Curve:
    """What a program costs against one thing.

    Attributes:
        program: which.
        against: what is varied.
        points: by ascending value.
    """

    program: str
    against: str
    points: tuple[Point, ...]

    @property
    def growth(self) -> float:
        """The exponent by which CPU seconds grow over the last step: 1 in proportion, 0 where they stay."""
        before, last = self.points[-2:]
        return math.log(last.cpu / before.cpu) / math.log(last.at / before.at)

    def figures(self) -> list[Figure]:
        """How it grows and the most memory, with verdicts."""
        name = f"{self.program} against {self.against}"
        return [
            at_most(f"{name}: exponent of its CPU seconds", self.growth, _GROWTH, ""),
            Figure(f"{name}: memory", tuple(point.peak for point in self.points), "MB"),
            at_most(f"{name}: most memory", max(point.peak for point in self.points), _MEGABYTES, "MB"),
        ]

    def drawing(self) -> str:
        """A table with a bar for each value."""
        most = max(point.cpu for point in self.points)
        rows = [
            (f"{point.at:,}", f"{point.cpu:.2f}", bar(point.cpu / most), f"{point.peak:.0f}") for point in self.points
        ]
        return _table((self.against, f"{self.program}: CPU s", "", "MB"), rows)


@dataclass(frozen=True)
class Way:
    """A run of the whole way: a producer as fast as it can, and consumers at the same time.

    Attributes:
        partitions: of the topic.
        consumers: how many processes.
        pace: records a second, from the topic's first tenth until S3 and the group have all.
        producer, consumer: CPU seconds of all of the kind, per million records.
        peak: the most memory of a consumer's process, in MB.
    """

    partitions: int
    consumers: int
    pace: float
    producer: float
    consumer: float
    peak: float


def figures(scale: float) -> tuple[list[Figure], str]:
    """Measures all curves.

    Args:
        scale: of the counts of records.

    Returns:
        the figures, and the curves as tables.

    Raises:
        BenchmarkError: a run lost or doubled a record, or did not end.
    """
    with tempfile.TemporaryDirectory(prefix="stock-market-bench-") as folder, Stage(Path(folder), apart=False) as stage:
        ways = _ways(stage, round(_WAY_RECORDS * scale))
    with tempfile.TemporaryDirectory(prefix="stock-market-bench-") as folder, Stage(Path(folder)) as stage:
        curves = [
            *_partitions(stage, round(TOPIC_RECORDS * scale)),
            *_symbols(stage, round(TOPIC_RECORDS * scale)),
            *_backlogs(stage, scale),
            _objects(stage, round(TOPIC_RECORDS * scale)),
        ]
    found = way_figures(ways)
    for curve in curves:
        found += curve.figures()
    return found, "\n\n".join([_way_table(ways), *(curve.drawing() for curve in curves)])


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    align = tuple("left" if not header else "right" for header in headers)
    return tabulate(rows, headers=headers, disable_numparse=True, colalign=align, tablefmt="github")


def _ways(stage: Stage, records: int) -> list[Way]:
    found = []
    for partitions, consumers in (*((8, n) for n in _CONSUMERS), *((n, _CONSUMERS[1]) for n in _PARTITIONS[1:])):
        found.append(_way(stage, partitions, consumers, records))
        say("whole way", found[-1])
    return found


def _way(stage: Stage, partitions: int, consumers: int, records: int) -> Way:
    """Fills a topic and drains it at once, on all cores."""
    topic, group = stage.topic(partitions), stage.name("way")
    running = [
        stage.service("consumer", f"{group}-{number}", consumer_settings(stage, topic, group, "batches", flush=_FLUSH))
        for number in range(consumers)
    ]
    running[0].until(lambda: stage.broker.members(group) == consumers, f"{consumers} members with partitions", 120, 0.5)
    producer = stage.service("producer", stage.name("producer"), producer_settings(stage, topic, UNBOUNDED, "batches"))
    producer.until(lambda: stage.count(topic) >= records // 10, f"a tenth of {records} records", 300)
    began, already = time.monotonic(), stage.count(topic)
    before = producer.cpu_seconds(), sum(process.cpu_seconds() for process in running)
    producer.until(lambda: stage.count(topic) >= records, f"{records} records", 600)
    producer.finish(60, signal.SIGTERM)
    filled = producer.cpu_seconds() - before[0]
    drained = drains.committed(stage, topic, group)
    running[0].until(drained, "the topic's end to be stored", 600, 0.1)
    total = stage.count(topic)
    seconds, spent = time.monotonic() - began, sum(process.cpu_seconds() for process in running) - before[1]
    for process in running:
        process.finish(60, signal.SIGTERM)
    drains.complete(total, drains.objects(stage, f"{group}/")[0])
    moved = (total - already) / 1e6
    peak = max(process.peak_megabytes() for process in running)
    return Way(partitions, consumers, moved * 1e6 / seconds, filled / moved, spent / moved, peak)


def way_figures(ways: Sequence[Way]) -> list[Figure]:
    """The whole way's pace, and what more consumers cost."""
    found = [
        Figure(f"whole way, {way.partitions} partitions, consumers: {way.consumers}", (way.pace,), "records/s")
        for way in ways
    ]
    by_consumers = {way.consumers: way for way in ways if way.partitions == ways[0].partitions}
    least, most = min(by_consumers), max(by_consumers)
    more = by_consumers[most].consumer / by_consumers[least].consumer
    found.append(at_most(f"consumers' CPU seconds, {most} processes over {least}", more, _MORE_CONSUMERS, "times"))
    found.append(at_most("whole way: most memory of a consumer", max(way.peak for way in ways), _MEGABYTES, "MB"))
    return found


def _way_table(ways: Sequence[Way]) -> str:
    most = max(way.pace for way in ways)
    rows = [
        (
            *(str(way.partitions), str(way.consumers), f"{way.pace:,.0f}", bar(way.pace / most)),
            *(f"{way.producer:.2f}", f"{way.consumer:.2f}", f"{way.peak:.0f}"),
        )
        for way in ways
    ]
    headers = ("partitions", "consumers", "records/s", "", "producer: CPU s/M", "consumers: CPU s/M", "MB each")
    return _table(headers, rows)


def _partitions(stage: Stage, records: int) -> list[Curve]:
    filled, drained = [], []
    for partitions in _PARTITIONS:
        topic = stage.topic(partitions)
        filled.append(_filled(partitions, stage, topic, records))
        drained.append(_drained(partitions, stage, topic))
    return [Curve("producer", "partitions", tuple(filled)), Curve("consumer", "partitions", tuple(drained))]


def _symbols(stage: Stage, records: int) -> list[Curve]:
    filled, drained = [], []
    for symbols in _SYMBOLS:
        topic = stage.topic(producers.PARTITIONS)
        filled.append(_filled(symbols, stage, topic, records, f"[simulate]\nsymbols = {symbols}\n"))
        drained.append(_drained(symbols, stage, topic))
    return [Curve("producer", "symbols", tuple(filled)), Curve("consumer", "symbols", tuple(drained))]


def _backlogs(stage: Stage, scale: float) -> list[Curve]:
    filled, drained, verified = [], [], []
    for records in (round(each * scale) for each in _BACKLOG):
        topic = stage.topic(_BACKLOG_PARTITIONS)
        filled.append(_filled(records, stage, topic, records))
        drained.append(_drained(records, stage, topic))
        verified.append(_verified(records, stage, topic))
    return [
        Curve("producer", "records", tuple(filled)),
        Curve("consumer", "records of backlog", tuple(drained)),
        Curve("verifier", "records", tuple(verified)),
    ]


def _objects(stage: Stage, records: int) -> Curve:
    topic = stage.topic(producers.PARTITIONS)
    _filled(records, stage, topic, records)
    cuts = {objects: f"records = {max(1, stage.count(topic) // objects)}\n" for objects in _OBJECTS}
    return Curve("verifier", "objects", tuple(_verified(at, stage, topic, cut) for at, cut in cuts.items()))


def _filled(at: int, stage: Stage, topic: str, records: int, settings: str = "") -> Point:
    run = producers.produce(stage, topic, records, "batches", settings=settings)
    return _said("producer", Point(at, stage.count(topic) / run.rate, run.peak))


def _drained(at: int, stage: Stage, topic: str) -> Point:
    run = drains.consume(stage, topic, "batches")
    return _said("consumer", Point(at, stage.count(topic) / run.rate, run.peak))


def _verified(at: int, stage: Stage, topic: str, cut: str = "") -> Point:
    run = backlog(stage, topic, cut)
    return _said("verifier", Point(at, stage.count(topic) / run.verified, run.verifier_peak))


def _said(program: str, point: Point) -> Point:
    say(program, point)
    return point
