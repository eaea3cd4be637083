"""Beneath kafka-python's public API: single records are unpacked within the bound of whole batches, by the same code.

kafka-python unpacks a batch whole, however large, and never gets past one that it cannot read. Here its two classes for
batches get the unpacking of `batch_unpacking`, and one that cannot be read gives a record for each offset that
carries the reason as a header. Where kafka-python has not what is replaced, it stays as it is, and a warning says so.
The reproducers are docs/upstream/unbounded_unpacking.py and unreadable_batch.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from kafka.record import default_records, legacy_records

from stock_market.kafka import batch_reader, unreadable
from stock_market.kafka.batch_reader import BrokenBatchError
from stock_market.kafka.record_block import RecordBlock
from stock_market.kafka.unpacking import UnpackError, require_countable, unpack
from stock_market.logs import Log

_log = Log("raw_fetches")
_FLAW = "\0stock-market-flaw"
"""No producer that writes text has a header of this name, and its value has to be an object of this process, too."""


class _Reason(bytes):
    """A header's value that only this module makes: why a record could not be read."""


def blocks(records: Sequence[Any]) -> list[RecordBlock]:
    """Records that kafka-python has handed out, at least one, as blocks."""
    return [RecordBlock.of_records(list(alike), flaw) for flaw, alike in groupby(records, _flaw)]


def _flaw(record: Any) -> str:
    for name, value in record.headers or ():
        if name == _FLAW and isinstance(value, _Reason):
            return value.decode()
    return ""


def bound_old_format(limit: int) -> None:
    """Has the formats before 2 unpacked within the bound."""
    replacements = {
        "gzip_decode": partial(unpack, 1),
        "snappy_decode": partial(unpack, 2),
        "lz4_decode": partial(unpack, 3),
        "lz4_decode_old_kafka": partial(unpack, 3),
    }
    _replace(legacy_records, {name: partial(call, limit=limit, magic=0) for name, call in replacements.items()})


def bound(limit: int) -> None:
    """Has kafka-python read single records within the bound, and past what it cannot read.

    `limit` is the bytes that a batch may have when unpacked.
    """
    bound_old_format(limit)
    kind = default_records.DefaultRecordBatch
    _replace(kind, {"__iter__": lambda batch: _records(batch, limit)})


def _replace(owner: Any, replacements: dict[str, Any]) -> None:
    missing = [name for name in replacements if not hasattr(owner, name)]
    if missing:
        _log.warning("unpacking_not_bounded", missing=",".join(missing), advice="this kafka-python is another one")
        return
    for name, replacement in replacements.items():
        setattr(owner, name, replacement)


def _records(batch: Any, limit: int) -> Iterator[Any]:
    """What a batch of kafka-python's holds, as its own records; headers, which nobody reads, are left out."""
    body = memoryview(bytes(batch._buffer))
    head = batch_reader.header(body)
    make = default_records.DefaultRecord
    kind = batch.timestamp_type
    try:
        require_countable(head.record_count, limit)
        plain = unpack(head.codec, head.records, limit)
        deltas, offsets, spans = batch_reader.fields(plain, head.record_count)
    except (UnpackError, BrokenBatchError) as error:
        for block in unreadable.blocks(head, head.base_offset, str(error), -1):
            headers = [(_FLAW, _Reason(block.flaw.encode()))]
            for index in range(len(block)):
                one = block.record(index)
                yield make(0, one.offset, one.timestamp, kind, one.key, one.value, headers)
        return
    parts = RecordBlock(0, 0, offsets=offsets, timestamps=deltas, buffer=plain, spans=spans)
    for index in range(len(parts)):
        one = parts.record(index)
        time_ms = head.max_timestamp if head.append_time else head.base_timestamp + one.timestamp
        yield make(0, head.base_offset + one.offset, time_ms, kind, one.key, one.value, [])
