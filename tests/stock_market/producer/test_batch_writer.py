"""A batch of ours, through kafka-python's queue, is read as the one that its own encoder makes of the same records."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import OutOfOrderSequenceNumberError
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from stock_market.kafka.batch_builder import MAX_RECORDS, KeyValue, Records, join
from stock_market.producer.batch_writer import BatchFlight, enqueue

STATE = (7, 3, 40)


def through_queue(records: Records) -> bytes:
    """The bytes that kafka-python would send."""
    queue = RecordAccumulator(delivery_timeout_ms=60_000)
    place = TopicPartition("t", records.partition)
    batch = BatchFlight(records, lambda *_: None).batch(place)
    batch.records.set_producer_state(*STATE, False)
    enqueue(queue, batch)
    cluster = SimpleNamespace(leader_for_partition=lambda _: 1, partitions_for_broker=lambda _: {place})
    ready, _, _ = queue.ready(cluster)
    (drained,) = queue.drain(cluster, ready, 1 << 20)[1]
    return bytes(drained.records.buffer())


def encoded(records: Records) -> bytes:
    """The bytes that kafka-python's own encoder makes."""
    builder = MemoryRecordsBuilder(2, 3, 1 << 30)
    for key, value in records.split():
        builder.append(0, key, value, [])
    builder.set_producer_state(*STATE, False)
    builder.close()
    return bytes(builder.buffer())


def decoded(data: bytes) -> list[tuple[object, ...]]:
    """What kafka-python reads in one batch."""
    reader = MemoryRecords(data)
    batch = reader.next_batch()
    assert batch is not None
    assert batch.validate_crc()
    assert not reader.has_next()
    state = (batch.producer_id, batch.producer_epoch, batch.base_sequence, batch.is_transactional)
    return [(*state, each.offset, each.key, each.value, each.headers) for each in batch]


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 300, MAX_RECORDS])
@pytest.mark.parametrize("random", [True, False])
def test_a_batch_reads_as_kafka_pythons_own_does(count: int, random: bool) -> None:
    pairs: list[KeyValue] = [
        (b"k" * (number % 200), os.urandom(40) if random else b"v" * number) for number in range(count)
    ]
    records = join(4, pairs)
    assert records.split() == pairs
    assert decoded(through_queue(records)) == decoded(encoded(records))


def test_an_acknowledgement_is_noticed() -> None:
    flight = BatchFlight(join(0, [(b"k", b"v")] * 3), lambda *_: None)
    flight.batch(TopicPartition("t", 0)).complete(5, -1)
    assert flight.confirmed
    assert flight.next_offset == 8


def test_an_error_of_the_broker_keeps_the_rest_from_overtaking() -> None:
    halted: list[Exception] = []
    flight = BatchFlight(join(0, [(b"k", b"v")]), halted.append)
    batch = flight.batch(TopicPartition("t", 0))
    error = OutOfOrderSequenceNumberError()
    batch.complete_exceptionally(error, lambda _: error)
    assert halted == [error]
    assert flight.done
    assert not flight.confirmed
