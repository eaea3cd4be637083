"""A large backlog over many partitions: what the consumer costs that drains it, and the verifier over its objects."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass

from benchmarks.drains import consumer_settings
from benchmarks.measured import BenchmarkError, Measured
from benchmarks.stage import Stage


@dataclass(frozen=True)
class Backlog:
    """What the two runs cost.

    Attributes:
        consumer_peak: the consumer's most memory, in MB.
        writes: write requests that S3 counted, per million records.
        verified: records per CPU second of the verifier.
        verifier_peak: the most memory of the verifier's processes together, in MB.
    """

    consumer_peak: float
    writes: float
    verified: float
    verifier_peak: float


def backlog(stage: Stage, topic: str, cut: str = "") -> Backlog:
    """Drains the topic with the project's consumer, then lets the verifier read every object.

    Args:
        stage: where both run.
        topic: what is drained.
        cut: further lines of the consumer's table [cut].

    Raises:
        BenchmarkError: the verifier finds a violation, or another number of records than the topic has.
    """
    total = stage.count(topic)
    group = stage.name("backlog")
    writes = stage.store.writes()
    consumer = stage.service("consumer", group, consumer_settings(stage, topic, group, "batches") + cut)
    consumer.until(lambda: stage.broker.committed(group) >= total, "the topic's end to be committed", 600, 0.25)
    written = stage.store.writes() - writes
    consumer.finish(60, signal.SIGTERM)
    verifier = verify(stage, group, total)
    stage.store.clear(f"{group}/")
    return Backlog(
        consumer_peak=consumer.peak_megabytes(),
        writes=written / total * 1e6,
        verified=total / verifier.cpu_seconds(),
        verifier_peak=verifier.peak_megabytes(),
    )


def verify(stage: Stage, group: str, total: int) -> Measured:
    """Runs the verifier over a consumer's objects, whose prefix is its group; returns the process, which has ended.

    Raises:
        BenchmarkError: it finds a violation, or another number of records than `total`.
    """
    place = ("--bucket", stage.store.bucket, "--prefix", f"{group}/", "--quarantine-prefix", f"bad-{group}/")
    verifier = stage.measure(
        stage.name("verifier"),
        [sys.executable, "-m", "stock_market_ops.verify", *place, "--at-rest", "--jobs", "1", "--format", "json"],
    )
    verifier.finish(600)
    found = sum(partition["records"] for partition in json.loads(verifier.log())["partitions"])
    if found != total:
        raise BenchmarkError(f"{total} records in the topic, the verifier finds {found}")
    return verifier
