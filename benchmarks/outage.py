"""S3 away for ten minutes before a large backlog: what the consumer holds, and whether all is there afterwards."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from itertools import cycle

from benchmarks.drains import consumer_settings
from benchmarks.measured import Measured
from benchmarks.stage import Stage
from benchmarks.verifier import verify
from tests.support.stock_market.faulty_s3 import Fault, FaultyS3

_FAULTS: tuple[Fault, ...] = ("slow_down", "hang", "drop")
_EACH_SECONDS = 60.0
"""How long S3 answers 503, hangs, or closes connections, in turn."""


@dataclass(frozen=True)
class Outage:
    """What the consumer went through.

    Attributes:
        peak: its most memory, in MB, until everything was stored.
        refused: requests that S3 did not serve.
        recovery: seconds from S3's return until the topic's end was committed.
    """

    peak: float
    refused: int
    recovery: float


def outage(stage: Stage, topic: str, seconds: float) -> Outage:
    """Takes S3 away once every partition is being read, gives it back, and has the verifier read every object.

    Raises:
        BenchmarkError: the consumer ended, or a record is missing or doubled.
    """
    total, partitions = stage.count(topic), len(stage.reader.partitions_for_topic(topic))
    group = stage.name("outage")
    gateway = FaultyS3(stage.store.endpoint)
    settings = consumer_settings(stage, topic, group, "batches")
    consumer = stage.service("consumer", group, settings, AWS_ENDPOINT_URL=gateway.endpoint)
    started = "event=partition_started"
    consumer.until(lambda: consumer.log().count(started) >= partitions, "all partitions to be read", 120)
    _be_away(gateway, consumer, seconds)
    back = time.monotonic()
    consumer.until(lambda: stage.broker.committed(group) >= total, "the topic's end to be committed", 600, 0.25)
    recovery = time.monotonic() - back
    consumer.finish(60, signal.SIGTERM)
    verify(stage, group, total)
    stage.store.clear(f"{group}/")
    return Outage(consumer.peak_megabytes(), len(gateway.met), recovery)


def _be_away(gateway: FaultyS3, consumer: Measured, seconds: float) -> None:
    end = time.monotonic() + seconds
    for fault in cycle(_FAULTS):
        left = end - time.monotonic()
        if left <= 0:
            break
        until = time.monotonic() + min(left, _EACH_SECONDS)
        with gateway.outage(fault):
            consumer.until(lambda until=until: time.monotonic() > until, "S3's return", 2 * _EACH_SECONDS, 1.0)  # type: ignore[misc]  # mypy infers no lambda with a default
    gateway.recover()
