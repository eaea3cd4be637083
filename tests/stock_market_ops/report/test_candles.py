"""Candles, their bands, and the moves of the heat map."""

from __future__ import annotations

import math

import pytest

from stock_market_ops.common.athena import Row
from stock_market_ops.report import candles


def row(symbol: str, time: int, close: float, open_: float = 10.0) -> Row:
    """A candle as Athena answers it."""
    highest, lowest = max(open_, close), min(open_, close)
    return {"symbol": symbol, "time": time, "open": open_, "high": highest, "low": lowest, "close": close, "volume": 5}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, 1),
        (180, 1),
        (181, 5),
        (600, 5),
        (3 * 3600, 60),
        (86_400, 900),
        (180 * 86_400, 86_400),
        (60 * 365 * 86_400, 7_776_000),
    ],
)
def test_the_interval_is_the_shortest_that_leaves_at_most_180_candles(seconds: int, expected: int) -> None:
    assert candles.interval(1_000_000.0, 1_000_000.0 + seconds) == expected


def test_candles_are_read_by_symbol_in_the_order_of_the_answer() -> None:
    found = candles.read([row("B", 0, 11), row("B", 60, 12), row("A", 0, 9)])
    assert [(one.symbol, one.time, one.close) for one in found] == [("B", [0, 60], [11.0, 12.0]), ("A", [0], [9.0])]


def test_an_interval_without_a_price_is_left_out() -> None:
    found = candles.read([row("A", 0, 9), row("A", 60, 9) | {"close": None}])
    assert found[0].time == [0]


def test_bands_begin_with_the_twentieth_interval() -> None:
    closes = [10.0 + place for place in range(21)]
    one = candles.read([row("A", 60 * place, close) for place, close in enumerate(closes)])[0]
    assert one.middle[:19] == [None] * 19
    assert one.middle[19:] == [19.5, 20.5]
    deviation = math.sqrt(sum((close - 19.5) ** 2 for close in closes[:20]) / 20)
    assert one.upper[19] == pytest.approx(19.5 + 2 * deviation)
    assert one.lower[19] == pytest.approx(19.5 - 2 * deviation)


def test_prices_at_the_end_of_what_a_double_holds_have_no_bands() -> None:
    one = candles.read([row("A", 60 * place, 1.7e308) for place in range(20)])[0]
    assert (one.middle[19], one.upper[19], one.lower[19]) == (None, None, None)


def test_moves_are_percents_from_one_span_to_the_next_that_has_a_quote() -> None:
    one = candles.read([row("A", 0, 11.0), row("A", 60, 11.0), row("A", 240, 5.5)])[0]
    found = candles.moves(one, 0, 120, 3)
    assert found == [pytest.approx(10.0), None, pytest.approx(-50.0)]


def test_a_price_of_zero_makes_no_move() -> None:
    one = candles.read([row("A", 0, 0.0, 0.0), row("A", 60, 1.0)])[0]
    assert candles.moves(one, 0, 60, 2) == [None, None]
