"""The limit: what lz4, one pass of validation and gzip alone cost for a topic's records.

As a program it reads a topic's segments and prints, as JSON, the CPU seconds of each of the three with the libraries
and the levels of the consumer. Finding the batches, taking records to pieces and joining the lines do not count, nor
does anything of Kafka's or S3's protocols: no consumer of these records that validates and compresses them so can cost
less.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.measured import BenchmarkError
from benchmarks.stage import Stage
from isal import isal_zlib

from stock_market.kafka import batch_reader
from stock_market.kafka.batch_reader import Batch
from stock_market.kafka.raw_fetches import GROUP_RECORDS
from stock_market.kafka.record_block import RecordBlock
from stock_market.kafka.unpacking import unpack
from stock_market.quotes.compact import surely_valid
from stock_market.quotes.validation import is_time

_GZIP, _LEVEL = 31, 2
"""As the consumer has them, stock_market.chain.segment."""
_MOST = 1_000_000
"""Records that are looked at: enough for a second."""
_ENOUGH = 0.9
"""The part of the records that has to be found valid at once, without the decoder."""


@dataclass(frozen=True)
class Limit:
    """CPU seconds for a number of records.

    Attributes:
        records: the number.
        lz4: for unpacking them.
        validation: for finding them valid.
        gzip: for compressing their lines.
    """

    records: int
    lz4: float
    validation: float
    gzip: float

    @property
    def rate(self) -> float:
        """Records per CPU second of all three."""
        return self.records / (self.lz4 + self.validation + self.gzip)

    def share(self, part: str) -> float:
        """What one of the three takes of the time of all."""
        spent: float = getattr(self, part)
        return spent / (self.lz4 + self.validation + self.gzip)


def limit(stage: Stage, topic: str) -> Limit:
    """Measures it for a topic, on the core for the measured.

    Raises:
        BenchmarkError: the topic is empty, or its records are none that the consumer finds valid at once.
    """
    paths = list(map(str, stage.broker.segments(topic)))
    process = stage.measure(stage.name("limit"), [sys.executable, "-m", "benchmarks.peers.limit", *paths])
    process.finish(300)
    return Limit(**json.loads(process.log()))


def _groups(paths: list[str]) -> Iterator[list[Batch]]:
    """Batches of `GROUP_RECORDS` records or more, as the consumer works on them, up to `_MOST` records."""
    group: list[Batch] = []
    left = _MOST
    for path in paths:
        for body in batch_reader.split(Path(path).read_bytes()):
            group.append(batch_reader.header(body))
            held = sum(batch.record_count for batch in group)
            if held >= GROUP_RECORDS:
                yield group
                group, left = [], left - held
                if left <= 0:
                    return
    if group:
        yield group


def _block(plain: list[bytes], records: int) -> RecordBlock:
    buffer = plain[0] if len(plain) == 1 else b"".join(plain)
    spans = batch_reader.fields(buffer, records).spans
    numbers = np.arange(records)
    return RecordBlock(0, records, offsets=numbers, timestamps=numbers, buffer=buffer, spans=spans)


def measure(paths: list[str]) -> Limit:
    """Measures it for the segments.

    Args:
        paths: of the segments, whose records are the project's quotes.

    Raises:
        BenchmarkError: as for `limit`.
    """
    records = sure = 0
    lz4 = validation = gzip = 0.0
    compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
    for group in _groups(paths):
        begin = time.process_time()
        plain = [unpack(batch.codec, batch.records) for batch in group]
        lz4 += time.process_time() - begin
        block = _block(plain, sum(batch.record_count for batch in group))
        begin = time.process_time()
        flags = surely_valid(block, is_time)
        validation += time.process_time() - begin
        lines = block.lines()
        begin = time.process_time()
        compressor.compress(lines)
        gzip += time.process_time() - begin
        records += len(block)
        sure += int(np.count_nonzero(flags))
    if not records or sure < records * _ENOUGH:
        raise BenchmarkError(f"of {records} records {sure} were found valid at once")
    return Limit(records, lz4, validation, gzip)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1:]).__dict__))
