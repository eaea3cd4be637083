"""Takes the end of a partition's log from a broker that is down, as a machine that lost its last writes does."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from kafka.record import MemoryRecords

_OVERHEAD = 12
"""Bytes of a batch that its length does not count: base offset and length."""


class _Batch(NamedTuple):
    """Where a whole batch stands in its segment, and which offsets it holds."""

    at: int
    end_at: int
    base: int
    end: int


def _batches(data: bytes) -> Iterator[_Batch]:
    """The whole batches of a segment; the last one may have been written in part when the broker was killed."""
    at = 0
    while at + _OVERHEAD <= len(data):
        base, length = struct.unpack_from(">qi", data, at)
        end_at = at + _OVERHEAD + length
        if end_at > len(data):
            return
        (last_delta,) = struct.unpack_from(">i", data, at + 23)
        yield _Batch(at, end_at, base, base + last_delta + 1)
        at = end_at


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"))


def boundaries(folder: Path) -> list[int]:
    """The offsets that a log can be cut to: where each batch begins, and the log's end.

    Args:
        folder: the partition's folder in the broker's data.
    """
    found = [0]
    for segment in _segments(folder):
        for batch in _batches(segment.read_bytes()):
            found[-1] = batch.base
            found.append(batch.end)
    return found


def read(folder: Path, start: int) -> list[Any]:
    """The log's records from an offset on, as kafka-python's own decoder gives them."""
    found = []
    for segment in _segments(folder):
        data = segment.read_bytes()
        wanted = [batch for batch in _batches(data) if batch.end > start]
        if wanted:
            memory = MemoryRecords(data[wanted[0].at : wanted[-1].end_at])
            while (batch := memory.next_batch()) is not None:
                found += [record for record in batch if record.offset >= start]
    return found


def cut(folder: Path, offset: int) -> int:
    """Cuts a log to the last batch boundary at or before an offset; the broker recovers from there when it starts.

    Args:
        folder: the partition's folder in the broker's data.
        offset: the first offset to lose.

    Returns:
        the first offset that is lost; the log's end where nothing was cut.
    """
    end = 0
    for segment in _segments(folder):
        if int(segment.stem) > offset:
            segment.unlink()
            continue
        at = 0
        for batch in _batches(segment.read_bytes()):
            if batch.end > offset:
                break
            end, at = batch.end, batch.end_at
        with segment.open("r+b") as file:
            file.truncate(at)
    # The broker makes its indexes again; what it knew of producers is of records that it has lost.
    for pattern in ("*.index", "*.timeindex", "*.txnindex", "*.snapshot"):
        for path in folder.glob(pattern):
            path.unlink()
    return end
