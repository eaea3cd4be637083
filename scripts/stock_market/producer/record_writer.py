"""Hands records to kafka-python one by one, through its public interface: slow, and always right."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from stock_market.kafka.batch_builder import Records
from stock_market.producer.in_flight import Flight

_RECORD_BYTES = 1500
"""What kafka-python holds for a record in flight beside its bytes: futures, their callbacks, and the result."""


class RecordFlight(Flight):
    """Records on their way, each with a future of its own."""

    def __init__(self, records: Records) -> None:
        size = 2 * len(records.body) + _RECORD_BYTES * records.count
        super().__init__(records.partition, records.count, size, len(records.body))
        self._records = Records(records.partition, records.count, bytes(records.body))
        self.futures: deque[Any] = deque()

    @property
    def done(self) -> bool:
        """Whether each future is done, or one has failed."""
        if self.error is not None or self.acknowledged:
            return True
        futures = self.futures
        while futures and futures[0].is_done:
            future = futures.popleft()
            if future.failed():
                self.error = future.exception
                return True
            self.next_offset = future.value.offset + 1
        if futures:
            return False
        self.acknowledged = time.monotonic()
        return True

    def records(self) -> Records:
        """What is on its way."""
        return self._records


class RecordWriter:
    """Sends records with `KafkaProducer.send`."""

    def __init__(self, producer: KafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    def write(self, batches: list[Records]) -> list[Flight]:
        """Hands records over."""
        return [self._write(records) for records in batches]

    def _write(self, records: Records) -> Flight:
        flight = RecordFlight(records)
        send, topic, partition, futures = self._producer.send, self._topic, records.partition, flight.futures
        try:
            for key, value in records.split():
                futures.append(send(topic, value, key, partition=partition))
        except (KafkaError, ValueError) as error:  # ValueError: the topic or its partition is no longer there.
            flight.error = error if isinstance(error, KafkaError) else KafkaError(str(error))
        return flight
