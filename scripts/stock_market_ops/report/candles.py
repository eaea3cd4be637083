"""Candles: open, high, low, close and volume of each symbol by interval, and what is derived from them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import groupby
from typing import Final

import msgspec

from stock_market_ops.common.analyses import HOURS
from stock_market_ops.common.athena import Row
from stock_market_ops.common.candles import columns

MAX_SYMBOLS: Final = 24
_MAX_INTERVALS: Final = 180
# Seconds: the intervals that people know from charts, up to a quarter of a year for decades of daily quotes.
INTERVALS: Final = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 14_400, 86_400, 604_800, 2_592_000, 7_776_000)
# Bollinger's own choice (https://www.bollingerbands.com/bollinger-band-rules): 20 intervals, 2 standard deviations.
BAND_INTERVALS: Final = 20
_BAND_DEVIATIONS: Final = 2.0


class Candles(msgspec.Struct, frozen=True):
    """A symbol's candles, oldest first: lists of the same length.

    `time` is an interval's start in seconds since 1970 (UTC); prices are in the symbol's own currency. `middle`,
    `upper` and `lower` are its Bollinger bands, None until there are 20 intervals.
    """

    symbol: str
    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]
    middle: list[float | None]
    upper: list[float | None]
    lower: list[float | None]


def interval(oldest: float, newest: float) -> int:
    """Return the shortest interval, in seconds, that cuts the time between two moments into at most 180 pieces."""
    return next((width for width in INTERVALS if (newest - oldest) / width <= _MAX_INTERVALS), INTERVALS[-1])


def sql(table: str, width: int) -> str:
    """Return the statement for the most traded symbols' candles of `width` seconds, with two `?` as analyses have."""
    return f"""\
WITH candles AS (
    SELECT
        symbol,
{columns(width)}
    FROM {table}
    WHERE dt >= ?{HOURS}
    GROUP BY 1, 2
),

totals AS (
    SELECT
        *,
        sum(volume) OVER (PARTITION BY symbol) AS total
    FROM candles
),

ranked AS (
    SELECT
        *,
        dense_rank() OVER (ORDER BY total DESC, symbol) AS place
    FROM totals
)

SELECT symbol, time, open, high, low, close, volume
FROM ranked
WHERE place <= {MAX_SYMBOLS}
ORDER BY place, symbol, time"""


def read(rows: Sequence[Row]) -> list[Candles]:
    """Return the symbols' candles in the order of the answer; an interval without one of its prices is left out."""
    whole = (row for row in rows if None not in row.values())
    return [_candles(str(symbol), list(group)) for symbol, group in groupby(whole, lambda row: row["symbol"])]


def _candles(symbol: str, rows: list[Row]) -> Candles:
    def column(name: str) -> list[float]:
        return [float(row[name] or 0) for row in rows]

    close = column("close")
    bands = [_band(close[max(0, end - BAND_INTERVALS) : end]) for end in range(1, len(close) + 1)]
    return Candles(
        symbol,
        [int(row["time"] or 0) for row in rows],
        column("open"),
        column("high"),
        column("low"),
        close,
        column("volume"),
        *([band[place] for band in bands] for place in range(3)),
    )


def _band(closes: list[float]) -> tuple[float | None, float | None, float | None]:
    if len(closes) < BAND_INTERVALS:
        return None, None, None
    try:
        middle = statistics.fmean(closes)
        distance = _BAND_DEVIATIONS * statistics.pstdev(closes)
    except OverflowError:  # prices at the end of what a double holds
        return None, None, None
    return middle, middle + distance, middle - distance


def moves(candles: Candles, begin: int, width: int, count: int) -> list[float | None]:
    """Return how far the close moved in each of `count` spans of `width` seconds from `begin` on, in percent.

    None where a span has no candle, or nothing comes before it.
    """
    last: dict[int, float] = {}
    for time, close in zip(candles.time, candles.close, strict=True):
        last[(time - begin) // width] = close
    result: list[float | None] = []
    before = candles.open[0] if candles.open else 0.0
    for place in range(count):
        close_now = last.get(place)
        result.append(100 * (close_now - before) / before if close_now is not None and before > 0 else None)
        before = before if close_now is None else close_now
    return result
