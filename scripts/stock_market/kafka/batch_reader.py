"""Kafka's record batches, as they lie in a log and in the answer to a fetch: read whole, not record by record.

Format: https://kafka.apache.org/documentation/#recordbatch, magic 2. Everything in a record but its key, value and
headers is a varint, zigzag and least significant group first. A record is taken to pieces without an object of its
own: all records of a batch advance together, one field at a time, as numpy arrays.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stock_market.kafka.record_block import Integers, Spans

LOG_OVERHEAD = 12
"""Bytes of a batch that its length does not count: base offset and length."""
CHECKED_FROM = 21
"""First byte that the checksum is taken over."""
HEADER = struct.Struct(">qiibIhiqqqhii")
_MAGIC_OFFSET = 16
_CODEC, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_ABORT = b"\0\0"
_LONG = 64
"""A record whose value is shorter is not what this is made quick for."""


class BrokenBatchError(ValueError):
    """Bytes that are no record batch."""


class Batch(NamedTuple):
    """A record batch; the names are the format's.

    Attributes:
        body: the whole batch.
    """

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int
    body: memoryview

    @property
    def checked(self) -> memoryview:
        """The bytes that the CRC-32C is taken over."""
        return self.body[CHECKED_FROM:]

    @property
    def records(self) -> memoryview:
        """The records, as they are compressed."""
        return self.body[HEADER.size :]

    @property
    def codec(self) -> int:
        """How the records are compressed: 0 not, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""
        return self.attributes & _CODEC

    @property
    def append_time(self) -> bool:
        """Whether `max_timestamp`, which the broker has set, is the timestamp of each record."""
        return bool(self.attributes & _LOG_APPEND_TIME)

    @property
    def transactional(self) -> bool:
        """Whether it is part of a transaction."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def control(self) -> bool:
        """Whether it only marks a transaction's end."""
        return bool(self.attributes & _CONTROL)

    @property
    def next_offset(self) -> int:
        """First offset after it."""
        return self.base_offset + self.last_offset_delta + 1


def split(data: bytes | bytearray | memoryview) -> Iterator[memoryview]:
    """The whole batches of a fetched record set, of whichever magic; what is left at the end is a batch cut off."""
    view = memoryview(data)
    at = 0
    while at + LOG_OVERHEAD <= len(view):
        (length,) = struct.unpack_from(">i", view, at + 8)
        end = at + LOG_OVERHEAD + length
        if end > len(view) or length < 0:
            return
        yield view[at:end]
        at = end


def magic(body: memoryview) -> int:
    """The format's version: 0, 1 or 2.

    Raises:
        BrokenBatchError: the batch is too short to have one.
    """
    if len(body) <= _MAGIC_OFFSET:
        raise BrokenBatchError(f"a record batch of {len(body)} bytes")
    return body[_MAGIC_OFFSET]


def header(body: memoryview) -> Batch:
    """Reads the head of a batch of magic 2.

    Raises:
        BrokenBatchError: the batch is too short to have one.
    """
    if len(body) < HEADER.size:
        raise BrokenBatchError(f"a record batch of {len(body)} bytes")
    return Batch._make((*HEADER.unpack_from(body), body))


class Fields(NamedTuple):
    """What the n records of one or several batches hold.

    Attributes:
        timestamp_deltas: in milliseconds to the batch's base timestamp, shape (n,).
        offset_deltas: to the batch's base offset, shape (n,).
        spans: where keys and values lie.
    """

    timestamp_deltas: Integers
    offset_deltas: Integers
    spans: Spans


def fields(plain: bytes, count: int) -> Fields:
    """Takes `count` uncompressed records to pieces.

    Raises:
        BrokenBatchError: they are not as the format says.
    """
    found = _leap(plain, count)
    return _walk(plain, count) if found is None else found


def _varints(chars: NDArray[np.uint8], at: Integers) -> tuple[Integers, Integers]:
    """The varints that start at these places, and the places after them."""
    first = chars.take(at, mode="clip")
    more = first > 0x7F
    after = at + 1
    if not more.any():
        return _zigzag(first), after
    second = chars.take(after, mode="clip")
    after += more
    if not (more & (second > 0x7F)).any():
        return _zigzag((first & 0x7F) | np.where(more, second, 0).astype(np.uint16) << 7), after
    value = (first & 0x7F).astype(np.int64)
    at = at + 1
    shift = 7
    while more.any() and shift <= 70:
        byte = chars.take(at, mode="clip").astype(np.int64)
        value |= np.where(more, (byte & 0x7F) << shift, 0)
        at += more
        more &= byte > 0x7F
        shift += 7
    return _zigzag(value), at


