"""Hands whole batches to kafka-python, beneath its public interface; everything that goes there stands here.

KafkaProducer has a queue of batches for each partition (its accumulator), from which its network thread sends, repeats
and numbers them for the idempotent producer. A batch of ours takes the place of one that KafkaProducer.send would have
filled record by record; from there on kafka-python does the same with both. With another kafka-python than the one
that `compared` names, `record_writer` is used instead: that costs speed and never a record.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.producer.producer_batch import ProducerBatch

from stock_market.kafka.batch_builder import Payload, Records
from stock_market.producer.in_flight import Flight

_BATCH_BYTES = 2000
"""What a batch in flight holds beside its records."""


class PrebuiltRecords:
    """Takes the place of kafka-python's MemoryRecordsBuilder in a batch: full from the start."""

    def __init__(self, payload: Payload) -> None:
        self._payload = payload
        self._buffer = bytearray()
        self.producer_id = self.producer_epoch = self.base_sequence = -1

    def append(self, *_record: object) -> None:
        """There is no room for a further record."""

    def is_full(self) -> bool:
        """Ready to be sent."""
        return True

    def next_offset(self) -> int:
        """How many records there are."""
        return self._payload.count

    def size_in_bytes(self) -> int:
        """The batch's length."""
        return len(self._buffer) or len(self._payload.data) + 61

    def set_producer_state(
        self, producer_id: int, producer_epoch: int, base_sequence: int, _transactional: bool
    ) -> None:
        """The idempotent producer's numbers, set once, just before the first time that the batch is sent."""
        self.producer_id, self.producer_epoch, self.base_sequence = producer_id, producer_epoch, base_sequence

    def close(self) -> None:
        """Puts the batch together; a repetition sends the same bytes."""
        if not self._buffer:
            self._buffer = self._payload.seal(self.producer_id, self.producer_epoch, self.base_sequence)

    def buffer(self) -> bytearray:
        """The batch."""
        return self._buffer


class BatchFlight(Flight):
    """A batch on its way; its outcome comes from kafka-python's network thread."""

    def __init__(self, records: Records, failed: Callable[[Exception], None]) -> None:
        self._payload = Payload.of(records)
        super().__init__(records.partition, records.count, len(self._payload.data) + _BATCH_BYTES, len(records.body))
        self._failed = failed
        self._done = False
        self._open: dict[Any, int] = {}
        self._missing = records.count

    def batch(self, place: TopicPartition) -> ProducerBatch:
        """The batch as kafka-python wants it."""
        batch = ProducerBatch(place, PrebuiltRecords(self._payload))
        batch._record_futures = [self] * self.count
        self._open[batch.produce_future] = self.count
        batch.produce_future.add_callback(self._outcome, batch.produce_future)
        return batch

    def rebind(self, future: Any, index: int) -> None:
        """kafka-python has split the batch, which the broker finds too large: called for each record, with the future
        of the part that it is in now, and its place there."""
        if index == 0:
            self._open[future] = 0
            future.add_callback(self._outcome, future)
        self._open[future] += 1

    def _outcome(self, future: Any, result: tuple[int | None, int | None, Any]) -> None:
        offset, _, error_of = result
        count = self._open.pop(future)
        if error_of is None:
            self._missing -= count
            self.next_offset = max(self.next_offset, (offset or 0) + count)
            if not self._missing:
                self.acknowledged = time.monotonic()
                self._done = True
            return
        error = error_of(0)
        self.fail(error)
        if offset is None:
            self._failed(error)
        # Else kafka-python is giving everything up at once (ProducerBatch.abort), and must not find that done by us.

    def fail(self, error: Exception) -> None:
        """It has been given up."""
        self.error = error
        self._done = True

    @property
    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._done

    def records(self) -> Records:
        """What is on its way."""
        return self._payload.records()


class BatchWriter:
    """Puts batches into a producer's queues.

    Once a batch has been given up, nothing that has not been sent yet is sent any more, so that nothing overtakes it.
    """

    def __init__(self, producer: KafkaProducer, topic: str) -> None:
        self._accumulator = producer._accumulator
        self._sender = producer._sender
        self._topic = topic
        self._gate = threading.Lock()
        self._halted: Exception | None = None

    def write(self, batches: list[Records]) -> list[Flight]:
        """Hands batches over, and wakes the network thread."""
        flights: list[Flight] = [self._write(records) for records in batches]
        self._sender.wakeup()
        return flights

    def _write(self, records: Records) -> Flight:
        flight = BatchFlight(records, self._halt)
        with self._gate:
            if self._halted is None:
                enqueue(self._accumulator, flight.batch(TopicPartition(self._topic, records.partition)))
            else:
                flight.fail(self._halted)
        return flight

    def _halt(self, error: Exception) -> None:
        with self._gate:
            halted, self._halted = self._halted, error
        if halted is None:
            self._accumulator.abort_undrained_batches(error)


def enqueue(accumulator: Any, batch: ProducerBatch) -> None:
    """Put a batch into the queue of its partition."""
    place = batch.topic_partition
    with accumulator._tp_lock(place):
        accumulator._batches[place].append(batch)
        accumulator._incomplete.add(batch)


def abort(producer: KafkaProducer) -> None:
    """Ends a producer at once, so that it sends nothing more; `KafkaProducer.close` alone waits, or gives up."""
    producer._sender.force_close()
    producer._sender.join(10)
    try:
        producer.close(timeout=0)
    except KafkaError:
        return
