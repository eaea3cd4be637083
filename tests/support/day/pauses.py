"""Measures the longest pause between acknowledged writes, as a program outside sees it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, TopicAlreadyExistsError

from stock_market.kafka import connections
from stock_market.kafka.client import PATIENCE
from stock_market.producer.batch_writer import abort

TOPIC = "pauses"
PARTITIONS = 3
# Between two writes to a partition.
STEP_SECONDS = 0.05


def _producer(client: dict[str, Any]) -> KafkaProducer:
    # As patient as the stock producer, but quicker to try again: the pause is to be the cluster's.
    pauses = PATIENCE | {"retry_backoff_ms": 50, "reconnect_backoff_ms": 50, "reconnect_backoff_max_ms": 200}
    # Without sequences: after an error that wants a new epoch kafka-python 3.0.12 was seen to send nothing any more.
    return KafkaProducer(**client, **pauses, acks="all", enable_idempotence=False, linger_ms=0)


class Pauses:
    """Writes a record to each partition of a topic of its own 20 times a second with acks=all.

    A pause is the time between two acknowledgements of a partition, less the step between two writes.
    """

    def __init__(self, client: dict[str, Any]) -> None:
        connections.mend()
        with KafkaAdminClient(**client) as admin, suppress(TopicAlreadyExistsError):
            admin.create_topics({TOPIC: {"num_partitions": PARTITIONS, "replication_factor": 3}})
            admin.wait_for_topics([TOPIC])
        self._producer = _producer(client)
        self._acknowledged = [time.monotonic()] * PARTITIONS
        self._longest = [0.0] * PARTITIONS
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _note(self, partition: int) -> None:
        with self._lock:
            now = time.monotonic()
            self._longest[partition] = max(self._longest[partition], now - self._acknowledged[partition])
            self._acknowledged[partition] = now

    def _write(self) -> None:
        while not self._end.wait(STEP_SECONDS):
            for partition in range(PARTITIONS):
                with suppress(KafkaError):
                    future = self._producer.send(TOPIC, b"?", partition=partition)
                    future.add_callback(lambda _, partition=partition: self._note(partition))

    def longest(self) -> float:
        """The longest pause in seconds since the last call, also one that goes on."""
        with self._lock:
            now = time.monotonic()
            found = max(
                max(longest, now - last) for longest, last in zip(self._longest, self._acknowledged, strict=True)
            )
            self._longest = [0.0] * PARTITIONS
        return max(found - STEP_SECONDS, 0.0)

    def log_in(self, client: dict[str, Any]) -> None:
        """Goes on with other credentials, as the old ones open nothing any more."""
        before, self._producer = self._producer, _producer(client)
        abort(before)

    def close(self) -> None:
        """Ends the writing."""
        self._end.set()
        self._thread.join(10)
        with suppress(KafkaError):
            self._producer.close(timeout=10)
