"""The checksum of many records at once: numpy lays their bytes out, runs of equal lengths together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh64_intdigest

from stock_market.history.checksum import added
from stock_market.history.tables import COLUMNS

TYPES = {"string": pa.string(), "double": pa.float64(), "bigint": pa.int64()}
"""Athena's types as Arrow has them."""
SCHEMA = pa.schema([pa.field(name, TYPES[kind]) for name, kind in COLUMNS])
"""A record's columns as Arrow has them."""
_STRINGS = tuple(name for name, kind in COLUMNS if kind == "string")
_FORMS = {"double": ">f8", "bigint": ">i8"}
_ROWS = 1 << 15
_SHORT_RUN = 64
"""Shorter runs, on the average, are not worth a layout each."""


class NoRecordError(Exception):
    """A row is no record; the words follow the name of what it is in."""


class _Strings:
    """A column of texts: where each begins in their bytes, and these bytes."""

    def __init__(self, column: pa.StringArray) -> None:
        _, offsets, content = column.buffers()
        self.starts = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        self._content = np.frombuffer(content or b"", np.uint8)
        self.lengths = np.diff(self.starts)

    def run(self, first: int, end: int) -> NDArray[np.uint8]:
        """The bytes of the texts from one to before another."""
        return self._content[self.starts[first] : self.starts[end]]


def _layout(lengths: dict[str, int]) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = []
    for name, kind in COLUMNS:
        if kind == "string":
            fields += [(name, f"V{lengths[name]}")] if lengths[name] else []
            fields.append((f"after {name}", "u1"))
        else:
            fields.append((name, _FORMS[kind]))
    return np.dtype(fields)


def _by_length(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[int]]:
    """The records with those of equal lengths next to each other, and where a run of equal lengths ends.

    A file of the history is in the order of the symbols, so that its runs are long as it is.
    """
    for attempt in range(2):
        lengths = [_Strings(batch.column(name)).lengths for name in _STRINGS]
        changes = np.zeros(batch.num_rows - 1, bool)
        for column in lengths:
            changes |= column[1:] != column[:-1]
        ends = (np.flatnonzero(changes) + 1).tolist()
        if attempt or len(ends) * _SHORT_RUN < batch.num_rows:
            break
        batch = batch.take(pa.array(np.lexsort(lengths)))
    return batch, [*ends, batch.num_rows]


def _sum(batch: pa.RecordBatch) -> int:
    batch, ends = _by_length(batch)
    strings = {name: _Strings(batch.column(name)) for name in _STRINGS}
    numbers = {name: batch.column(name).to_numpy() for name, kind in COLUMNS if kind != "string"}
    total = 0
    for first, end in zip([0, *ends], ends, strict=False):
        lengths = {name: int(column.lengths[first]) for name, column in strings.items()}
        laid = np.zeros(end - first, _layout(lengths))
        for name, length in lengths.items():
            if length:
                laid[name] = strings[name].run(first, end).view(f"V{length}")
        for name, values in numbers.items():
            laid[name] = values[first:end] + 0  # so that -0.0 is 0.0
        view, size = memoryview(laid.tobytes()), laid.itemsize
        total += sum([xxh64_intdigest(view[at : at + size]) for at in range(0, len(view), size)])
    return total


def require(batch: pa.RecordBatch, schema: pa.Schema, filled: Iterable[str] = ()) -> None:
    """Looks whether a batch has the columns of a schema, and a value in each row of those that are to be filled.

    Raises:
        NoRecordError: it has not.
    """
    for field in schema:
        at = batch.schema.get_field_index(field.name)
        if at < 0 or batch.schema.field(at).type != field.type:
            found = "no column" if at < 0 else f"{batch.schema.field(at).type} instead of {field.type} as the column"
            raise NoRecordError(f"has {found} {field.name}")
    for name in filled:
        if batch.column(name).null_count:
            raise NoRecordError(f"has a record without {name}")


def checksum(batch: pa.RecordBatch) -> int:
    """The checksum of `stock_market.history.checksum` over a batch with the columns of `SCHEMA`.

    Raises:
        NoRecordError: a column is missing or of another type, or a value is null.
    """
    require(batch, SCHEMA, SCHEMA.names)
    return added(*(_sum(batch.slice(first, _ROWS)) for first in range(0, batch.num_rows, _ROWS)))
