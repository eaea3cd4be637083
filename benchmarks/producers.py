"""Fills a topic in several ways and counts what each costs per record.

Counted is what happens after the first tenth of the records has reached the broker, so that no start of an interpreter
or a virtual machine is in it, until the process has ended, all records acknowledged.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measured import BenchmarkError, Measured
from benchmarks.stage import Stage
from kafka import TopicPartition

PARTITIONS = 8
UNBOUNDED = 10_000_000
"""A rate that no producer reaches, in records a second."""
_SAMPLE = 20_000


@dataclass(frozen=True)
class Fill:
    """What one run cost.

    Attributes:
        rate: records per CPU second.
        peak: the most memory, in MB.
        wire_bytes: compressed size per record.
    """

    rate: float
    peak: float
    wire_bytes: float


def fill(stage: Stage, process: Measured, topic: str, records: int, end: Callable[[], None]) -> Fill:
    """Waits until a process that has been started has filled the topic, and counts what that cost.

    Args:
        stage: where it runs.
        process: the process.
        topic: what it fills.
        records: how many records it is to hold at least.
        end: ends the process, or waits for its end.

    Raises:
        BenchmarkError: it ended too early, or was too slow.
    """
    process.until(lambda: stage.count(topic) >= records // 10, f"a tenth of {records} records", 300)
    before, already = process.cpu_seconds(), stage.count(topic)
    process.until(lambda: stage.count(topic) >= records or not process.running, f"{records} records", 600)
    end()
    total = stage.count(topic)
    if total < records:
        raise BenchmarkError(f"{total} of {records} records are in the topic:\n{process.log()[-3000:]}")
    spent = process.cpu_seconds() - before
    return Fill((total - already) / spent, process.peak_megabytes(), stage.broker.bytes_on_disk(topic) / total)


def produce(stage: Stage, topic: str, records: int, writer: str, *, secured: bool = False, settings: str = "") -> Fill:
    """The project's producer, simulating, as fast as it can, until the topic has at least `records`.

    Args:
        stage: where it runs.
        topic: what it fills.
        records: how many.
        writer: `batches` or `records`.
        secured: whether by TLS and SCRAM.
        settings: further tables of its settings file.
    """
    name = stage.name(f"producer-{writer}")
    own = producer_settings(stage, topic, UNBOUNDED, writer, secured=secured)
    process = stage.service("producer", name, own + settings)
    return fill(stage, process, topic, records, lambda: process.finish(60, signal.SIGTERM))


def producer_settings(stage: Stage, topic: str, rate: float, writer: str, *, secured: bool = False) -> str:
    """A settings file for the project's producer, which has its defaults but for the rate."""
    kafka = stage.broker.kafka_settings(topic, secured=secured)
    security = stage.broker.security_settings("producer", topic, "none", secured=secured)
    return f'rate = {rate}\n[kafka]\n{kafka}writer = "{writer}"\n{security}'


def sample(stage: Stage, topic: str) -> Path:
    """A file of quotes as the project's producer has made them, one a line, for producers that make none."""
    path = stage.folder / "quotes.jsonl"
    stage.reader.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
    stage.reader.seek_to_beginning()
    values: list[bytes] = []
    while len(values) < _SAMPLE:
        for records in stage.reader.poll(timeout_ms=1000, max_records=_SAMPLE // PARTITIONS).values():
            values += [record.value for record in records]
    stage.reader.unsubscribe()
    path.write_bytes(b"\n".join(values) + b"\n")
    return path


def send(stage: Stage, topic: str, records: int, quotes: Path) -> Fill:
    """kafka-python's `KafkaProducer.send()`, the quotes ready-made."""
    arguments = [stage.broker.address, topic, str(records), str(quotes)]
    process = stage.measure(stage.name("send"), [sys.executable, "-m", "benchmarks.baselines.send", *arguments])
    return fill(stage, process, topic, records, lambda: process.finish(120))


def perf_test(stage: Stage, topic: str, records: int, quotes: Path) -> Fill:
    """Kafka's own `kafka-producer-perf-test`, the quotes ready-made."""
    properties = (
        f"bootstrap.servers={stage.broker.address}",
        *("acks=all", "enable.idempotence=true", "compression.type=lz4"),
        *("batch.size=1000000", "linger.ms=20", "buffer.memory=134217728", "max.request.size=1048576"),
    )
    process = stage.measure(
        stage.name("perf-test"),
        [
            *(str(stage.broker.home / "bin" / "kafka-producer-perf-test.sh"), "--topic", topic),
            *("--num-records", str(records), "--payload-file", str(quotes), "--throughput", "-1"),
            *("--producer-props", *properties),
        ],
        KAFKA_JVM_PERFORMANCE_OPTS="-server -XX:+UseSerialGC -XX:MaxInlineLevel=15 -Djava.awt.headless=true",
    )
    return fill(stage, process, topic, records, lambda: process.finish(120))
