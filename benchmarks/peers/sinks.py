"""What a user could run instead of the consumer, each draining a topic into S3 as JSON lines and gzip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks import connect, drains
from benchmarks.drains import Drain, Running, await_log, drain, drained, objects
from benchmarks.peers.environments import command, java_command
from benchmarks.stage import FLUSH_SECONDS, OBJECT_BYTES, Stage


@dataclass(frozen=True)
class Peer:
    """A program beside which the project's own is measured.

    Attributes:
        name: names it in the tables.
        what: what runs, and with which settings.
        guarantee: what it promises of each record.
        jvm: whether it is a Java virtual machine, so that its memory has a goal.
    """

    name: str
    what: str
    guarantee: str
    jvm: bool = False


CONSUMER = Peer(
    "consumer",
    "the project's, its defaults; each record validated",
    "exactly once, proven from S3 alone by `make verify`",
)


def start_confluent(library: str, stage: Stage, topic: str) -> Running:
    """Starts confluent-kafka in a plain loop, with zlib or with isal."""
    group = stage.name(f"confluent-{library}")
    program = command(
        "peers",
        "confluent_consumer",
        address=stage.broker.address,
        topic=topic,
        group=group,
        bucket=stage.store.bucket,
        prefix=f"{group}/",
        seconds=FLUSH_SECONDS,
        full=OBJECT_BYTES,
        library=library,
    )
    process = stage.measure(group, program, PYTHONPATH="")
    await_log(process, "reading")
    return Running(process, group, f"{group}/")


def confluent(library: str, stage: Stage, topic: str) -> Drain:
    """Drains the topic with it."""
    return drained(stage, topic, start_confluent(library, stage, topic))


def start_quix(stage: Stage, topic: str) -> Running:
    """Starts Quix Streams' sink for S3."""
    group = stage.name("quix")
    folder = group.replace("-", "_")
    program = command(
        "quix",
        "quix_consumer",
        address=stage.broker.address,
        topic=topic,
        group=group,
        bucket=stage.store.bucket,
        folder=folder,
        endpoint=stage.store.endpoint,
        seconds=FLUSH_SECONDS,
    )
    process = stage.measure(group, program, PYTHONPATH="")
    await_log(process, "is now processing incoming messages")
    return Running(process, group, f"{folder}/")


def quix(stage: Stage, topic: str) -> Drain:
    """Drains the topic with it."""
    return drained(stage, topic, start_quix(stage, topic))


def spark(stage: Stage, topic: str) -> Drain:
    """Spark Structured Streaming, which says when it begins and when it has stored all that the topic holds."""
    name = stage.name("spark")
    path, checkpoints = f"s3a://{stage.store.bucket}/{name}", f"file://{stage.folder}/{name}-checkpoints"
    arguments = (stage.broker.address, topic, path, checkpoints, stage.store.endpoint)
    process = stage.measure(name, java_command("spark", *arguments))
    await_log(process, "reading\n")
    return drain(stage, process, topic, lambda: "stored\n" in process.log(), partial(objects, stage, f"{name}/"))


def flink(stage: Stage, topic: str) -> Drain:
    """Flink's file sink, in a program that says when it begins and when the topic's last file is complete."""
    name = stage.name("flink")
    path, checkpoints = f"s3://{stage.store.bucket}/{name}", f"file://{stage.folder}/{name}-checkpoints"
    arguments = (stage.broker.address, topic, path, checkpoints, stage.store.endpoint, str(FLUSH_SECONDS))
    process = stage.measure(name, java_command("flink", *arguments))
    await_log(process, "reading\n")
    return drain(stage, process, topic, lambda: "stored\n" in process.log(), partial(objects, stage, f"{name}/"))


Run = Callable[[Stage, str], Drain]

SINKS: dict[Peer, Run] = {
    Peer(
        "confluent-kafka, zlib",
        "`consume(20000)`, lines, zlib level 1, one PUT for 64 MB or 10 s, then the commit; looks at no value",
        "at least once",
    ): partial(confluent, "zlib"),
    Peer(
        "confluent-kafka, isal",
        "the same with the consumer's own gzip, isal level 2",
        "at least once",
    ): partial(confluent, "isal"),
    Peer(
        "Quix Streams, S3FileSink",
        "`JSONFormat(compress=True, dumps=orjson.dumps)`, a checkpoint each 10 s; parses each value",
        "at least once",
    ): quix,
    Peer(
        "Spark Structured Streaming",
        "`local[1]`, `availableNow`, text, gzip at zlib's BEST_SPEED, s3a, checkpoints on disk; looks at no value",
        "exactly once, for readers that follow `_spark_metadata`",
        jvm=True,
    ): spark,
    Peer(
        "Flink, file sink",
        "parallelism 1, a checkpoint each 10 s, gzip at zlib's fastest level, flink-s3-fs-hadoop, checkpoints on disk; "
        "looks at no value",
        "exactly once: a file is there as soon as the checkpoint with its records is",
        jvm=True,
    ): flink,
    Peer(
        "Kafka Connect",
        "its runtime with benchmarks/connect_sink, gzip level 1; looks at no value",
        "at least once, and the same names after a repetition",
        jvm=True,
    ): lambda stage, topic: drains.connect(stage, topic, connect.S3_LINES),
}
"""The peers in the order in which each round runs them."""
