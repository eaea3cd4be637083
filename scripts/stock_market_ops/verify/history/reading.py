"""Reads one Parquet file of the history: counts and sums its records, and collects their sequence numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stock_market.history.checksum import added
from stock_market_ops.verify.bucket import opened
from stock_market_ops.verify.history.records import SCHEMA, NoRecordError, checksum
from stock_market_ops.verify.numbers import Numbers
from stock_market_ops.verify.reading import Counted, Reading

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE_BYTES = 1 << 20
_ROWS = 1 << 16


def _batches(file: BinaryIO) -> Iterator[pa.RecordBatch]:
    # Columns are read a mebibyte at a time, whatever a row group holds.
    parquet = pq.ParquetFile(file, pre_buffer=False, buffer_size=_PIECE_BYTES)
    present = [name for name in SCHEMA.names if name in parquet.schema_arrow.names]
    yield from parquet.iter_batches(_ROWS, columns=present, use_threads=False)


def _count(batch: pa.RecordBatch, producers: dict[str, Numbers]) -> None:
    coded = batch.column("producer_id").dictionary_encode()
    codes, sequence = coded.indices.to_numpy(), batch.column("sequence").to_numpy()
    if batch.num_rows and sequence.min() < 0:
        raise NoRecordError("has a record with a negative sequence number")
    for code, name in enumerate(coded.dictionary.to_pylist()):
        numbers = np.sort(sequence[codes == code]).tolist()
        producers.setdefault(name, Numbers()).add(numbers)


def read_file(client: S3Client, bucket: str, key: str) -> Reading:
    """Reads a file from its start to its end. It is kept on disk meanwhile, its records pass in batches.

    Raises:
        botocore's errors: S3 did not give it.
    """
    producers: dict[str, Numbers] = {}
    rows, total, flaw = 0, 0, ""
    with tempfile.TemporaryFile() as file:
        metadata, _, pieces = opened(client, bucket, key, _PIECE_BYTES)
        for piece in pieces:
            file.write(piece)
        try:
            for batch in _batches(file):
                total = added(total, checksum(batch))
                _count(batch, producers)
                rows += batch.num_rows
        except NoRecordError as error:
            flaw = str(error)
        except (pa.ArrowException, OSError) as error:
            flaw = f"is no sound Parquet file ({' '.join(str(error).split())})"
    counted = {name: Counted.of(numbers) for name, numbers in producers.items()}
    return Reading(key, metadata, rows, "", flaw, counted, checksum=None if flaw else total)