def _zigzag(coded: NDArray[np.integer[Any]]) -> Integers:
    """The numbers that are coded 0, -1, 1, -2, 2, ..., worked out in the width that they come in."""
    signs = -(coded & 1)
    return ((coded >> 1) ^ signs).view(f"i{coded.itemsize}").astype(np.int64)


def _first_zeros(chars: NDArray[np.uint8]) -> Integers:
    """Where the first 0 is of each 64 bytes that have one."""
    # One bit for each byte, 0 where it is.
    flags = np.packbits(chars, bitorder="little")
    words = np.full(-(-len(flags) // 8), ~np.uint64(0))
    words.view(np.uint8)[: len(flags)] = flags
    if len(chars) % 8:
        words.view(np.uint8)[len(flags) - 1] |= 0xFF << len(chars) % 8 & 0xFF
    words = ~words
    found = np.flatnonzero(words)
    low = words[found]
    places: Integers = found * 64 + np.bitwise_count(low ^ (low - 1)) - 1
    return places


def _leap(plain: bytes, count: int) -> Fields | None:
    """Takes records to pieces all at once, if they are as most are: without headers, with long values without a NUL.

    A record's last byte is then its number of headers, 0, after a long block without any other 0. Where that guess
    finds other places than those to which the records' own lengths lead, it has failed, and None is returned.
    """
    chars = np.frombuffer(plain, np.uint8)
    zeros = _first_zeros(chars)
    ends = zeros[np.diff(zeros, prepend=-1) > _LONG]
    if len(ends) != count or not count or ends[-1] != len(plain) - 1:
        return None
    starts = np.zeros(count, np.int64)
    starts[1:] = ends[:-1] + 1
    length, at = _varints(chars, starts)
    if not np.array_equal(at + length, ends + 1):
        return None
    timestamp_deltas, at = _varints(chars, at + 1)
    offset_deltas, at = _varints(chars, at)
    length, key_starts = _varints(chars, at)
    key_ends = key_starts + length
    length, value_starts = _varints(chars, np.maximum(key_starts, key_ends))
    value_ends = value_starts + length
    if length.min() < 0 or not np.array_equal(value_ends, ends):
        return None
    return Fields(timestamp_deltas, offset_deltas, Spans(key_starts, key_ends, value_starts, value_ends))


def _varint(plain: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = plain[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
        if shift > 63:
            raise BrokenBatchError("a varint of more than 64 bits")


def _walk(plain: bytes, count: int) -> Fields:
    """Takes records to pieces one after the other, whatever they are."""
    # A list would hold an object for each number, of which a batch of small records has millions.
    found = array("q")
    at = 0
    try:
        for _ in range(count):
            length, start = _varint(plain, at)
            timestamp_delta, at = _varint(plain, start + 1)
            offset_delta, at = _varint(plain, at)
            key_length, key = _varint(plain, at)
            value_length, value = _varint(plain, key + max(0, key_length))
            headers, at = _varint(plain, value + max(0, value_length))
            for _ in range(2 * headers):
                part, at = _varint(plain, at)
                at += max(0, part)
            if at != start + length or min(key_length, value_length) < -1 or headers < 0:
                raise BrokenBatchError(f"a record of {length} bytes holds {at - start}")
            found.extend((timestamp_delta, offset_delta, key, key + key_length, value, value + value_length))
    except (IndexError, OverflowError) as error:
        raise BrokenBatchError("a record reaches beyond its batch") from error
    if at != len(plain):
        raise BrokenBatchError(f"{len(plain) - at} bytes follow the last record of a batch")
    columns = np.frombuffer(found, np.int64).reshape(-1, 6).T if found else np.zeros((6, 0), np.int64)
    return Fields(columns[0], columns[1], Spans(*columns[2:]))


def is_abort(marker: Batch) -> bool:
    """Whether a control batch ends its transaction by undoing it; its record's key is a version and then a type.

    Raises:
        BrokenBatchError: it is not as the format says.
    """
    plain = bytes(marker.records)
    spans = fields(plain, marker.record_count).spans
    key = plain[spans.key_starts[0] : spans.key_ends[0]]
    return key[2:4] == _ABORT
