"""The live page's market: quotes by the consumer's own rule, symbols within bounds, their names only data."""

from __future__ import annotations

import json
import sys

import msgspec
import pytest
from tests.stock_market_ops.live.made import HOSTILE, NOON, block, value

from stock_market_ops.live import market
from stock_market_ops.live.candles import Piece
from stock_market_ops.live.market import Market


def taken(*values: tuple[str, bytes | None], into: Market | None = None) -> Market:
    """A market that has read these records."""
    found = Market() if into is None else into
    found.add(*market.quotes(block(*values)))
    return found


@pytest.mark.parametrize("copies", [1, 50])
def test_what_the_consumer_quarantines_is_not_on_the_page(copies: int) -> None:
    good = ("A", value("A", 100.0))
    bad: list[tuple[str, bytes | None]] = [
        ("A", None),
        ("A", b"{}"),
        ("A", b"not JSON"),
        ("B", value("A", 1.0)),
        ("A", value("A", 1.0, volume=-1)),
        ("A", value("A", 1.0, event_time="2026-02-30T00:00:00.000Z")),
        ("A", value("A", 1.0, more=1)),
    ]
    found = taken(*([good, *bad] * copies))
    assert found.invalid == 7 * copies
    _, [row] = found.board()
    assert (row.symbol, row.last, row.volume) == ("A", 100.0, 10.0 * copies)


def test_the_board_has_what_changed_and_no_more() -> None:
    found = taken(("A", value("A", 100.0)), ("B", value("B", 50.0)))
    version, rows = found.board()
    assert [row.symbol for row in rows] == ["A", "B"]
    taken(("B", value("B", 51.0, NOON * 1000 + 1)), into=found)
    newer, rows = found.board(version)
    assert [(row.symbol, row.last) for row in rows] == [("B", 51.0)]
    assert found.board(newer) == (newer, [])


def test_the_change_is_over_fifteen_minutes() -> None:
    found = taken(("A", value("A", 100.0)))
    taken(("A", value("A", 200.0, (NOON + 600) * 1000)), into=found)
    taken(("A", value("A", 220.0, (NOON + 600 + 901) * 1000)), into=found)
    _, [row] = found.board()
    assert row.change == 10.0


def test_a_late_quote_does_not_become_the_last_price() -> None:
    found = taken(("A", value("A", 100.0, NOON * 1000 + 500)))
    taken(("A", value("A", 1.0, NOON * 1000 + 100)), into=found)
    _, [row] = found.board()
    assert row.last == 100.0


def test_symbols_beyond_the_most_are_counted_and_not_kept() -> None:
    found = Market(most_symbols=3)
    taken(*((f"S{at}", value(f"S{at}", 100.0)) for at in range(10)), into=found)
    assert len(found) == 3
    assert found.beyond == 7
    assert found.candles("S9", 5, 10) == []


def test_five_hundred_symbols_over_a_day_stay_within_100_megabytes() -> None:
    found = Market()
    values = [(f"S{at}", value(f"S{at}", 100.0)) for at in range(500)]
    taken(*values, into=found)
    one = found._symbols["S0"]
    for second in range(86_400):
        one.candles.add(Piece(NOON + second, 1.0, 1.0, 1.0, 1.0, 1.0, NOON * 1000, NOON * 1000))
    size = sum(sys.getsizeof(ring._cells) for ring in one.candles.rings)
    assert 500 * size < 100_000_000


def test_a_hostile_symbol_is_data() -> None:
    found = taken((HOSTILE, value(HOSTILE, 100.0)))
    _, rows = found.board()
    assert json.loads(msgspec.json.encode(rows))[0][0] == HOSTILE
    assert found.busiest() == HOSTILE
    assert found.sparks() == {HOSTILE: [100.0]}
