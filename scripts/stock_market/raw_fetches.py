"""Beneath kafka-python's public API: `KafkaConsumer.poll` hands out stretches instead of single records.

All that kafka-python does with a fetch stays: sessions, positions, errors, leaders, pauses. Only its class that takes a
partition's fetched bytes to pieces, `Fetcher.PartitionRecords`, is replaced by one that reads whole batches. Where
that would not give what the public way gives, because kafka-python is not the one this was written for,
`raw_fetches_check` finds it out at the start, and the public way is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from kafka import codec
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.record import MemoryRecords
from kafka.record.util import calc_crc32c

from stock_market import batch_reading
from stock_market.batch_reading import Batch, BrokenBatchError
from stock_market.stretch import Stretch

GROUP_RECORDS = 2000
"""Batches are taken to pieces together until they hold so many records: enough to spread the cost of a step in numpy,
few enough to stay in the processor's cache."""

_DECODE = {
    0: ("none", lambda: True, bytes),
    1: ("gzip", codec.has_gzip, codec.gzip_decode),
    2: ("snappy", codec.has_snappy, lambda data: codec.snappy_decode(bytes(data))),
    3: ("lz4", codec.has_lz4, codec.lz4_decode),
    4: ("zstd", codec.has_zstd, lambda data: codec.zstd_decode(bytes(data))),
}


def _uncompressed(batch: Batch) -> bytes:
    name, has_library, decode = _DECODE.get(batch.codec, ("", lambda: False, bytes))
    if not has_library():
        raise UnsupportedCodecError(f"no library for the compression {name or batch.codec}")
    try:
        return bytes(decode(batch.records))
    except Exception as error:
        raise CorruptRecordError(f"the batch at offset {batch.base_offset} does not decompress: {error}") from error


class _Group:
    """Batches that become one stretch."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._plain: list[bytes] = []
        self.records = 0

    def add(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._plain.append(_uncompressed(batch))
        self.records += batch.record_count

    def stretch(self, start: int, end: int) -> Stretch:
        """What is in it of the offsets from `start` up to `end`."""
        batches = self._batches
        buffer = self._plain[0] if len(batches) == 1 else b"".join(self._plain)
        try:
            timestamps, offsets, spans = batch_reading.fields(buffer, self.records)
        except BrokenBatchError as error:
            raise CorruptRecordError(f"a batch between the offsets {start} and {end}: {error}") from error
        counts = [batch.record_count for batch in batches]
        offsets = offsets + np.repeat(np.array([batch.base_offset for batch in batches], np.int64), counts)
        appended = np.repeat(np.array([batch.append_time for batch in batches]), counts)
        base = [batch.max_timestamp if batch.append_time else batch.base_timestamp for batch in batches]
        timestamps = np.repeat(np.array(base, np.int64), counts) + np.where(appended, 0, timestamps)
        epoch = batches[-1].leader_epoch
        whole = Stretch(
            start, end, offsets=offsets, timestamps=timestamps, buffer=buffer, spans=spans, leader_epoch=epoch
        )
        first = whole.before(start)
        return whole.part(first, len(whole)) if first else whole


class BatchPartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """One partition's part of a fetch; `take` gives stretches.

    A stretch begins at the offset that was asked for, or where the one before it ends, even if Kafka has no record
    there any more: markers and aborted transactions, and what compaction removed, are no holes.
    """

    def _maybe_skip_record(self, _stretch: Stretch) -> bool:
        return False

    def _unpack_records(self, _partition: Any, records: MemoryRecords, _key: Any, _value: Any) -> Iterator[Stretch]:
        try:
            yield from self._stretches(records._buffer)
        except BrokenBatchError as error:
            raise CorruptRecordError(f"the answer for {self.topic_partition}: {error}") from error
        finally:
            # After an error too: what was fetched and not handed out is fetched again, from the position.
            self.drain()

    def _stretches(self, data: Any) -> Iterator[Stretch]:
        group = _Group()
        start = end = self.fetch_offset
        for body in batch_reading.split(data):
            self.bytes_read += len(body)
            old = batch_reading.magic(body) < 2
            batch = None if old else batch_reading.header(body)
            sound = batch is None or not self.check_crcs or calc_crc32c(batch.checked) == batch.crc
            if group.records >= GROUP_RECORDS or (group.records and (old or not sound)):
                self.next_fetch_offset = end
                yield group.stretch(start, end)
                start, group = end, _Group()
            if batch is None:
                yield from self._old_format(body, start)
                start = end = self.next_fetch_offset
                continue
            if not sound:
                raise CorruptRecordError(f"the batch of {self.topic_partition} at {batch.base_offset} fails its CRC")
            self.leader_epoch = batch.leader_epoch
            if self._is_read(batch) and batch.next_offset > start:
                group.add(batch)
                self.records_read += batch.record_count
            end = max(start, batch.next_offset)
        self.next_fetch_offset = end
        # All is taken: kafka-python may fetch on while this is worked on.
        self.drain()
        if group.records:
            yield group.stretch(start, end)
        elif end > start:
            yield Stretch.empty(start, end)

    def _is_read(self, batch: Batch) -> bool:
        """Whether its records are for the reader: no marker, and of no transaction that was undone."""
        if self.isolation_level and batch.producer_id >= 0:
            self._consume_aborted_transactions_up_to(batch.next_offset - 1)
            if batch.control:
                if batch_reading.is_abort(batch):
                    self.aborted_producer_ids.discard(batch.producer_id)
            elif batch.transactional and batch.producer_id in self.aborted_producer_ids:
                return False
        return not batch.control

    def _old_format(self, body: memoryview, start: int) -> Iterator[Stretch]:
        """The formats of brokers before 0.11, which a topic may still hold."""
        for batch in MemoryRecords(body):
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"a message of {self.topic_partition} after {start} fails its CRC")
            records = [record for record in batch if record.offset >= start]
            if records:
                stretch = Stretch.of_records(records)
                stretch.start = start
                self.next_fetch_offset = start = stretch.end
                yield stretch
