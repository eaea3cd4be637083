"""From a quote's making to its place in the broker's log, at a steady rate.

Each record tells both moments itself: `event_time`, which the simulation sets when it makes the quote, and the topic's
LogAppendTime, which the broker sets when it appends the batch, both in milliseconds of one machine's clock. With
acks=all and one replica, appended is as durable as Kafka makes it.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from datetime import datetime

from benchmarks.measured import BenchmarkError
from benchmarks.producers import PARTITIONS, producer_settings
from benchmarks.stage import Stage
from kafka import TopicPartition

RATE = 10_000
_SECONDS = 10


@dataclass(frozen=True)
class Latency:
    """In milliseconds."""

    p50: float
    p99: float
    most: float


def produce_latency(stage: Stage, topic: str) -> Latency:
    """Runs the producer for ten seconds; the first second, in which it connects, does not count."""
    process = stage.service("producer", stage.name("latency"), producer_settings(stage, topic, RATE, "batches"))
    process.until(lambda: stage.count(topic) >= RATE * (_SECONDS + 1), "the records", 60 + _SECONDS)
    process.finish(60, signal.SIGTERM)
    total = stage.count(topic)
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    stage.reader.assign(places)
    stage.reader.seek_to_beginning()
    delays: list[float] = []
    seen = 0
    while seen < total:
        polled = stage.reader.poll(timeout_ms=5000, max_records=20_000)
        if not polled:
            raise BenchmarkError(f"{seen} of {total} records could be read back")
        for records in polled.values():
            seen += len(records)
            for record in records:
                quote = json.loads(record.value)
                if quote["sequence"] >= RATE:
                    made = datetime.fromisoformat(quote["event_time"]).timestamp()
                    delays.append(record.timestamp - made * 1000)
    stage.reader.unsubscribe()
    delays.sort()
    return Latency(delays[len(delays) // 2], delays[len(delays) * 99 // 100], delays[-1])
