"""A producer of the trial's own, on kafka-python's public API: what it was told is in Kafka has to reach S3."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from tests.chaos import poison
from tests.support.stock_market.services import quote

_Record = tuple[bytes | None, bytes | None]
_TICK_SECONDS = 0.05
_FOREVER_MS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A record of which the broker has said that it has it."""

    partition: int
    offset: int
    value: bytes | None


class Witness:
    """Sends quotes at a steady rate from a thread of its own, and poison when told to.

    Args:
        address: the broker.
        topic: the topic.
        partitions: how many it has.
        rate: quotes per second.
    """

    def __init__(self, address: str, topic: str, partitions: int, rate: float) -> None:
        self._address = address
        self._topic = topic
        self._partitions = partitions
        self._rate = rate
        self._waiting: deque[tuple[Any, bytes | None]] = deque()
        self._poison: deque[_Record] = deque()
        self._sent = 0
        self._tags = 0
        self._dispatched = 0
        self._over = threading.Event()
        self.acknowledged: list[Acknowledged] = []
        self.poison: set[tuple[bytes | None, bytes | None]] = set()
        self.failures: list[str] = []
        self.producer_ids: list[str] = []
        self._producer = self._make_producer()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _make_producer(self) -> KafkaProducer:
        self.producer_ids.append(f"witness-{uuid.uuid4().hex[:12]}")
        self._sequence = 0
        return KafkaProducer(
            bootstrap_servers=self._address,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            delivery_timeout_ms=_FOREVER_MS,
            max_block_ms=60_000,
            reconnect_backoff_max_ms=1000,
        )

    def send_poison(self, kind: str, count: int) -> None:
        """Sends so many records of a kind of poison."""
        for _ in range(count):
            self._tags += 1
            record = poison.record(kind, f"{self.producer_ids[0]}-{self._tags}")
            self.poison.add(record)
            self._poison.append(record)

    def _serve(self) -> None:
        origin, due = time.monotonic(), 0.0
        while not self._over.wait(_TICK_SECONDS):
            due = (time.monotonic() - origin) * self._rate
            try:
                self._send(due)
                self._settle()
            except KafkaError as error:
                # What becomes of records in flight is not known; the next ones come under another name.
                self.failures.append(f"{type(error).__name__}: {error}")
                self._producer._sender.force_close()
                self._waiting.clear()
                self._producer = self._make_producer()

    def _send(self, due: float) -> None:
        while self._poison:
            self._dispatch(self._poison[0])
            self._poison.popleft()
        while self._sent < due and len(self._waiting) < 5000:
            self._dispatch(quote(self._sequence, producer_id=self.producer_ids[-1]))
            self._sequence += 1
            self._sent += 1
        self._sent = max(self._sent, int(due - self._rate))

    def _dispatch(self, record: _Record) -> None:
        key, value = record
        where = self._dispatched % self._partitions
        self._waiting.append((self._producer.send(self._topic, value, key, partition=where), value))
        self._dispatched += 1

    def _settle(self) -> None:
        while self._waiting and self._waiting[0][0].is_done:
            future, value = self._waiting.popleft()
            if future.failed():
                raise future.exception
            self.acknowledged.append(Acknowledged(future.value.partition, future.value.offset, value))

    def finish(self, seconds: float) -> bool:
        """Sends no more, and waits for what is on its way; tells whether all of it was acknowledged."""
        self._over.set()
        self._thread.join(seconds)
        deadline = time.monotonic() + seconds
        try:
            while self._poison or self._waiting:
                if time.monotonic() > deadline:
                    return False
                self._send(0)
                self._settle()
                time.sleep(_TICK_SECONDS)
        except KafkaError as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            return False
        return True

    def close(self) -> None:
        """Ends it at once."""
        self._over.set()
        self._thread.join(10)
        try:
            self._producer.close(timeout=0)
        except KafkaError:
            self._producer._sender.force_close()
