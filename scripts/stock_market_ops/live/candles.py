"""Candles in memory: each symbol has three rings of bounded length, from which all widths are made."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, NamedTuple

WIDTHS: Final = (1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400)
"""Seconds of a candle that the page offers."""
RINGS: Final = ((1, 600), (60, 720), (3600, 720))
"""Width in seconds and number of the candles that are kept: ten minutes, twelve hours, thirty days."""
_FIELDS: Final = 8
_TIME, _OPEN, _HIGH, _LOW, _CLOSE, _VOLUME, _FIRST, _LAST = range(_FIELDS)
# What a ring may have beyond its number before it is cut: cutting moves all of it.
_SLACK: Final = 64

Candle = tuple[int, float, float, float, float, float]
"""Start in seconds since 1970 (UTC), open, high, low, close, volume."""


class Piece(NamedTuple):
    """The quotes of a symbol within a second, summed up.

    Attributes:
        time: the second, since 1970 (UTC).
        first: event time of the quote that gives the open, in milliseconds since 1970.
        last: event time of the quote that gives the close.
    """

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    first: int
    last: int


class Ring:
    """The newest candles of one width, oldest first, in one array of numbers.

    Args:
        width: seconds of a candle.
        most: how many are kept.
    """

    __slots__ = ("_cells", "_most", "width")

    def __init__(self, width: int, most: int) -> None:
        self.width = width
        self._most = most
        self._cells = array("d")

    def __len__(self) -> int:
        return len(self._cells) // _FIELDS

    def add(self, piece: Piece) -> None:
        """Puts a second's quotes into their candle; what is older than the ring is left out."""
        cells = self._cells
        time = piece.time - piece.time % self.width
        place = len(self) if not cells or time > cells[-_FIELDS] else self.place(time)
        at = place * _FIELDS
        if at < len(cells) and cells[at] == time:
            self._merge(at, piece)
            return
        if place == 0 and len(self) >= self._most:
            return
        cells[at:at] = array("d", (time, *piece[1:]))
        if len(self) > self._most + _SLACK:
            del cells[: (len(self) - self._most) * _FIELDS]

    def _merge(self, at: int, piece: Piece) -> None:
        cells = self._cells
        if piece.first < cells[at + _FIRST]:
            cells[at + _OPEN], cells[at + _FIRST] = piece.open, piece.first
        if piece.last >= cells[at + _LAST]:
            cells[at + _CLOSE], cells[at + _LAST] = piece.close, piece.last
        cells[at + _HIGH] = max(cells[at + _HIGH], piece.high)
        cells[at + _LOW] = min(cells[at + _LOW], piece.low)
        cells[at + _VOLUME] += piece.volume

    def place(self, time: int) -> int:
        """Returns how many candles start before `time`."""
        return bisect_left(range(len(self)), float(time), key=lambda place: self._cells[place * _FIELDS])

    def close_before(self, time: int) -> float | None:
        """Returns the close of the newest candle that starts before `time`, else the oldest open; None where empty."""
        if not self._cells:
            return None
        place = self.place(time)
        return self._cells[(place - 1) * _FIELDS + _CLOSE] if place else self._cells[_OPEN]

    def newest(self, most: int) -> list[Candle]:
        """Returns the newest candles, oldest first, at most `most`."""
        cells = self._cells[-min(most, self._most, len(self)) * _FIELDS :].tolist() if self._cells else []
        columns = (cells[field::_FIELDS] for field in (_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME))
        return list(zip(map(int, cells[_TIME::_FIELDS]), *columns, strict=True))


class SymbolCandles:
    """All that is kept of a symbol's past."""

    __slots__ = ("rings",)

    def __init__(self) -> None:
        self.rings = tuple(Ring(width, most) for width, most in RINGS)

    def add(self, piece: Piece) -> None:
        """Adds a second's quotes to every ring."""
        for ring in self.rings:
            ring.add(piece)

    def newest(self, width: int, most: int) -> list[Candle]:
        """Returns the newest candles of one of `WIDTHS`, oldest first, at most `most`."""
        ring = next(ring for ring in reversed(self.rings) if width % ring.width == 0)
        return widened(ring.newest(most * (width // ring.width)), width)[-most:]

    def closes(self, most: int) -> list[float]:
        """Returns the newest closes by the second, for a spark line."""
        return [candle[4] for candle in self.rings[0].newest(most)]


def widened(candles: Iterable[Candle], width: int) -> list[Candle]:
    """Joins candles, oldest first, to candles of `width` seconds."""
    found: list[Candle] = []
    for time, opened, high, low, close, volume in candles:
        start = time - time % width
        if found and found[-1][0] == start:
            _, before, highest, lowest, _, total = found[-1]
            found[-1] = (start, before, max(highest, high), min(lowest, low), close, total + volume)
        else:
            found.append((start, opened, high, low, close, volume))
    return found
