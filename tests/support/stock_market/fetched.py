"""Compares `raw_fetches` with the public way of kafka-python, on batches that its own encoder has built."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any, NamedTuple

from kafka import TopicPartition, codec
from kafka.consumer.fetcher import CompletedFetch, Fetcher
from kafka.consumer.subscription_state import SubscriptionState
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.record.util import calc_crc32c

from stock_market.kafka.raw_fetches import BatchPartitionRecords

PLACE = TopicPartition("check", 0)
_TIME_MS = 1_767_225_600_000
_ATTRIBUTES, _CONTROL, _APPEND_TIME = 21, 0x20, 0x08
_CODECS = {
    0: lambda: True,
    1: codec.has_gzip,
    2: codec.has_snappy,
    3: codec.has_lz4,
    4: codec.has_zstd,
}


class Case(NamedTuple):
    """A fetched record set: its bytes, the offset that was asked for, and the (producer, first offset) of each undone
    transaction that the broker names."""

    data: bytes
    fetch_offset: int = 0
    aborted: tuple[tuple[int, int], ...] = ()


def batch(
    first: int,
    records: list[tuple[bytes | None, bytes | None]],
    *,
    compression: int = 0,
    magic: int = 2,
    producer: int = -1,
    transactional: bool = False,
    attributes: int = 0,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    step: int = 1,
) -> bytes:
    """A record batch, as kafka-python encodes it.

    Args:
        first: offset of the first record.
        records: keys and values.
        compression: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
        magic: the format's version.
        producer: id of an idempotent producer, -1 for none.
        transactional: whether it is part of a transaction.
        attributes: bits to set beside, as a broker does.
        headers: each record's headers.
        step: distance from one record's offset to the next one's, as compaction leaves it.
    """
    epoch, sequence = (0, 0) if producer >= 0 else (-1, -1)
    options = {"producer_id": producer, "producer_epoch": epoch, "base_sequence": sequence} if magic == 2 else {}
    if transactional:
        options["transactional"] = True
    builder = MemoryRecordsBuilder(magic, compression, 1 << 24, **options)
    for index, (key, value) in enumerate(records):
        builder.append(_TIME_MS + 7 * index, key, value, list(headers))
        builder.skip(step - 1)
    builder.close()
    data = bytearray(builder.buffer())
    if magic == 2:
        struct.pack_into(">q", data, 0, first)
        data[_ATTRIBUTES + 1] |= attributes
        struct.pack_into(">I", data, 17, calc_crc32c(memoryview(data)[_ATTRIBUTES:]))
    else:
        at = 0
        while at < len(data):
            offset, length = struct.unpack_from(">qi", data, at)
            struct.pack_into(">q", data, at, offset + first)
            at += 12 + length
    return bytes(data)


def marker(offset: int, producer: int, *, abort: bool) -> bytes:
    """The control batch that ends a transaction."""
    record = (struct.pack(">hh", 0, 0 if abort else 1), struct.pack(">hi", 0, 0))
    return batch(offset, [record], producer=producer, transactional=True, attributes=_CONTROL)


def _quotes(count: int) -> list[tuple[bytes | None, bytes | None]]:
    return [
        (b"S%d" % (n % 7), b'{"symbol":"S%d","padding":"%s","n":%d}' % (n % 7, b"x" * 150, n)) for n in range(count)
    ]


def cases() -> Iterator[tuple[str, Case]]:
    """What a topic can hold, each with its name."""
    odd: list[tuple[bytes | None, bytes | None]] = [
        (None, b"no key"),
        (b"k", None),
        (None, None),
        (b"", b""),
        (b"k", b"\0" * 90),
        (b"long" * 40, b"v" * 3000),
    ]
    for compression, has_library in _CODECS.items():
        if has_library():
            data = batch(0, _quotes(90), compression=compression) + batch(90, odd, compression=compression)
            yield f"compression {compression}", Case(data)
            yield f"compression {compression} from the middle", Case(data, 41)
    quotes = batch(0, _quotes(70))
    yield "headers", Case(batch(0, _quotes(3), headers=(("h", b"1"), ("empty", None))))
    yield "compacted holes", Case(batch(0, _quotes(9), step=5) + batch(60, _quotes(4)), 11)
    yield "append time", Case(batch(0, _quotes(5), attributes=_APPEND_TIME) + batch(5, odd))
    yield "a batch cut off", Case(quotes + batch(70, _quotes(5))[:-9])
    yield "nothing", Case(b"")
    for abort, producer in product((True, False), (7, 8)):
        data = (
            batch(0, _quotes(3), producer=7, transactional=True)
            + batch(3, _quotes(2), producer=8, transactional=True)
            + batch(5, _quotes(2))
            + marker(7, 7, abort=abort)
            + batch(8, _quotes(2), producer=7, transactional=True)
            + marker(10, 7, abort=False)
            + marker(11, 8, abort=False)
        )
        yield f"transactions {abort} {producer}", Case(data, 1, ((producer, 0),) if abort else ())
    yield "only a marker", Case(marker(0, 7, abort=False))
    for magic, compression in product((0, 1), (0, 1)):
        old = batch(0, _quotes(4), magic=magic, compression=compression)
        yield f"magic {magic} compression {compression}", Case(old + batch(4, _quotes(3)), 2)


def read(kind: type, case: Case) -> tuple[list[Any], int]:
    """What a fetcher hands out of a record set, and the offset that it would fetch next.

    Args:
        kind: the class that takes the bytes to pieces.
        case: the record set.
    """
    options = {"enable_auto_commit": False, "isolation_level": "read_committed", "metrics": None}
    subscriptions = SubscriptionState()
    subscriptions.assign_from_user([PLACE])
    subscriptions.seek(PLACE, case.fetch_offset)
    fetcher = Fetcher(SimpleNamespace(_manager=SimpleNamespace(_net=None)), subscriptions, **options)
    fetcher.PartitionRecords = kind
    aborted = [SimpleNamespace(producer_id=producer, first_offset=offset) for producer, offset in case.aborted]
    data = SimpleNamespace(
        error_code=0,
        high_watermark=1 << 20,
        diverging_epoch=None,
        preferred_read_replica=-1,
        records=case.data,
        aborted_transactions=aborted,
    )
    fetcher._completed_fetches.append(CompletedFetch(PLACE, case.fetch_offset, 12, data, None))
    found: list[Any] = []
    for _ in range(100):
        found += fetcher.fetched_records(10)[0].get(PLACE, [])
        if not fetcher._next_partition_records:
            break
    return found, int(subscriptions.assignment[PLACE].position.offset)


def difference() -> str:
    """Where the two ways part, in words; empty when they never do."""
    for name, case in cases():
        records, public_next = read(Fetcher.PartitionRecords, case)
        blocks, next_offset = read(BatchPartitionRecords, case)
        expected = [
            (record.offset, -1 if record.timestamp is None else record.timestamp, record.key, record.value)
            for record in records
        ]
        found = [tuple(each.record(index))[:4] for each in blocks for index in range(len(each))]
        if found != expected:
            return f"{name}: {len(found)} records instead of {len(expected)}, or others"
        if next_offset != public_next:
            return f"{name}: would read on from {next_offset} instead of {public_next}"
    return ""
