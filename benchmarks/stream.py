"""The stream's benchmark: what producer, consumer and verifier cost, beside what others cost for the same.

Runs that are compared take turns, round by round, on the same topics, so that a neighbour's load meets all of them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import connect, drains, producers
from benchmarks.drains import Drain
from benchmarks.figures import Figure, ratios
from benchmarks.latency import RATE, produce_latency
from benchmarks.outage import outage
from benchmarks.producers import PARTITIONS, Fill
from benchmarks.stage import ROUNDS, TOPIC_RECORDS, Stage, say
from benchmarks.verifier import backlog

_SENT_RECORDS = 400_000
"""For `KafkaProducer.send()`, which takes ten times as long for each."""
_TUTORIAL_RECORDS = 3000
_BACKLOG_RECORDS = 10_000_000
_BACKLOG_PARTITIONS = 64
_OUTAGE_SECONDS = 600.0
_PER_SECOND = "records/s per core"
_SECURED = 2 / 3
"""Security costs less than a third of what producer and consumer do without."""


def figures(scale: float) -> list[Figure]:
    """Measures everything.

    Args:
        scale: of the counts of records.

    Raises:
        BenchmarkError: a run lost or doubled a record, or did not end.
    """
    with tempfile.TemporaryDirectory(prefix="stock-market-bench-") as folder, Stage(Path(folder)) as stage:
        found, topic = _produce(stage, round(TOPIC_RECORDS * scale), round(_SENT_RECORDS * scale))
        found += _latency(stage)
        found += _consume(stage, topic, round(_TUTORIAL_RECORDS * scale))
        found += _backlog(stage, round(_BACKLOG_RECORDS * scale))
    return found


def _produce(stage: Stage, records: int, sent: int) -> tuple[list[Figure], str]:
    """The producers; returns the topic that the last one of the project's has filled."""
    ours: list[Fill] = []
    secured: list[Fill] = []
    public: list[Fill] = []
    plain: list[Fill] = []
    java: list[Fill] = []
    topic = ""
    for _ in range(ROUNDS):
        topic = stage.topic(PARTITIONS)
        ours.append(producers.produce(stage, topic, records, "batches"))
        say("producer", ours[-1])
        quotes = producers.sample(stage, topic)
        other = stage.topic(PARTITIONS)
        secured.append(producers.produce(stage, other, records, "batches", secured=True))
        say("producer, secured", secured[-1])
        other = stage.topic(PARTITIONS)
        public.append(producers.produce(stage, other, sent, "records"))
        say("producer, public path", public[-1])
        other = stage.topic(PARTITIONS)
        plain.append(producers.send(stage, other, sent, quotes))
        say("KafkaProducer.send()", plain[-1])
        other = stage.topic(PARTITIONS)
        java.append(producers.perf_test(stage, other, records, quotes))
        say("kafka-producer-perf-test", java[-1])
    rate = [fill.rate for fill in ours]
    sends = [fill.rate for fill in plain]
    perf = [fill.rate for fill in java]
    by_tls = [fill.rate for fill in secured]
    return [
        Figure("producer: simulation, JSON, lz4, idempotent", tuple(rate), _PER_SECOND, 800_000, True),
        Figure("producer over KafkaProducer.send(), which simulates nothing", ratios(rate, sends), "times", 10, True),
        Figure("producer over kafka-producer-perf-test, which simulates nothing", ratios(rate, perf), "times", 1, True),
        Figure("producer over SASL_SSL", tuple(by_tls), _PER_SECOND),
        Figure("producer over SASL_SSL, of what it does over PLAINTEXT", ratios(by_tls, rate), "times", _SECURED, True),
        Figure("producer over SASL_SSL: memory", tuple(fill.peak for fill in secured), "MB", 256),
        Figure("producer: memory", tuple(fill.peak for fill in ours), "MB", 256),
        Figure("producer: size on the wire", tuple(fill.wire_bytes for fill in ours), "bytes/record"),
        Figure("producer, writer = records", tuple(fill.rate for fill in public), _PER_SECOND),
        Figure("KafkaProducer.send()", tuple(sends), _PER_SECOND),
        Figure("kafka-producer-perf-test", tuple(perf), _PER_SECOND),
        Figure("kafka-producer-perf-test: memory", tuple(fill.peak for fill in java), "MB"),
    ], topic


def _latency(stage: Stage) -> list[Figure]:
    runs = []
    for _ in range(ROUNDS):
        topic = stage.topic(PARTITIONS)
        runs.append(produce_latency(stage, topic))
        say("latency", runs[-1])
    what = f"produce to durable at {RATE:,}/s"
    return [
        Figure(f"{what}: p50", tuple(run.p50 for run in runs), "ms"),
        Figure(f"{what}: p99", tuple(run.p99 for run in runs), "ms", 20),
        Figure(f"{what}: max", tuple(run.most for run in runs), "ms"),
    ]


