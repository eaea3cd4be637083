"""Drains a topic into S3 in several ways and counts what each costs per record.

CPU counts from the moment at which a client begins to read (its log says so), so that no start of an interpreter or a
virtual machine is in it, until the group has committed the topic's end, which each of them does after S3 has
everything. Then the lines in the objects are counted: a run that lost or doubled one is no measurement.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.connect import FILE, Sink, connect_settings
from benchmarks.measured import BenchmarkError, Measured
from benchmarks.stage import FLUSH_SECONDS, OBJECT_BYTES, Stage


@dataclass(frozen=True)
class Drain:
    """What one run cost.

    Attributes:
        rate: records per CPU second.
        peak: the most memory, in MB.
        writes: write requests that S3 counted, per million records.
        object_bytes: compressed size per record.
    """

    rate: float
    peak: float
    writes: float
    object_bytes: float


class Running(NamedTuple):
    """A program that reads a topic into S3.

    Attributes:
        process: it.
        group: whose offsets it commits.
        prefix: of its objects, with the slash at its end.
    """

    process: Measured
    group: str
    prefix: str


def drain(
    stage: Stage,
    process: Measured,
    topic: str,
    done: Callable[[], bool],
    tally: Callable[[], tuple[int, int]],
) -> Drain:
    """Waits until a process, which has begun to read, has stored the topic; ends it; counts what it has stored.

    Args:
        stage: where it runs.
        process: the process.
        topic: what it reads.
        done: whether it has stored all.
        tally: counts the lines and the bytes that it has stored.

    Raises:
        BenchmarkError: it ended, took more than ten minutes, or stored another number of records than the topic has.
    """
    total = stage.count(topic)
    before, writes = process.cpu_seconds(), stage.store.writes()
    process.until(done, "the topic's end to be stored", 600, 0.25)
    spent = process.cpu_seconds() - before
    process.finish(60, signal.SIGTERM)
    written = stage.store.writes() - writes
    lines, size = tally()
    complete(total, lines)
    return Drain(total / spent, process.peak_megabytes(), written / total * 1e6, size / total)


def complete(total: int, lines: int) -> None:
    """Refuses a run that lost or doubled a record.

    Raises:
        BenchmarkError: it stored another number of lines than the topic has records.
    """
    if lines != total:
        raise BenchmarkError(f"{total} records are in the topic, {lines} lines at the other end")


def committed(stage: Stage, topic: str, group: str) -> Callable[[], bool]:
    """Whether a group has committed the topic's end, as a function that asks."""
    total = stage.count(topic)
    return lambda: stage.broker.committed(group) >= total


def await_log(process: Measured, text: str) -> None:
    """Waits up to two minutes until a process has logged a text."""
    process.until(lambda: text in process.log(), f"the log to say {text}", 120)


def start_consumer(
    stage: Stage, topic: str, reader: str, *, secured: bool = False, flush: float = FLUSH_SECONDS
) -> Running:
    """Starts the project's consumer, otherwise with its defaults."""
    group = stage.name(f"consumer-{reader}")
    settings = consumer_settings(stage, topic, group, reader, secured=secured, flush=flush)
    process = stage.service("consumer", group, settings)
    await_log(process, "event=partitions_assigned")
    return Running(process, group, f"{group}/")


def consume(stage: Stage, topic: str, reader: str, *, secured: bool = False) -> Drain:
    """Drains the topic with it."""
    return drained(stage, topic, start_consumer(stage, topic, reader, secured=secured))


def drained(stage: Stage, topic: str, running: Running) -> Drain:
    """Waits until a program has committed the topic's end, as `drain` does, and counts its objects' lines."""
    done, tally = committed(stage, topic, running.group), partial(objects, stage, running.prefix)
    return drain(stage, running.process, topic, done, tally)


def objects(stage: Stage, prefix: str) -> tuple[int, int]:
    """Counts lines and bytes of the gzip objects under a prefix, which is empty afterwards."""
    found = stage.store.lines(prefix)
    stage.store.clear(prefix)
    return found


def consumer_settings(
    stage: Stage, topic: str, group: str, reader: str, *, secured: bool = False, flush: float = FLUSH_SECONDS
) -> str:
    """A settings file for the project's consumer; the group is the prefix of its objects too."""
    kafka = stage.broker.kafka_settings(topic, secured=secured)
    return (
        f'[kafka]\n{kafka}group_id = "{group}"\nreader = "{reader}"\n'
        f"{stage.broker.security_settings('consumer', topic, group, secured=secured)}"
        f'[s3]\nbucket = "{stage.store.bucket}"\nprefix = "{group}/"\nquarantine_prefix = "bad-{group}/"\n'
        f"[cut]\nseconds = {flush}\nbytes = {OBJECT_BYTES}\n"
    )


def start_connect(stage: Stage, topic: str, sink: Sink) -> Running:
    """Starts Kafka Connect's runtime, standalone, with a sink."""
    name = stage.name("connect")
    files = connect_settings(stage, name, topic, sink)
    home = stage.broker.home
    process = stage.measure(
        name,
        [str(home / "bin" / "connect-standalone.sh"), *map(str, files)],
        LOG_DIR=str(stage.folder / "connect-logs"),
        KAFKA_HEAP_OPTS=sink.heap,
        KAFKA_JVM_PERFORMANCE_OPTS="-server -XX:+UseSerialGC -XX:MaxInlineLevel=15 -Djava.awt.headless=true",
    )
    await_log(process, "Resetting offset for partition")
    return Running(process, f"connect-{name}", f"{name}/")


def connect(stage: Stage, topic: str, sink: Sink) -> Drain:
    """Drains the topic with it."""
    running = start_connect(stage, topic, sink)
    if sink is not FILE:
        return drained(stage, topic, running)
    tally = partial(_file, stage.folder / f"{running.prefix.rstrip('/')}.out")
    return drain(stage, running.process, topic, committed(stage, topic, running.group), tally)


def _file(path: Path) -> tuple[int, int]:
    """Counts lines and bytes in a file, which is gone afterwards."""
    with path.open("rb") as lines:
        count = sum(block.count(b"\n") for block in iter(partial(lines.read, 1 << 20), b""))
    size = path.stat().st_size
    path.unlink()
    return count, size


def tutorial(stage: Stage, topic: str, records: int) -> Drain:
    """The tutorials' consumer on a sample."""
    name = stage.name("tutorial")
    writes = stage.store.writes()
    arguments = [stage.broker.address, topic, str(records), stage.store.bucket, f"{name}/"]
    process = stage.measure(name, [sys.executable, "-m", "benchmarks.baselines.tutorial_consumer", *arguments])
    await_log(process, "reading")
    before = process.cpu_seconds()
    process.finish(300)
    spent = process.cpu_seconds() - before
    written = stage.store.writes() - writes
    keys = len(stage.store.keys(f"{name}/"))
    if keys != records:
        raise BenchmarkError(f"{name}: {records} records read, {keys} objects in S3")
    stage.store.clear(f"{name}/")
    return Drain(records / spent, process.peak_megabytes(), written / records * 1e6, 0.0)
