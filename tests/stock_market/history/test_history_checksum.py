"""Promises about the checksum over records; that Athena finds the same is in test_history_hours.py."""

from __future__ import annotations

import random
import struct

import msgspec
import pytest
import xxhash

from stock_market.history import checksum
from stock_market.history.tables import COLUMNS
from stock_market.quotes.validation import Quote


def quotes(count: int) -> list[Quote]:
    """Quotes of all kinds."""
    source = random.Random(7)
    return [
        Quote(
            symbol=source.choice(["HSI", "日経", "\U0001f4c8", 'a"b\\c']),
            event_time="2026-01-31T09:30:00.000Z",
            open=source.uniform(-1e9, 1e9),
            high=-0.0,
            low=5e-324,
            close=1.7976931348623157e308,
            adj_close=source.random(),
            volume=source.choice([0, 2**63 - 1]),
            close_usd=1e22,
            producer_id="p",
            sequence=number,
        )
        for number in range(count)
    ]


def test_it_is_the_sum_of_the_hashes_of_the_bytes_that_the_contract_names() -> None:
    one = quotes(1)[0]
    data = (
        f"{one.symbol}\0{one.event_time}\0".encode()
        # -0.0 counts as 0.0.
        + struct.pack(">ddddd", one.open, 0.0, one.low, one.close, one.adj_close)
        + struct.pack(">qd", one.volume, one.close_usd)
        + b"p\0"
        + struct.pack(">q", one.sequence)
    )
    assert checksum.checksum_of_records([one]) == xxhash.xxh64_intdigest(data)
    assert checksum.text_of(checksum.checksum_of_records([one])) == xxhash.xxh64_hexdigest(data)


def test_it_does_not_depend_on_the_order_nor_on_how_records_are_grouped() -> None:
    records = quotes(500)
    whole = checksum.checksum_of_records(records)
    shuffled = random.Random(1).sample(records, len(records))
    assert checksum.checksum_of_records(shuffled) == whole
    parts = [checksum.checksum_of_records(shuffled[at : at + 100]) for at in range(0, 500, 100)]
    assert checksum.added(*parts) == whole
    # As Athena has them: signed, and added up without a modulus.
    assert checksum.added(sum(part - 2**64 if part >= 2**63 else part for part in parts)) == whole


@pytest.mark.parametrize("field", [name for name, _ in COLUMNS])
def test_it_sees_a_change_of_any_field(field: str) -> None:
    one = quotes(1)[0]
    value = getattr(one, field)
    if isinstance(value, str):
        changed: object = f"{value}x"
    else:
        changed = value ^ 1 if isinstance(value, int) else value / 2 or 7.0
    other = msgspec.structs.replace(one, **{field: changed})
    assert checksum.checksum_of_records([other]) != checksum.checksum_of_records([one])


@pytest.mark.parametrize("field", [name for name, _ in COLUMNS])
def test_a_missing_value_is_no_record(field: str) -> None:
    first, second = quotes(2)
    with pytest.raises((TypeError, struct.error)):
        checksum.checksum_of_records([first, msgspec.structs.replace(second, **{field: None})])
