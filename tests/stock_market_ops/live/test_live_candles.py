"""The live page's candles: the same as Athena's, of every width, and bounded in memory."""

from __future__ import annotations

import random

import pytest
from tests.stock_market_ops.live.made import NOON

from stock_market_ops.live.candles import RINGS, WIDTHS, Piece, Ring, SymbolCandles, widened


def piece(time: int, close: float, first: int = 0, last: int = 999) -> Piece:
    """A second in which the price went from 1 below its close to it."""
    return Piece(time, close - 1, close + 2, close - 3, close, 5.0, time * 1000 + first, time * 1000 + last)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_candle_of_every_width_has_the_first_open_the_extremes_and_the_last_close(width: int) -> None:
    start = NOON - NOON % width
    symbol = SymbolCandles()
    closes = [100.0, 130.0, 80.0, 110.0]
    for at, close in enumerate(closes):
        symbol.add(piece(start + at * width // 5, close))
    seconds = sorted({start + at * width // 5 for at in range(4)})
    [candle] = symbol.newest(width, 10)
    assert candle == (start, 99.0, 132.0, 77.0, 110.0, 20.0)
    assert len(seconds) == (4 if width > 4 else 1)


def test_quotes_out_of_order_make_the_same_candles() -> None:
    rng = random.Random(1)
    made = [piece(NOON + at // 2, 100 + rng.random(), at % 2 * 500, at % 2 * 500 + 499) for at in range(1000)]
    shuffled = made[:]
    # Later than others by up to ten seconds, as of two producers.
    shuffled.sort(key=lambda each: each.first + rng.randrange(10_000))
    straight, crooked = SymbolCandles(), SymbolCandles()
    for one in made:
        straight.add(one)
    for one in shuffled:
        crooked.add(one)
    for width in (1, 5, 60, 300):
        assert crooked.newest(width, 600) == straight.newest(width, 600)


def test_a_quote_that_is_older_than_the_ring_is_left_out() -> None:
    ring = Ring(1, 10)
    for at in range(10):
        ring.add(piece(NOON + at, 100.0))
    ring.add(piece(NOON - 50, 1.0))
    assert [candle[0] for candle in ring.newest(100)] == [NOON + at for at in range(10)]


def test_a_page_that_is_open_for_a_day_holds_no_more_than_the_rings() -> None:
    symbol = SymbolCandles()
    for second in range(2 * 86_400):
        symbol.add(piece(NOON + second, 100.0))
    for ring, (_, most) in zip(symbol.rings, RINGS, strict=True):
        assert len(ring) <= most + 64
    assert len(symbol.newest(1, 10_000)) == RINGS[0][1]
    assert symbol.newest(1, 1)[0][0] == NOON + 2 * 86_400 - 1


def test_the_change_is_told_from_the_close_before_a_moment_or_else_the_oldest_open() -> None:
    ring = Ring(60, 10)
    assert ring.close_before(NOON) is None
    for minute in range(3):
        ring.add(piece(NOON + 60 * minute, 100.0 + minute))
    assert ring.close_before(NOON + 120) == 101.0
    assert ring.close_before(NOON) == 99.0


def test_widening_keeps_gaps() -> None:
    candles = [(0, 1.0, 4.0, 1.0, 2.0, 1.0), (4, 2.0, 3.0, 0.5, 3.0, 1.0), (20, 3.0, 3.0, 3.0, 3.0, 1.0)]
    assert widened(candles, 5) == [(0, 1.0, 4.0, 0.5, 3.0, 2.0), (20, 3.0, 3.0, 3.0, 3.0, 1.0)]
