"""Kafka's record batches built whole: the records' bytes joined, compressed once, summed up in a header.

Times are the batch's, for the topic's timestamps are LogAppendTime. `batch_reading` tells of the format.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import lz4.frame
from crc32c import crc32c

from stock_market.kafka.batch_reader import CHECKED_FROM, HEADER, LOG_OVERHEAD, fields

Buffer = bytes | memoryview
KeyValue = tuple[bytes, bytes]

MAX_RECORDS = 8192
"""The most records in a batch: their offsets take two bytes."""

_CRC_AT = 17
_MAGIC = 2
_LZ4 = 3


def _varint_bytes(number: int) -> bytes:
    number <<= 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_VARINTS = [_varint_bytes(number) for number in range(1 << 14)]


def varint(number: int) -> bytes:
    """A number of 0 or more as zigzag varint."""
    return _VARINTS[number] if number < len(_VARINTS) else _varint_bytes(number)


@dataclass(frozen=True, slots=True)
class Records:
    """Records for one batch of one partition.

    Attributes:
        partition: where they go.
        count: how many they are.
        body: their bytes as in a batch, not compressed; offsets begin at 0.
    """

    partition: int
    count: int
    body: Buffer

    def split(self) -> list[KeyValue]:
        """Key and value of each record."""
        data = bytes(self.body)
        places = zip(*(each.tolist() for each in fields(data, self.count).spans), strict=True)
        return [(data[key:key_end], data[value:value_end]) for key, key_end, value, value_end in places]


def join(partition: int, records: Sequence[KeyValue]) -> Records:
    """Makes one batch's records of keys and values."""
    parts: list[bytes] = []
    for offset, (key, value) in enumerate(records):
        # Attributes 0 and time difference 0 before, no headers after.
        inner = b"\0\0%b%b%b%b%b\0" % (varint(offset), varint(len(key)), key, varint(len(value)), value)
        parts += (varint(len(inner)), inner)
    return Records(partition, len(records), b"".join(parts))


def gather(records: Iterable[tuple[int, KeyValue]], batch_bytes: int) -> list[Records]:
    """Makes batches of records, each given with its partition; within a partition their order is kept.

    Args:
        records: partition, key and value.
        batch_bytes: about how long a batch may be, not compressed, in bytes.
    """
    waiting: dict[int, tuple[list[KeyValue], int]] = {}
    batches = []
    for partition, record in records:
        held, size = waiting.get(partition, ([], 0))
        length = len(record[0]) + len(record[1]) + 16
        if held and (size + length > batch_bytes or len(held) >= MAX_RECORDS):
            batches.append(join(partition, held))
            held, size = [], 0
        held.append(record)
        waiting[partition] = held, size + length
    return batches + [join(partition, held) for partition, (held, _) in waiting.items()]


@dataclass(slots=True)
class Payload:
    """A batch without its header: what is left to hold of records while they are in flight.

    Attributes:
        partition: where the records go.
        count: how many they are.
        codec: 0 where compression did not help, else lz4's number.
        data: the records' bytes, compressed with that codec.
    """

    partition: int
    count: int
    codec: int
    data: bytes

    @classmethod
    def of(cls, records: Records) -> Payload:
        """Compresses records; blocks are independent of each other, as Kafka wants them."""
        data = lz4.frame.compress(records.body, block_linked=False)
        if len(data) < len(records.body):
            return cls(records.partition, records.count, _LZ4, data)
        return cls(records.partition, records.count, 0, bytes(records.body))

    def records(self) -> Records:
        """The records, no longer compressed."""
        body = lz4.frame.decompress(self.data) if self.codec else self.data
        return Records(self.partition, self.count, body)

    def seal(self, producer_id: int, epoch: int, sequence: int) -> bytearray:
        """The whole batch, under an idempotent producer's id and epoch, with its first sequence number."""
        now = int(time.time() * 1000)
        size = HEADER.size + len(self.data)
        batch = bytearray(size)
        batch[HEADER.size :] = self.data
        last = self.count - 1
        numbers = (self.codec, last, now, now, producer_id, epoch, sequence, self.count)
        HEADER.pack_into(batch, 0, 0, size - LOG_OVERHEAD, -1, _MAGIC, 0, *numbers)
        struct.pack_into(">I", batch, _CRC_AT, crc32c(memoryview(batch)[CHECKED_FROM:]))
        return batch
