"""`make bench PART=peers`: consumer and producer beside what people would install instead, round by round in turn."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks import drains, producers
from benchmarks.drains import Drain
from benchmarks.figures import Figure
from benchmarks.peers import verdicts
from benchmarks.peers.fills import FILLS, PRODUCER
from benchmarks.peers.limit import limit
from benchmarks.peers.sinks import CONSUMER, SINKS, Peer
from benchmarks.peers.turns import Turns
from benchmarks.producers import PARTITIONS, Fill
from benchmarks.stage import ROUNDS, TOPIC_RECORDS, Stage, say


def figures(scale: float) -> tuple[list[Figure], str]:
    """Measures producers, consumers and the consumer's limit.

    Args:
        scale: of the counts of records.

    Returns:
        the figures, and the table of what each program guarantees with the peers that could not be measured.

    Raises:
        BenchmarkError: the project's own producer or consumer lost or doubled a record, or did not end.
    """
    records = round(TOPIC_RECORDS * scale)
    reasons: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="stock-market-bench-") as folder, Stage(Path(folder)) as stage:
        found, topic = _produce(stage, records, reasons)
        found += _consume(stage, topic, reasons)
    table = verdicts.promises([CONSUMER, *SINKS, PRODUCER, *FILLS])
    return found, "\n\n".join(filter(None, (table, verdicts.absences(reasons))))


def _produce(stage: Stage, records: int, reasons: dict[str, str]) -> tuple[list[Figure], str]:
    """The producers; returns the topic that the last one of the project's has filled."""
    ours: list[Fill] = []
    peers = Turns[Fill](FILLS, reasons)
    topic = ""
    for _ in range(ROUNDS):
        topic = stage.topic(PARTITIONS)
        ours.append(producers.produce(stage, topic, records, "batches"))
        say("producer", ours[-1])
        quotes = producers.sample(stage, topic)
        peers.take(partial(_fill, stage, records, quotes))
    return verdicts.producer_figures(ours, peers), topic


def _fill(stage: Stage, records: int, quotes: Path, peer: Peer) -> Fill:
    return FILLS[peer](stage, stage.topic(PARTITIONS), records, quotes)


def _consume(stage: Stage, topic: str, reasons: dict[str, str]) -> list[Figure]:
    ours: list[Drain] = []
    limits = []
    peers = Turns[Drain](SINKS, reasons)
    for _ in range(ROUNDS):
        ours.append(drains.consume(stage, topic, "batches"))
        say("consumer", ours[-1])
        limits.append(limit(stage, topic))
        say("limit", limits[-1])
        peers.take(lambda peer: SINKS[peer](stage, topic))
    return verdicts.consumer_figures(ours, peers, limits)
