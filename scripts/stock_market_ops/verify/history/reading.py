"""Reads one Parquet file of the history: counts and sums its records, and collects their sequence numbers.

One of the table of the hours summed up says the same of these.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stock_market.history.checksum import added
from stock_market_ops.verify.bucket import opened
from stock_market_ops.verify.history import sums
from stock_market_ops.verify.history.records import SCHEMA, NoRecordError, checksum
from stock_market_ops.verify.history.totals import Totals, add
from stock_market_ops.verify.numbers import Numbers
from stock_market_ops.verify.reading import Counted, Reading

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE_BYTES = 1 << 20
_ROWS = 1 << 16
_ROWS_OF_SUMS = 1 << 13
"""Fewer, for each may be 64 numbers."""


def _batches(file: BinaryIO, names: Iterable[str], rows: int) -> Iterator[pa.RecordBatch]:
    # Columns are read a mebibyte at a time, whatever a row group holds.
    parquet = pq.ParquetFile(file, pre_buffer=False, buffer_size=_PIECE_BYTES)
    present = [name for name in names if name in parquet.schema_arrow.names]
    yield from parquet.iter_batches(rows, columns=present, use_threads=False)


def _count(batch: pa.RecordBatch, producers: dict[str, Numbers]) -> None:
    coded = batch.column("producer_id").dictionary_encode()
    codes, sequence = coded.indices.to_numpy(), batch.column("sequence").to_numpy()
    if batch.num_rows and sequence.min() < 0:
        raise NoRecordError("has a record with a negative sequence number")
    for code, name in enumerate(coded.dictionary.to_pylist()):
        numbers = np.sort(sequence[codes == code]).tolist()
        producers.setdefault(name, Numbers()).add(numbers)


def read_file(client: S3Client, bucket: str, key: str, *, is_sums: bool = False, with_totals: bool = False) -> Reading:
    """Reads a file from its start to its end. It is kept on disk meanwhile, its records pass in batches.

    Args:
        client: of S3.
        bucket: where it lies.
        key: the file's.
        is_sums: whether it is of the hours summed up.
        with_totals: whether its records are to be summed up.

    Raises:
        botocore's errors: S3 did not give it.
    """
    producers: dict[str, Numbers] = {}
    totals: Totals = {}
    rows, total, flaw = 0, 0, ""
    with tempfile.TemporaryFile() as file:
        metadata, _, pieces = opened(client, bucket, key, _PIECE_BYTES)
        for piece in pieces:
            file.write(piece)
        try:
            if is_sums:
                for batch in _batches(file, sums.SCHEMA.names, _ROWS_OF_SUMS):
                    add(totals, sums.of_rows(batch, producers))
            else:
                for batch in _batches(file, SCHEMA.names, _ROWS):
                    total = added(total, checksum(batch))
                    _count(batch, producers)
                    add(totals, sums.of_records(batch) if with_totals else {})
                    rows += batch.num_rows
        except NoRecordError as error:
            flaw = str(error)
        except (pa.ArrowException, OSError) as error:
            flaw = f"is no sound Parquet file ({' '.join(str(error).split())})"
    counted = {name: Counted.of(numbers) for name, numbers in producers.items()}
    return Reading(key, metadata, rows, "", flaw, counted, checksum=None if flaw else total, totals=totals)
