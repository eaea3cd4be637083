"""A simulated market: correlated geometric Brownian motion, trading volume over the day, prices in ticks.

The logarithm of each price moves by  -s^2 dt / 2 + s sqrt(dt) z  in an interval dt (in years of 365 days, for this
market never closes), which is the exact step of geometric Brownian motion without drift (Glasserman, Monte Carlo
Methods in Financial Engineering, 3.2.1). The z are correlated by common factors, one for the world and one for each
region:  z = sqrt(a) world + sqrt(b) region + sqrt(1 - a - b) own. Highs and lows are drawn from the distribution of
the extremes of a Brownian bridge between open and close (ibid., 6.4):  (x + y + sqrt((x - y)^2 - 2 s^2 dt ln u)) / 2.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import NamedTuple

_YEAR_SECONDS = 365 * 86_400.0
_WORLD = 0.35
_REGION = 0.3
_OWN = 1.0 - _WORLD - _REGION


class Listing(NamedTuple):
    """A symbol: where it is traded, in which currency, and how.

    Attributes:
        symbol: index or ticker.
        region: shares a factor with the others of its region.
        level: the price that the simulation starts at, in the symbol's currency.
        usd: US dollars for one unit of the currency.
        tick: the smallest step of its price.
        volatility: standard deviation of a year's logarithmic return.
        volume: pieces traded on an average day.
    """

    symbol: str
    region: int
    level: float
    usd: float
    tick: float
    volatility: float
    volume: int


_AMERICA, _EUROPE, _ASIA = range(3)
_LISTINGS = (
    Listing("NYA", _AMERICA, 16_590.0, 1.0, 0.01, 0.17, 3_900_000_000),
    Listing("IXIC", _AMERICA, 13_640.0, 1.0, 0.01, 0.24, 4_300_000_000),
    Listing("GSPTSE", _AMERICA, 19_970.0, 0.83, 0.01, 0.16, 240_000_000),
    Listing("N100", _EUROPE, 1_260.0, 1.22, 0.01, 0.18, 310_000_000),
    Listing("GDAXI", _EUROPE, 15_600.0, 1.22, 0.5, 0.21, 90_000_000),
    Listing("SSMI", _EUROPE, 11_600.0, 1.16, 0.01, 0.16, 45_000_000),
    Listing("HSI", _ASIA, 29_100.0, 0.13, 0.01, 0.22, 2_100_000_000),
    Listing("N225", _ASIA, 28_900.0, 0.01, 1.0, 0.21, 65_000_000),
    Listing("000001.SS", _ASIA, 3_600.0, 0.16, 0.01, 0.2, 310_000_000),
    Listing("399001.SZ", _ASIA, 14_800.0, 0.16, 0.01, 0.25, 420_000_000),
    Listing("TWII", _ASIA, 17_100.0, 0.04, 0.05, 0.19, 4_800_000),
    Listing("J203.JO", _EUROPE, 67_900.0, 0.07, 1.0, 0.2, 190_000_000),
    Listing("NSEI", _ASIA, 15_670.0, 0.01, 0.05, 0.2, 560_000),
)
_CURRENCIES = (
    (_AMERICA, 1.0, 0.01),
    (_EUROPE, 1.22, 0.01),
    (_ASIA, 0.13, 0.02),
    (_ASIA, 0.01, 1.0),
    (_ASIA, 0.16, 0.01),
)


class Bar(NamedTuple):
    """One interval of one symbol: prices in ticks of the symbol, and the pieces traded."""

    listing: Listing
    open: int
    high: int
    low: int
    close: int
    volume: int


def listings(count: int) -> list[Listing]:
    """The first `count` symbols: the world's well-known indices, then invented tickers."""
    known = list(_LISTINGS[:count])
    for number in range(len(known), count):
        region, usd, tick = _CURRENCIES[number % len(_CURRENCIES)]
        draw = random.Random(number)
        level = tick * round(math.exp(draw.uniform(math.log(500), math.log(50_000))))
        known.append(
            Listing(
                symbol=f"SIM{number:04d}",
                region=region,
                level=level,
                usd=usd,
                tick=tick,
                volatility=draw.uniform(0.15, 0.6),
                volume=round(math.exp(draw.uniform(math.log(1e5), math.log(1e8)))),
            )
        )
    return known


def activity(second_of_day: float) -> float:
    """Share of an average second's trading that falls on this second of the UTC day: a U, high at both ends.

    The mean over the day is 1.
    """
    middle = second_of_day / 43_200.0 - 1.0
    return 0.4 + 1.8 * middle * middle


class Market:
    """An endless series of bars, symbol after symbol, round after round; the same seed gives the same series.

    Args:
        symbols: how many symbols.
        seed: of the random numbers.
        interval_seconds: market time that a bar sums up: sets how far prices move and how much is traded.
    """

    def __init__(self, symbols: int, seed: int, interval_seconds: float) -> None:
        self.listings = listings(symbols)
        self._random = random.Random(seed)
        self._interval = interval_seconds
        self._logs = [math.log(listing.level / listing.tick) for listing in self.listings]

    def bars(self, second_of_day: float) -> Iterator[Bar]:
        """One round: a bar of every symbol for the interval that ends at this second of the UTC day."""
        gauss = self._random.gauss
        uniform = self._random.random
        exp, log, sqrt = math.exp, math.log, math.sqrt
        world = gauss(0.0, sqrt(_WORLD))
        regions = [gauss(0.0, sqrt(_REGION)) for _ in range(3)]
        years = self._interval / _YEAR_SECONDS
        own = sqrt(_OWN)
        trade = activity(second_of_day) * self._interval / 86_400.0
        for index, listing in enumerate(self.listings):
            variance = listing.volatility * listing.volatility * years
            shock = world + regions[listing.region] + gauss(0.0, own)
            start = self._logs[index]
            end = max(0.0, start - variance / 2.0 + sqrt(variance) * shock)
            self._logs[index] = end
            square = (end - start) ** 2
            span = 2.0 * variance
            top = (start + end + sqrt(square - span * log(1.0 - uniform()))) / 2.0
            bottom = (start + end - sqrt(square - span * log(1.0 - uniform()))) / 2.0
            first, last = max(1, round(exp(start))), max(1, round(exp(end)))
            # Much trade goes with large moves, in either direction.
            volume = int(listing.volume * trade * exp(gauss(-0.125, 0.5)) * (0.5 + 0.63 * abs(shock)))
            yield Bar(
                listing,
                first,
                max(first, last, round(exp(top))),
                max(1, min(first, last, round(exp(bottom)))),
                last,
                volume,
            )
