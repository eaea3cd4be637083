"""The checksum of whole columns is the one that docs/history.md gives, whatever the lengths and the order."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from tests.support.stock_market.history_lake import COLUMNS, checksum

from stock_market_ops.verify.history import records

_WITH_DOUBLE = records.SCHEMA.set(7, pa.field("volume", pa.float64()))


def quotes(count: int, *, sort: bool) -> list[dict[str, object]]:
    """Quotes with texts of many lengths, not only of ASCII."""
    draw = random.Random(3)
    found: list[dict[str, object]] = [
        {
            "symbol": draw.choice(["A", "HSI", "^N225", "ÅÄÖ", "日経"]),
            "event_time": f"2026-01-01T00:00:{number % 60:02d}.000Z",
            **{name: draw.choice([0.0, -0.0, 1.5, 1e300, -2.25]) for name in COLUMNS[2:7]},
            "volume": draw.randrange(2**63),
            "close_usd": draw.random(),
            "producer_id": draw.choice(["p", "q" * 64]),
            "sequence": number,
        }
        for number in range(count)
    ]
    return sorted(found, key=lambda quote: str(quote["symbol"])) if sort else found


@pytest.mark.parametrize("sort", [False, True])
@pytest.mark.parametrize("count", [0, 1, 5, 40_000])
def test_it_is_the_sum_of_the_records_hashes(count: int, sort: bool) -> None:
    made = quotes(count, sort=sort)
    batch = pa.RecordBatch.from_pylist(made, schema=records.SCHEMA)
    assert records.checksum(batch) == checksum(made)
    assert records.checksum(batch.slice(count // 3)) == checksum(made[count // 3 :])


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (
            pa.RecordBatch.from_pylist(quotes(3, sort=False), schema=records.SCHEMA).drop_columns(["low"]),
            "no column low",
        ),
        (
            pa.RecordBatch.from_pylist([quotes(1, sort=False)[0] | {"volume": 7}], schema=_WITH_DOUBLE),
            "double instead of int64 as the column volume",
        ),
        (
            pa.RecordBatch.from_pylist([*quotes(3, sort=False), {}], schema=records.SCHEMA),
            "has a record without symbol",
        ),
    ],
)
def test_what_is_no_record_is_said(batch: pa.RecordBatch, words: str) -> None:
    with pytest.raises(records.NoRecordError, match=words):
        records.checksum(batch)
