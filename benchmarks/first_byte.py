"""`make bench PART=first_byte`: from a quote's making until it stands in an object that Athena reads, under load.

Each quote tells when it was made (`event_time`, in milliseconds). S3 is asked 20 times a second which objects it has;
both clocks are this machine's. A query that begins from then on counts the quote: the object's hour is in the catalog.
"""

from __future__ import annotations

import re
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from benchmarks import connect, drains
from benchmarks.drains import Running, start_connect, start_consumer
from benchmarks.figures import Figure, bar
from benchmarks.measured import BenchmarkError, Measured
from benchmarks.peers import verdicts
from benchmarks.peers.sinks import start_confluent, start_quix
from benchmarks.producers import PARTITIONS, producer_settings
from benchmarks.stage import FLUSH_SECONDS, Stage, say
from tabulate import tabulate

from kafka_distribution.build import BuildError

_RATE = 5000
_SECONDS = 90
_DEFAULT_FLUSH, _SHORTEST_FLUSH = 30.0, 1.0
_SLACK = 1.0
"""What may come on top of the flush: fetching, packing, the upload, and S3's being asked."""
_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 60
_BUCKETS = 10
_MADE = re.compile(rb'"event_time":\s*"([^"]+)"')

Start = Callable[[Stage, str], Running]

PROGRAMS: dict[str, tuple[Start, float]] = {
    **{
        f"consumer, {flush:g} s": (partial(start_consumer, reader="batches", flush=flush), flush)
        for flush in (_DEFAULT_FLUSH, float(FLUSH_SECONDS), _SHORTEST_FLUSH)
    },
    f"confluent-kafka, {FLUSH_SECONDS} s": (partial(start_confluent, "zlib"), FLUSH_SECONDS),
    f"Quix Streams, S3FileSink, {FLUSH_SECONDS} s": (start_quix, FLUSH_SECONDS),
    f"Kafka Connect, {FLUSH_SECONDS} s": (partial(start_connect, sink=connect.S3_LINES), FLUSH_SECONDS),
}
"""What runs, and the seconds after which it writes an object. Spark and Flink run here until a topic's end only."""


def figures(scale: float) -> tuple[list[Figure], str]:
    """Measures one program after the other, each beside a producer of 5,000 records/s.

    Args:
        scale: of the 90 s that each is looked at.

    Returns:
        the figures, and the histograms as tables, with the programs that could not be measured.

    Raises:
        BenchmarkError: the project's own consumer lost or doubled a record, or did not end.
    """
    found: list[Figure] = []
    shown: list[str] = []
    reasons: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="stock-market-bench-") as folder, Stage(Path(folder)) as stage:
        for name, (start, flush) in PROGRAMS.items():
            own = name.startswith("consumer")
            try:
                delays = _delays(stage, start, _SECONDS * scale)
            except (BenchmarkError, BuildError) as error:
                if own:
                    raise
                reasons[name] = verdicts.in_a_line(error)
                say(name, error)
                continue
            found += summary(name, delays, flush + _SLACK if own else None)
            shown.append(histogram(name, delays))
            say(name, [f"{figure.values[0]:.2f}" for figure in found[-3:]])
    return found, "\n\n".join(filter(None, (*shown, verdicts.absences(reasons))))


def _delays(stage: Stage, start: Start, seconds: float) -> list[float]:
    """The delay of each record in seconds, ascending."""
    topic = stage.topic(PARTITIONS)
    process, group, prefix = start(stage, topic)
    producer = stage.service("producer", stage.name("producer"), producer_settings(stage, topic, _RATE, "batches"))
    seen: dict[str, float] = {}

    def look() -> None:
        now = time.time()
        for key in stage.store.keys(prefix):
            seen.setdefault(key, now)

    _go_on(look, process, seconds)
    producer.finish(60, signal.SIGTERM)
    _go_on(look, process, _PATIENCE_SECONDS, drains.committed(stage, topic, group))
    process.finish(60, signal.SIGTERM)
    look()
    delays = [seen[key] - made for key, made in _made(stage, prefix)]
    drains.complete(stage.count(topic), len(delays))
    stage.store.clear(prefix)
    return sorted(delays)


def _go_on(
    look: Callable[[], None], process: Measured, seconds: float, done: Callable[[], bool] = lambda: False
) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not done():
        if not process.running:
            raise BenchmarkError(f"The process ended:\n{process.log()[-3000:]}")
        look()
        time.sleep(_LOOK_SECONDS)


def _made(stage: Stage, prefix: str) -> list[tuple[str, float]]:
    """Each stored record's object, and when it was made, in seconds since 1970."""
    return [
        (key, datetime.fromisoformat(made.decode()).timestamp())
        for key, _, body in stage.store.contents(prefix)
        for made in _MADE.findall(body)
    ]


def summary(name: str, delays: Sequence[float], goal: float | None) -> list[Figure]:
    """The median, the 99th percentile and the longest.

    Args:
        name: of the program.
        delays: in seconds, ascending.
        goal: of the longest.
    """
    what = f"record to object, {name}"
    return [
        Figure(f"{what}: p50", (delays[len(delays) // 2],), "s"),
        Figure(f"{what}: p99", (delays[len(delays) * 99 // 100],), "s"),
        Figure(f"{what}: longest", (delays[-1],), "s", goal),
    ]


def histogram(name: str, delays: Sequence[float]) -> str:
    """A table of ten equal spans up to the longest delay, with the share of the records in each.

    Args:
        name: of the program.
        delays: in seconds, ascending.
    """
    width = max(delays[-1], 1e-3) / _BUCKETS
    counts = [0] * _BUCKETS
    for delay in delays:
        counts[max(0, min(int(delay / width), _BUCKETS - 1))] += 1
    rows = [
        (f"{number * width:.2f} to {(number + 1) * width:.2f}", f"{count / len(delays):.1%}", bar(count / max(counts)))
        for number, count in enumerate(counts)
    ]
    headers = (f"{name}: seconds", "of all records", "")
    return tabulate(
        rows, headers=headers, disable_numparse=True, colalign=("right", "right", "left"), tablefmt="github"
    )
