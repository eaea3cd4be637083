"""What a user could run instead of the producer; each sends ready-made values, so that it simulates nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.peers.environments import command
from benchmarks.peers.sinks import Peer
from benchmarks.producers import Fill, fill, perf_test
from benchmarks.stage import Stage

PRODUCER = Peer(
    "producer",
    'the project\'s, `mode = "simulate"`: market, JSON, lz4, idempotence, acks=all',
    "no record twice and none out of order within a run (idempotence)",
)


def confluent(way: str, stage: Stage, topic: str, records: int, quotes: Path) -> Fill:
    """confluent-kafka, by `produce_batch` or by `produce`."""
    return _run("peers", "confluent_producer", stage, topic, records, quotes=str(quotes), way=way)


def quix(stage: Stage, topic: str, records: int, quotes: Path) -> Fill:
    """Quix Streams' producer."""
    return _run("quix", "quix_producer", stage, topic, records, quotes=str(quotes))


def _run(environment: str, program: str, stage: Stage, topic: str, records: int, **more: str) -> Fill:
    line = command(environment, program, address=stage.broker.address, topic=topic, records=records, **more)
    process = stage.measure(stage.name(program), line, PYTHONPATH="")
    return fill(stage, process, topic, records, lambda: process.finish(120))


Run = Callable[[Stage, str, int, Path], Fill]

_SETTINGS = "lz4, idempotence, acks=all, `batch.size` 1 MB, `linger.ms` 20"
_GUARANTEE = "as the producer's"

FILLS: dict[Peer, Run] = {
    Peer(
        "confluent-kafka, produce_batch()", f"10,000 records a call, keyed by symbol; {_SETTINGS}", _GUARANTEE
    ): partial(confluent, "batch"),
    Peer("confluent-kafka, produce()", f"one record a call, keyed by symbol; {_SETTINGS}", _GUARANTEE): partial(
        confluent, "single"
    ),
    Peer("Quix Streams' producer", f"one record a call, keyed by symbol; {_SETTINGS}", _GUARANTEE): quix,
    Peer("kafka-producer-perf-test", f"Kafka's own tool (Java), no keys; {_SETTINGS}", _GUARANTEE, jvm=True): perf_test,
}
"""The peers in the order in which each round runs them."""
