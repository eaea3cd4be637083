"""Turns bars and replayed rows into records: keys and values, with the producer's id and sequence in each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from stock_market import replay
from stock_market.logs import Log
from stock_market.market import Bar, Listing, Market
from stock_market.settings import ProducerSettings

_log = Log("source")


class Source(Protocol):
    """Where quotes come from."""

    def take(self, count: int) -> list[tuple[bytes, bytes]]:
        """At most `count` quotes, each as its key and the open JSON object that `Stamp` completes; none at the end."""


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


class _Format:
    """How a symbol's quotes are written."""

    def __init__(self, listing: Listing) -> None:
        self.key = listing.symbol.encode()
        self.tick = listing.tick
        self.digits = max(0, len(f"{listing.tick:.6f}".rstrip("0").partition(".")[2]))
        self.usd = listing.usd

    def price(self, ticks: int) -> str:
        """A price as JSON."""
        return f"{ticks * self.tick:.{self.digits}f}"


class SimulatedSource:
    """Quotes of a simulated market, each summing up the interval that ends now.

    Args:
        settings: the producer's settings.
        clock: seconds since 1970, UTC.
    """

    def __init__(self, settings: ProducerSettings, clock: Callable[[], float] = time.time) -> None:
        market = settings.simulate
        self._clock = clock
        self._market = Market(market.symbols, market.seed, market.interval_seconds)
        self._formats = {listing.symbol: _Format(listing) for listing in self._market.listings}
        self._bars = self._endless()

    def _endless(self) -> Iterator[Bar]:
        while True:
            yield from self._market.bars(self._clock() % 86_400.0)

    def take(self, count: int) -> list[tuple[bytes, bytes]]:
        """The next `count` quotes."""
        now = _iso(self._clock())
        quotes = []
        for listing, first, high, low, last, volume in islice(self._bars, count):
            form = self._formats[listing.symbol]
            price = form.price
            close = price(last)
            quotes.append(
                (
                    form.key,
                    f'{{"symbol":"{listing.symbol}","event_time":"{now}","open":{price(first)},"high":{price(high)},'
                    f'"low":{price(low)},"close":{close},"adj_close":{close},"volume":{volume},'
                    f'"close_usd":{float(close) * form.usd:.4f}'.encode(),
                )
            )
        return quotes


class ReplayedSource:
    """Quotes of a CSV file."""

    def __init__(self, settings: ProducerSettings) -> None:
        if settings.replay is None:
            raise AssertionError("the settings were not checked")
        options = settings.replay
        table = replay.read(options.path)
        _log.info("csv_read", path=options.path, **replay.report(table))
        self._series = replay.series(table, options.order, loop=options.loop, seed=options.seed)

    def take(self, count: int) -> list[tuple[bytes, bytes]]:
        """The next `count` quotes, or as many as are left."""
        return list(islice(self._series, count))


def make_source(settings: ProducerSettings) -> Source:
    """The source that the settings ask for.

    Raises:
        SettingsError: the CSV file is of no use.
    """
    return SimulatedSource(settings) if settings.mode == "simulate" else ReplayedSource(settings)


class Stamp:
    """Completes quotes: numbers them 0, 1, 2, ... without a gap under one producer id.

    Args:
        producer_id: names one start of one producer process.
    """

    def __init__(self, producer_id: str) -> None:
        self.producer_id = producer_id
        self.next_sequence = 0
        self._tail = f',"producer_id":"{producer_id}","sequence":'.encode()

    def complete(self, start: bytes) -> bytes:
        """The whole value."""
        sequence = self.next_sequence
        self.next_sequence = sequence + 1
        return b"%b%b%d}" % (start, self._tail, sequence)
