"""Batches whose records cannot be read, although their checksum holds: the stream goes on, and quarantine has them.

Each offset of such a batch becomes a line of the quarantine with the reason; the line of the batch's first offset holds
the whole batch, as it was sent.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stock_market.kafka.batch_reader import Batch
from stock_market.kafka.record_block import RecordBlock, Spans
from stock_market.kafka.unpacking import CODECS
from stock_market.logs import Log

_log = Log("raw_fetches")
_CHUNK = 8000
"""Offsets at once: a batch that lies about its number of records may name two thousand million."""


def blocks(batch: Batch, start: int, reason: str, partition: int) -> Iterator[RecordBlock]:
    """One record without a key for each offset of the batch, from `start` on, where the block before ends."""
    first, last = max(start, batch.base_offset), batch.next_offset
    codec = CODECS[batch.codec] if batch.codec < len(CODECS) else f"of the number {batch.codec}"
    flaw = (
        f"the record batch of the offsets {batch.base_offset} to {last - 1} (compression {codec}) cannot be read:"
        f" {reason}; the line of offset {batch.base_offset} holds the whole batch"
    )
    # The batch's head tells the time of its first record: under that, all are stored.
    timestamp = batch.max_timestamp if batch.append_time else batch.base_timestamp
    _log.error(
        "batch_unreadable",
        partition=partition,
        start=first,
        end=last,
        reason=reason,
        advice="these records go to the quarantine; find the producer that sent them",
    )
    for begin in range(first, last, _CHUNK):
        offsets = np.arange(begin, min(last, begin + _CHUNK), dtype=np.int64)
        nulls = np.zeros(len(offsets), np.int64)
        ends = np.full(len(offsets), -1, np.int64)
        body = bytes(batch.body) if begin == batch.base_offset else b""
        if body:
            ends[0] = len(body)
        yield RecordBlock(
            min(start, begin) if begin == first else begin,
            int(offsets[-1]) + 1,
            offsets=offsets,
            timestamps=np.full(len(offsets), timestamp, np.int64),
            buffer=body,
            spans=Spans(nulls, np.full(len(offsets), -1, np.int64), nulls, ends),
            leader_epoch=batch.leader_epoch,
            flaw=flaw,
        )


def old_format(body: memoryview, start: int, last: int, timestamp_ms: int, codec: int) -> Batch:
    """A message of the formats before 2 that cannot be read, as the batch of the offsets from `start` to `last`."""
    return Batch(
        start,
        len(body) - 12,
        -1,
        1,
        0,
        codec,
        last - start,
        timestamp_ms,
        timestamp_ms,
        -1,
        -1,
        -1,
        last - start + 1,
        body,
    )
