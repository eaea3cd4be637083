"""The market as the page knows it: each symbol's newest quote and its candles, in bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np

from stock_market.kafka.record_block import RecordBlock
from stock_market.quotes import validation
from stock_market.quotes.compact import surely_valid
from stock_market_ops.live.candles import Candle, Piece, SymbolCandles

MOST_SYMBOLS: Final = 2000
CHANGE_SECONDS: Final = 900
"""The change on the board is the one over this time, or since the page's first quote where that is shorter."""
SPARK_POINTS: Final = 60
# Fewer records are sooner judged one by one than side by side.
_MANY: Final = 100


class Tick(msgspec.Struct, gc=False):
    """What the page needs of a quote."""

    symbol: str
    event_time: str
    open: float
    high: float
    low: float
    close: float
    volume: int


class Row(msgspec.Struct, array_like=True):
    """A line of the board: change in percent, time in milliseconds since 1970, volume since the page began."""

    symbol: str
    last: float
    change: float
    time: int
    volume: float


class _Symbol:
    __slots__ = ("candles", "last", "time", "version", "volume")

    def __init__(self) -> None:
        self.candles = SymbolCandles()
        self.last = 0.0
        self.time = -1
        self.volume = 0.0
        self.version = 0


_DECODER = msgspec.json.Decoder(Tick)


@lru_cache(maxsize=8192)
def _second(text: str) -> int:
    """Return the seconds since 1970 of `YYYY-MM-DDTHH:MM:SS`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def milliseconds(event_time: str) -> int:
    """Return the milliseconds since 1970 of a valid quote's event time."""
    return _second(event_time[:19]) * 1000 + int(event_time[20:23])


def quotes(block: RecordBlock) -> tuple[list[Tick], int]:
    """Return a block's valid quotes, by the consumer's own rule, and how many records are none."""
    if block.flaw:
        return [], len(block)
    if not len(block):
        return [], 0
    if len(block) >= _MANY:
        unsure = np.flatnonzero(~surely_valid(block, validation.is_time)).tolist()
    else:
        unsure = list(range(len(block)))
    bad = set()
    for index in unsure:
        record = block.record(index)
        if validation.flaw(record.key, record.value) is not None:
            bad.add(index)
    if not bad:
        return _DECODER.decode_lines(block.lines()), 0
    good = [block.record(index).value for index in range(len(block)) if index not in bad]
    return [_DECODER.decode(value) for value in good if value is not None], len(bad)


class _Sum:
    """The quotes of a symbol within a second; `first` and `last` are event times as the records have them."""

    __slots__ = ("close", "first", "high", "last", "low", "open", "volume")

    def __init__(self, tick: Tick) -> None:
        self.open, self.high, self.low, self.close = tick.open, tick.high, tick.low, tick.close
        self.volume = float(tick.volume)
        self.first = self.last = tick.event_time

    def add(self, tick: Tick) -> None:
        # Texts of one form compare as the moments do.
        if tick.event_time >= self.last:
            self.close, self.last = tick.close, tick.event_time
        elif tick.event_time < self.first:
            self.open, self.first = tick.open, tick.event_time
        self.high = max(self.high, tick.high)
        self.low = min(self.low, tick.low)
        self.volume += tick.volume

    def piece(self, second: str) -> Piece:
        numbers = (self.open, self.high, self.low, self.close, self.volume)
        return Piece(_second(second), *numbers, milliseconds(self.first), milliseconds(self.last))


def pieces(ticks: Sequence[Tick]) -> dict[str, list[Piece]]:
    """Sum quotes up by symbol and second."""
    sums: dict[tuple[str, str], _Sum] = {}
    for tick in ticks:
        key = tick.symbol, tick.event_time[:19]
        held = sums.get(key)
        if held is None:
            sums[key] = _Sum(tick)
        else:
            held.add(tick)
    found: dict[str, list[Piece]] = {}
    for (symbol, second), held in sums.items():
        found.setdefault(symbol, []).append(held.piece(second))
    return found


class Market:
    """What all symbols, at most `most_symbols`, did since the page began; one thread adds, others look.

    Attributes:
        invalid: records that are no quotes.
        beyond: how often a symbol beyond the most was met.
    """

    def __init__(self, most_symbols: int = MOST_SYMBOLS) -> None:
        self._most = most_symbols
        self._symbols: dict[str, _Symbol] = {}
        self._lock = threading.Lock()
        self._version = 0
        self.invalid = 0
        self.beyond = 0

    def __len__(self) -> int:
        return len(self._symbols)

    def add(self, ticks: Sequence[Tick], invalid: int = 0) -> None:
        """Take quotes of one partition, in its order."""
        found = pieces(ticks)
        with self._lock:
            self._version += 1
            self.invalid += invalid
            for name, parts in found.items():
                symbol = self._symbols.get(name)
                if symbol is None:
                    if len(self._symbols) >= self._most:
                        self.beyond += 1
                        continue
                    symbol = self._symbols[name] = _Symbol()
                for piece in parts:
                    symbol.candles.add(piece)
                    symbol.volume += piece.volume
                    if piece.last >= symbol.time:
                        symbol.last, symbol.time = piece.close, piece.last
                symbol.version = self._version

    def board(self, since: int = 0) -> tuple[int, list[Row]]:
        """Return the version, and the lines that changed after version `since`, in the order of their first quotes."""
        with self._lock:
            rows = [_row(name, symbol) for name, symbol in self._symbols.items() if symbol.version > since]
            return self._version, rows

    def sparks(self) -> dict[str, list[float]]:
        """Return the newest closes of each symbol."""
        with self._lock:
            return {name: symbol.candles.closes(SPARK_POINTS) for name, symbol in self._symbols.items()}

    def candles(self, symbol: str, width: int, most: int) -> list[Candle]:
        """Return a symbol's newest candles, oldest first; none where it is not known."""
        with self._lock:
            known = self._symbols.get(symbol)
            return known.candles.newest(width, most) if known else []

    def busiest(self) -> str:
        """Return the symbol with the most volume times price, which a new page shows first; empty where none is."""
        with self._lock:
            return max(self._symbols, key=lambda name: self._symbols[name].volume, default="")


def _row(name: str, symbol: _Symbol) -> Row:
    before = symbol.candles.rings[1].close_before(symbol.time // 1000 - CHANGE_SECONDS)
    change = 100 * (symbol.last - before) / before if before else 0.0
    return Row(name, symbol.last, round(change, 4), symbol.time, symbol.volume)
