"""A simulated market: correlated geometric Brownian motion, trading volume over the day, prices in ticks.

The logarithm of each price moves by  -s^2 dt / 2 + s sqrt(dt) z  in an interval dt (in years of 365 days, for this
market never closes), which is the exact step of geometric Brownian motion without drift (Glasserman, Monte Carlo
Methods in Financial Engineering, 3.2.1). The z are correlated by common factors, one for the world and one for each
region:  z = sqrt(a) world + sqrt(b) region + sqrt(1 - a - b) own. Highs and lows are drawn from the distribution of
the extremes of a Brownian bridge between open and close (ibid., 6.4):  (x + y + sqrt((x - y)^2 + 2 s^2 dt e)) / 2
with e of the standard exponential distribution.

At a million quotes a second a market lives through centuries in an hour. So that it stays a market, the walk is
reflected at a quarter and at four times the level that it starts at.
"""

from __future__ import annotations

import math
import random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_YEAR_SECONDS = 365 * 86_400.0
_WORLD = 0.35
_REGION = 0.3
_OWN = 1.0 - _WORLD - _REGION
_BAND = math.log(4.0)
_BLOCK_BARS = 4096


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


class Bars(NamedTuple):
    """Rounds of bars, one of every symbol a round: arrays of shape (rounds, symbols).

    Prices are in ticks of the symbol. `turnover` is the pieces traded in the interval on a second of average activity.
    """

    open: Integers
    high: Integers
    low: Integers
    close: Integers
    turnover: Floats


def listings(count: int, first: int = 0) -> list[Listing]:
    """`count` symbols from number `first` on: the world's 13 well-known indices, then invented tickers."""
    known = list(_LISTINGS[first : first + count])
    for number in range(max(first, len(_LISTINGS)), first + count):
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


def _reflected(walk: Floats, middle: Floats) -> Floats:
    """The walk, mirrored where it leaves the band around its middle."""
    off = walk - middle + _BAND
    if off.min() >= 0.0 and off.max() <= 2.0 * _BAND:
        return walk
    off %= 4.0 * _BAND
    return middle + np.where(off > 2.0 * _BAND, 4.0 * _BAND - off, off) - _BAND


class Market:
    """An endless series of bars, symbol after symbol, round after round; the same seed gives the same series.

    Args:
        symbols: how many symbols.
        seed: of the random numbers.
        interval_seconds: market time that a bar sums up: sets how far prices move and how much is traded.
        first_symbol: number of the first symbol, so that several markets can have symbols of their own.
    """

    def __init__(self, symbols: int, seed: int, interval_seconds: float, first_symbol: int = 0) -> None:
        self.listings = listings(symbols, first_symbol)
        self._random = np.random.default_rng(seed)
        self._rounds = max(1, _BLOCK_BARS // symbols)
        self._region = np.array([listing.region for listing in self.listings])
        deviation = np.array([listing.volatility for listing in self.listings])
        self._variance = deviation * deviation * interval_seconds / _YEAR_SECONDS
        self._volume = np.array([listing.volume for listing in self.listings]) * (interval_seconds / 86_400.0)
        self._middle = np.log([listing.level / listing.tick for listing in self.listings])
        self._walk = self._middle
        self._ticks = np.rint(np.exp(self._walk)).astype(np.int64)

    def bars(self) -> Bars:
        """The next rounds, always as many at once."""
        draw, shape = self._random, (self._rounds, len(self.listings))
        common = draw.standard_normal((self._rounds, 4))
        shock = math.sqrt(_WORLD) * common[:, 3:] + math.sqrt(_REGION) * common[:, self._region]
        shock += math.sqrt(_OWN) * draw.standard_normal(shape)
        steps = np.sqrt(self._variance) * shock - self._variance / 2.0
        walk = _reflected(self._walk + np.cumsum(steps, axis=0), self._middle)
        start = np.concatenate((self._walk[None], walk[:-1]))
        square, total, spread = (walk - start) ** 2, start + walk, 2.0 * self._variance
        top = (total + np.sqrt(square + spread * draw.standard_exponential(shape))) / 2.0
        bottom = (total - np.sqrt(square + spread * draw.standard_exponential(shape))) / 2.0
        close = np.rint(np.exp(walk)).astype(np.int64)
        first = np.concatenate((self._ticks[None], close[:-1]))
        high = np.maximum(np.rint(np.exp(top)).astype(np.int64), np.maximum(first, close))
        low = np.minimum(np.rint(np.exp(bottom)).astype(np.int64), np.minimum(first, close))
        # Much trade goes with large moves, in either direction.
        turnover = self._volume * np.exp(0.5 * draw.standard_normal(shape) - 0.125) * (0.5 + 0.63 * np.abs(shock))
        self._walk, self._ticks = walk[-1], close[-1]
        return Bars(first, high, np.maximum(low, 1), close, turnover)
