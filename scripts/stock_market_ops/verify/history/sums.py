"""Sums up records, and reads the rows of the table of the hours summed up that say the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap64

from stock_market.history.summary import HOURS
from stock_market_ops.verify.history.records import TYPES, require
from stock_market_ops.verify.history.totals import COLUMNS, Group, Total, Totals
from stock_market_ops.verify.numbers import Numbers

_BLOCKS = ("block", "bits")
SCHEMA: Final = pa.schema(
    [pa.field(name, TYPES[kind]) for name, kind in HOURS.columns if name in {*Group._fields, *COLUMNS, *_BLOCKS}]
)
"""The columns that are read of the table."""
_NUMBERS = 64
"""In a block."""
_HALF = 32
_PIECES = (
    ("sequence", "count"),
    ("sequence", "min"),
    ("sequence", "max"),
    ("low", "min"),
    ("high", "max"),
    ("close", "sum"),
    ("close_usd", "sum"),
    ("lower_volume", "sum"),
    ("volume", "max"),
    ("zero", "sum"),
    ("size", "sum"),
    ("upper_volume", "sum"),
)


def of_records(batch: pa.RecordBatch) -> Totals:
    """The totals of sound records."""
    named = {name: batch.column(name) for name in batch.schema.names}
    # In two halves, of which the sums of a batch fit into 64 bits.
    upper = pc.shift_right(named["volume"], _HALF)
    columns = named | {
        "day": pc.utf8_slice_codeunits(named["event_time"], 0, 10),
        "upper_volume": upper,
        "lower_volume": pc.subtract(named["volume"], pc.shift_left(upper, _HALF)),
        "zero": pc.equal(named["volume"], 0).cast(pa.int64()),
        "size": pc.add(pc.abs(named["close"]), pc.abs(named["close_usd"])),
    }
    found = pa.table(columns).group_by(list(Group._fields), use_threads=False).aggregate(list(_PIECES))
    totals = {}
    for group, *values, upper_volume in _rows(found, *(f"{name}_{how}" for name, how in _PIECES)):
        total = Total(*values)
        totals[group] = total._replace(volume=total.volume + (upper_volume << _HALF))
    return totals


def of_rows(batch: pa.RecordBatch, producers: dict[str, Numbers]) -> Totals:
    """The totals that rows of the table say; the sequence numbers that they say are added to those of the producers.

    Raises:
        NoRecordError: a column is missing or of another type, or a value is null that must not be.
    """
    require(batch, SCHEMA)
    sums = batch.filter(pc.is_valid(batch.column("day")))
    require(sums, SCHEMA, [*Group._fields, *COLUMNS])
    blocks = batch.filter(pc.is_valid(batch.column("block")))
    require(blocks, SCHEMA, ["producer_id", "records", *_BLOCKS])
    _count(blocks, producers)
    return {group: Total(*values) for group, *values in _rows(sums, *COLUMNS)}


def _rows(table: pa.Table | pa.RecordBatch, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Each row's group, and then its values of these columns."""
    groups = map(Group, *(table.column(name).to_pylist() for name in Group._fields))
    return zip(groups, *(table.column(name).to_pylist() for name in columns), strict=True)


def _count(blocks: pa.RecordBatch, producers: dict[str, Numbers]) -> None:
    coded = blocks.column("producer_id").dictionary_encode()
    codes = coded.indices.to_numpy()
    block, bits, records = (blocks.column(name).to_numpy() for name in ("block", "bits", "records"))
    for code, name in enumerate(coded.dictionary.to_pylist()):
        own = codes == code
        at, bit = np.nonzero(np.unpackbits(bits[own].view(np.uint8), bitorder="little").reshape(-1, _NUMBERS))
        numbers = block[own][at].astype(np.uint64) * _NUMBERS + bit.astype(np.uint64)
        producers.setdefault(name, Numbers()).merge(BitMap64(numbers.tolist()), int(records[own].sum()))
