"""Turns the market's bars and replayed rows into records, with the producer's id and sequence in each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias, cast

import msgspec
import numpy as np
from kafka.partitioner import murmur2

from stock_market.kafka.batch_builder import Records, gather
from stock_market.logs import Log
from stock_market.producer.market import Floats, Integers, Market, activity
from stock_market.producer.replay_file import ReplayFile
from stock_market.producer.rows import Cut, Quotes, RowWriter, capacity
from stock_market.settings import ProducerSettings

_log = Log("source")
_DAY_SECONDS = 86_400.0
_MAX_RECORDS = 16384
"""Records that are made at once at most: enough for batches that are worth a request."""


@lru_cache(maxsize=1 << 16)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, as Java's producer has it."""
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % partitions


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


class SimulatedSource:
    """Quotes of a simulated market, each summing up the interval that ends now, by a clock of seconds since 1970."""

    def __init__(self, settings: ProducerSettings, producer_id: str, clock: Callable[[], float] = time.time) -> None:
        options = settings.simulate
        self._clock = clock
        self._market = Market(options.symbols, options.seed, options.interval_seconds, options.first_symbol)
        listings = self._market.listings
        self._hundredths = np.array([round(listing.tick * 100.0) for listing in listings])
        self._keys = [listing.symbol.encode() for listing in listings]
        self._block, self._at = self._next_block(), 0
        self._writer = RowWriter(listings, producer_id)
        self._batch_rows = capacity(settings.kafka.batch_bytes, self._writer.width)
        self._plan: tuple[Integers, Cut] | None = None
        self._planned = (-1, -1, -1)
        self.produced = 0

    def _next_block(self) -> tuple[Floats | Integers, ...]:
        """The market's next bars, one entry of each array a bar: symbol, four prices in hundredths, turnover."""
        bars = self._market.bars()
        rounds, symbols = bars.open.shape
        prices = [(price * self._hundredths).ravel() for price in bars[:4]]
        return (np.tile(np.arange(symbols), rounds), *prices, bars.turnover.ravel())

    def _next(self, count: int) -> Iterator[Any]:
        """Each of a block's arrays for the next bars."""
        parts = []
        while count:
            if self._at == len(self._block[0]):
                self._block, self._at = self._next_block(), 0
            first, self._at = self._at, min(self._at + count, len(self._block[0]))
            parts.append([column[first : self._at] for column in self._block])
            count -= self._at - first
        return (np.concatenate(columns) for columns in zip(*parts, strict=True))

    def take(self, count: int, partitions: int) -> list[Records]:
        """The next quotes, at most `count`."""
        now = self._clock()
        symbol, *prices, turnover = self._next(min(count, _MAX_RECORDS))
        order, cut = self._batches(symbol, partitions)
        volume = (turnover[order] * activity(now % _DAY_SECONDS)).astype(np.int64)
        opened, high, low, close = (price[order] for price in prices)
        quotes = Quotes(symbol[order], opened, high, low, close, volume, order + self.produced)
        self.produced += len(order)
        return self._writer.write(quotes, _iso(now).encode(), cut)

    def _batches(self, symbol: Integers, partitions: int) -> tuple[Integers, Cut]:
        """The order of these quotes by partition, and how they are cut into batches."""
        planned = (int(symbol[0]), len(symbol), partitions)
        if self._plan is None or self._planned != planned:
            self._planned, self._plan = planned, self._make_plan(symbol, partitions)
        return self._plan

    def _make_plan(self, symbol: Integers, partitions: int) -> tuple[Integers, Cut]:
        of_symbol = np.array([partition_of(key, partitions) for key in self._keys])
        partition = of_symbol[symbol]
        counts = np.bincount(partition, minlength=partitions)
        ends = np.cumsum(counts)
        offset = (np.arange(len(symbol)) - np.repeat(ends - counts, counts)) % self._batch_rows
        batches = [
            (number, begin, min(begin + self._batch_rows, end))
            for number, (length, end) in enumerate(zip(counts.tolist(), ends.tolist(), strict=True))
            for begin in range(end - length, end, self._batch_rows)
        ]
        return np.argsort(partition, kind="stable"), Cut(offset, batches)


class Stamp:
    """Completes quotes: numbers them 0, 1, 2, ... without a gap under one producer id."""

    def __init__(self, producer_id: str) -> None:
        self.next_sequence = 0
        self._tail = f',"producer_id":"{producer_id}","sequence":'.encode()

    def complete(self, start: bytes) -> bytes:
        """The whole value: `start` is a JSON object without its last brace."""
        sequence = self.next_sequence
        self.next_sequence = sequence + 1
        return b"%b%b%d}" % (start, self._tail, sequence)


class _Placed(msgspec.Struct):
    """What the way of a row depends on."""

    symbol: str
    event_time: str


_PLACED = msgspec.json.Decoder(_Placed)


class ReplayedSource:
    """Quotes of the operator's own market data, read block by block."""

    def __init__(self, settings: ProducerSettings, producer_id: str) -> None:
        if settings.replay is None:
            raise AssertionError("the settings were not checked")
        options = settings.replay
        file = ReplayFile(options.path)
        _log.info("replay_file", path=options.path, rows=file.rows, order=file.order)
        self._lines = file.lines(loop=options.loop, seed=options.seed)
        self._stamp = Stamp(producer_id)
        self._batch_bytes = settings.kafka.batch_bytes
        self._next: tuple[bytes, _Placed] | None = None
        self.by_time = file.order == "time"
        self.until = math.inf
        """By the rows' clock, in seconds since 1970: no later row is given; infinite where rows have no clock."""

    @property
    def produced(self) -> int:
        """How many records it has given."""
        return self._stamp.next_sequence

    def _look(self) -> bool:
        """Whether there is a next row."""
        if self._next is None:
            line = next(self._lines, None)
            self._next = None if line is None else (line, _PLACED.decode(line))
        return self._next is not None

    def _moment(self) -> float:
        return 0.0 if self._next is None else datetime.fromisoformat(self._next[1].event_time).timestamp()

    def upcoming(self) -> float | None:
        """The next row's event time, in seconds since 1970; None where none is left."""
        return self._moment() if self._look() else None

    def take(self, count: int, partitions: int) -> list[Records]:
        """The next quotes, at most `count`, or as many as are left."""
        return gather(self._records(min(count, _MAX_RECORDS), partitions), self._batch_bytes)

    def _records(self, count: int, partitions: int) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
        until = self.until
        for _ in range(count):
            if not self._look() or (self.by_time and self._moment() > until):
                return
            (line, placed), self._next = cast("tuple[bytes, _Placed]", self._next), None
            key = placed.symbol.encode()
            yield partition_of(key, partitions), (key, self._stamp.complete(line[:-1]))


Source: TypeAlias = SimulatedSource | ReplayedSource
"""Where records come from: `take` gives at least one unless none are left, `produced` is the next sequence number."""


def make_source(settings: ProducerSettings, producer_id: str) -> Source:
    """The source that the settings ask for.

    Raises:
        SettingsError: the file to replay is of no use.
    """
    if settings.mode == "simulate":
        return SimulatedSource(settings, producer_id)
    return ReplayedSource(settings, producer_id)