def _consume(stage: Stage, topic: str, tutorial_records: int) -> list[Figure]:
    ours: list[Drain] = []
    secured: list[Drain] = []
    public: list[Drain] = []
    sink: list[Drain] = []
    for _ in range(ROUNDS):
        ours.append(drains.consume(stage, topic, "batches"))
        say("consumer", ours[-1])
        secured.append(drains.consume(stage, topic, "batches", secured=True))
        say("consumer, secured", secured[-1])
        sink.append(drains.connect(stage, topic, connect.S3_LINES))
        say("Connect, S3", sink[-1])
        public.append(drains.consume(stage, topic, "records"))
        say("consumer, public path", public[-1])
    file = drains.connect(stage, topic, connect.FILE)
    say("Connect, file", file)
    tutorial = drains.tutorial(stage, topic, tutorial_records)
    say("tutorials' consumer", tutorial)
    rate = [drain.rate for drain in ours]
    by_tls = [drain.rate for drain in secured]
    by_records = [drain.rate for drain in public]
    by_connect = [drain.rate for drain in sink]
    peaks = [drain.peak for drain in ours], [drain.peak for drain in sink]
    return [
        Figure("consumer: topic to gzip objects in S3", tuple(rate), _PER_SECOND, 500_000, True),
        Figure("consumer over the same on public records", ratios(rate, by_records), "times", 4, True),
        Figure("consumer over Kafka Connect with an S3 sink", ratios(rate, by_connect), "times", 2, True),
        Figure("consumer over the tutorials' consumer", tuple(each / tutorial.rate for each in rate), "times"),
        Figure("consumer over SASL_SSL", tuple(by_tls), _PER_SECOND),
        Figure("consumer over SASL_SSL, of what it does over PLAINTEXT", ratios(by_tls, rate), "times", _SECURED, True),
        Figure("consumer over SASL_SSL: memory", tuple(drain.peak for drain in secured), "MB", 256),
        Figure("consumer: memory", tuple(peaks[0]), "MB", 256),
        Figure("consumer: memory over Kafka Connect's", ratios(*peaks), "times", 0.2),
        Figure("consumer: S3 writes", tuple(drain.writes for drain in ours), "per million records", 20),
        Figure("consumer: size in S3", tuple(drain.object_bytes for drain in ours), "bytes/record"),
        Figure("consumer, reader = records", tuple(by_records), _PER_SECOND),
        Figure("Kafka Connect, S3 sink", tuple(by_connect), _PER_SECOND),
        Figure("Kafka Connect, S3 sink: memory", tuple(peaks[1]), "MB"),
        Figure("Kafka Connect, S3 sink: size in S3", tuple(drain.object_bytes for drain in sink), "bytes/record"),
        Figure("Kafka Connect, its file sink, no gzip, no S3", (file.rate,), _PER_SECOND),
        Figure("the tutorials' consumer", (tutorial.rate,), _PER_SECOND),
        Figure("the tutorials' consumer: S3 writes", (tutorial.writes,), "per million records"),
    ]


def _backlog(stage: Stage, records: int) -> list[Figure]:
    topic = stage.topic(_BACKLOG_PARTITIONS)
    say("backlog, producer", producers.produce(stage, topic, records, "batches"))
    run = backlog(stage, topic)
    say("backlog", run)
    where = f"{records / 1e6:.3g} M records, {_BACKLOG_PARTITIONS} partitions"
    return [
        Figure(f"consumer: memory, {where}", (run.consumer_peak,), "MB", 256),
        Figure(f"consumer: S3 writes, {where}", (run.writes,), "per million records", 20),
        Figure(f"verifier, {where}", (run.verified,), _PER_SECOND),
        Figure(f"verifier: memory, {where}", (run.verifier_peak,), "MB", 256),
    ]


def outage_figures(scale: float) -> list[Figure]:
    """The consumer's memory while S3 is away for ten minutes before a large backlog.

    Args:
        scale: of the count of records and of the minutes.

    Raises:
        BenchmarkError: a record is missing or doubled, or the consumer ended.
    """
    with tempfile.TemporaryDirectory(prefix="stock-market-bench-") as folder, Stage(Path(folder)) as stage:
        topic = stage.topic(_BACKLOG_PARTITIONS)
        say("producer", producers.produce(stage, topic, round(_BACKLOG_RECORDS * scale), "batches"))
        run = outage(stage, topic, _OUTAGE_SECONDS * scale)
        say("outage", run)
    where = f"{_BACKLOG_RECORDS * scale / 1e6:.3g} M records, {_BACKLOG_PARTITIONS} partitions"
    return [
        Figure(f"consumer: memory, S3 away for {_OUTAGE_SECONDS * scale:.0f} s, {where}", (run.peak,), "MB", 256),
        Figure("requests that S3 did not serve meanwhile", (run.refused,), "requests"),
        Figure("from S3's return until all is stored", (run.recovery,), "s"),
    ]
