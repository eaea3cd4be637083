"""Beneath kafka-python's public API: `KafkaConsumer.poll` hands out blocks instead of single records.

All that kafka-python does with a fetch stays: sessions, positions, errors, leaders, pauses. Only its class that takes a
partition's fetched bytes to pieces, `Fetcher.PartitionRecords`, is replaced by one that reads whole batches. With
another kafka-python than the one that `compared` names, the public way is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords
from kafka.record.util import calc_crc32c

from stock_market.kafka import batch_reader, compared, unreadable
from stock_market.kafka.batch_reader import Batch, BrokenBatchError
from stock_market.kafka.record_block import RecordBlock
from stock_market.kafka.unpacking import DEFAULT_LIMIT, UnpackError, require_countable, unpack

GROUP_RECORDS = 2000
"""Batches are decoded together until they hold this number of records: enough to spread the cost of a step in numpy,
few enough to stay in the processor's cache."""

GROUP_BYTES = 8 << 20
"""Batches that are taken to pieces together hold at most this many bytes before the last of them is unpacked."""


class _Group:
    """Batches that become one block."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._plain: list[bytes] = []
        self.records = 0
        self.bytes = 0

    def add(self, batch: Batch, plain: bytes) -> None:
        self._batches.append(batch)
        self._plain.append(plain)
        self.records += batch.record_count
        self.bytes += len(plain)

    def blocks(self, start: int, end: int, partition: int) -> Iterator[RecordBlock]:
        """What is in it of the offsets from `start` up to `end`."""
        reason = ""
        try:
            whole = self._block(start, end)
        except BrokenBatchError as error:
            reason = str(error)
        else:
            yield whole
            return
        if len(self._batches) == 1:
            yield from unreadable.blocks(self._batches[0], start, reason, partition)
            return
        for batch, plain in zip(self._batches, self._plain, strict=True):
            alone = _Group()
            alone.add(batch, plain)
            yield from alone.blocks(start, batch.next_offset, partition)
            start = batch.next_offset
        if end > start:
            yield RecordBlock.empty(start, end)

    def _block(self, start: int, end: int) -> RecordBlock:
        batches = self._batches
        buffer = self._plain[0] if len(batches) == 1 else b"".join(self._plain)
        timestamps, offsets, spans = batch_reader.fields(buffer, self.records)
        counts = [batch.record_count for batch in batches]
        offsets = offsets + np.repeat(np.array([batch.base_offset for batch in batches], np.int64), counts)
        appended = np.repeat(np.array([batch.append_time for batch in batches]), counts)
        base = [batch.max_timestamp if batch.append_time else batch.base_timestamp for batch in batches]
        timestamps = np.repeat(np.array(base, np.int64), counts) + np.where(appended, 0, timestamps)
        epoch = batches[-1].leader_epoch
        whole = RecordBlock(
            start, end, offsets=offsets, timestamps=timestamps, buffer=buffer, spans=spans, leader_epoch=epoch
        )
        first = whole.before(start)
        return whole.part(first, len(whole)) if first else whole


class BatchPartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # kafka-python ships no types
    """One partition's part of a fetch; `take` gives blocks.

    A block begins at the offset that was asked for, or where the one before it ends, even if Kafka has no record
    there any more: markers and aborted transactions, and what compaction removed, are no holes.

    Attributes:
        unpacked_limit: bytes that a batch may have when unpacked.
    """

    unpacked_limit: ClassVar[int] = DEFAULT_LIMIT
    next_fetch_offset: int

    def _maybe_skip_record(self, _block: RecordBlock) -> bool:
        return False

    def _unpack_records(self, _partition: Any, records: MemoryRecords, _key: Any, _value: Any) -> Iterator[RecordBlock]:
        try:
            yield from self._blocks(records._buffer)
        except BrokenBatchError as error:
            raise CorruptRecordError(f"the answer for {self.topic_partition}: {error}") from error
        finally:
            # After an error too: what was fetched and not handed out is fetched again, from the position.
            self.drain()

    def _blocks(self, data: Any) -> Iterator[RecordBlock]:
        group = _Group()
        start = end = self.fetch_offset
        for body in batch_reader.split(data):
            self.bytes_read += len(body)
            old = batch_reader.magic(body) < 2
            batch = None if old else batch_reader.header(body)
            sound = batch is None or not self.check_crcs or calc_crc32c(batch.checked) == batch.crc
            plain, reason = self._unpacked(batch, start) if batch is not None and sound else (None, "")
            full = group.records >= GROUP_RECORDS or group.bytes >= GROUP_BYTES
            if group.records and (full or old or not sound or reason):
                yield from self._handed_out(group.blocks(start, end, self.topic_partition.partition))
                start, group = end, _Group()
            if batch is None:
                yield from self._old_format(body, start)
                start = end = self.next_fetch_offset
                continue
            if not sound:
                raise CorruptRecordError(f"the batch of {self.topic_partition} at {batch.base_offset} fails its CRC")
            self.leader_epoch = batch.leader_epoch
            if reason:
                yield from self._handed_out(unreadable.blocks(batch, start, reason, self.topic_partition.partition))
                start = batch.next_offset
            elif plain is not None:
                group.add(batch, plain)
                self.records_read += batch.record_count
            end = max(start, batch.next_offset)
        if group.records:
            blocks = list(group.blocks(start, end, self.topic_partition.partition))
        else:
            blocks = [RecordBlock.empty(start, end)] if end > start else []
        yield from self._handed_out(blocks[:-1])
        self.next_fetch_offset = end
        # All is taken: kafka-python may fetch on while this is worked on.
        self.drain()
        yield from blocks[-1:]

    def _handed_out(self, blocks: Iterable[RecordBlock]) -> Iterator[RecordBlock]:
        """The blocks, each with the position after it."""
        for block in blocks:
            self.next_fetch_offset = block.end
            yield block

    def _unpacked(self, batch: Batch, start: int) -> tuple[bytes | None, str]:
        """The records of a batch that the reader is to have; or none, and why they cannot be read."""
        if not self._is_read(batch) or batch.next_offset <= start:
            return None, ""
        try:
            require_countable(batch.record_count, self.unpacked_limit)
            return unpack(batch.codec, batch.records, self.unpacked_limit), ""
        except UnpackError as error:
            return None, str(error)

    def _is_read(self, batch: Batch) -> bool:
        """Whether its records are for the reader: no marker, and of no transaction that was undone."""
        if self.isolation_level and batch.producer_id >= 0:
            self._consume_aborted_transactions_up_to(batch.next_offset - 1)
            if batch.control:
                if batch_reader.is_abort(batch):
                    self.aborted_producer_ids.discard(batch.producer_id)
            elif batch.transactional and batch.producer_id in self.aborted_producer_ids:
                return False
        return not batch.control

    def _old_format(self, body: memoryview, start: int) -> Iterator[RecordBlock]:
        """The formats of brokers before 0.11, which a topic may still hold."""
        for batch in MemoryRecords(body):
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"a message of {self.topic_partition} after {start} fails its CRC")
            try:
                records = [record for record in batch if record.offset >= start]
            except Exception as error:  # A damaged message ends in whatever its decoder stumbles over.
                head = unreadable.old_format(
                    body, start, batch.base_offset, _time(batch._timestamp), batch.compression_type
                )
                blocks = unreadable.blocks(head, start, str(error), self.topic_partition.partition)
                yield from self._handed_out(blocks)
                return
            if records:
                block = RecordBlock.of_records(records)
                block.start = start
                self.next_fetch_offset = start = block.end
                yield block


def _time(timestamp_ms: int | None) -> int:
    return -1 if timestamp_ms is None else timestamp_ms


def use_batches(consumer: KafkaConsumer, *, unpacked_limit: int = DEFAULT_LIMIT) -> bool:
    """Makes the consumer's `poll` give blocks, of which its `max_records` then counts, if this kafka-python allows it.

    Args:
        consumer: the consumer.
        unpacked_limit: bytes that a batch may have when unpacked.

    Returns:
        whether it does so now; if not, `poll` gives records as ever.
    """
    if not compared.fits():
        return False
    BatchPartitionRecords.unpacked_limit = unpacked_limit
    consumer._fetcher.PartitionRecords = BatchPartitionRecords
    return True
