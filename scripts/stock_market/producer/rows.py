"""Writes simulated quotes as records of Kafka's batches, thousands at once: each is a row of a matrix of bytes.

Every field has columns of its own, as wide as the longest one; what a shorter one leaves free is NUL, and is dropped at
the end. Digits come four at a time from tables. Where the format has zeros of its own, a stand-in keeps the place.
Where a number has more digits than its columns, all quotes given together are written one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

import numpy as np
import numpy.typing as npt

from stock_market.kafka.batch_builder import MAX_RECORDS, Records, join, varint
from stock_market.producer.market import Integers, Listing

_Table = npt.NDArray[np.uint32] | npt.NDArray[np.uint64]
_Bytes = npt.NDArray[np.uint8]

_FRAME = 6
"""Bytes before the key's length: length (2), attributes, time difference, offset (2); see batch_reading."""
_STAND_IN = b"\1"
_TIME, _PRICE, _VOLUME, _DOLLARS, _SEQUENCE = 24, 9, 12, 13, 16
_MAX_VOLUME, _MOST_SEQUENCE, _MOST_HUNDREDTHS, _MOST_DOLLARS = 10**12, 10**16, 10**8, 10**8
"""The least numbers that their columns have no room for."""
_EXACT = Context(prec=60)
"""More digits than a price of 64 bits and a rate have together."""
_TEN_THOUSAND = 10_000
_TILE = 2048
"""Rows that are worked on at once, so that they stay in the processor's cache."""
_EACH_BYTE = np.uint64(0x0101010101010101)


def _tables() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64]]:
    numbers = [f"{number:04d}" for number in range(_TEN_THOUSAND)]
    leading = [text.lstrip("0").rjust(4, "\0") for text in numbers]
    alone = ["\0\0\x000", *leading[1:]]
    price = [f"{number // 100}.{number % 100:02d}".rjust(8, "\0") for number in range(_TEN_THOUSAND)]
    after = [f"{number // 100:02d}.{number % 100:02d}".rjust(8, "\0") for number in range(_TEN_THOUSAND)]
    digits = np.frombuffer("".join(leading + numbers + alone).encode(), np.uint32)
    return digits, np.frombuffer("".join(price + after).encode(), np.uint64)


_DIGITS, _CENTS = _tables()
_AFTER, _ALONE = _TEN_THOUSAND, 2 * _TEN_THOUSAND
"""_DIGITS has the four digits of each number below 10,000 thrice: without leading zeros (and NUL for 0), with all of
them where others go before, and without but for 0 itself. _CENTS has them with the point of hundredths: alone, and
where others go before."""


@dataclass(frozen=True, slots=True)
class Quotes:
    """What is to be written: one entry of each array a quote.

    Prices are in hundredths of the symbol's currency; `symbol` is the number of the symbol's listing. No number is
    negative.
    """

    symbol: Integers
    open: Integers
    high: Integers
    low: Integers
    close: Integers
    volume: Integers
    sequence: Integers

    def part(self, first: int, end: int) -> Quotes:
        """Those from one place to another."""
        columns = (self.symbol, self.open, self.high, self.low, self.close, self.volume, self.sequence)
        return Quotes(*[column[first:end] for column in columns])


@dataclass(frozen=True, slots=True)
class Cut:
    """How quotes are cut into batches: each quote's offset in its batch, and each batch's partition, begin and end."""

    offset: Integers
    batches: list[tuple[int, int, int]]


class RowWriter:
    """Writes the quotes of these symbols under a producer's id.

    Raises:
        ValueError: a rate to dollars is negative or not finite, which the contract or JSON does not allow.
    """

    def __init__(self, listings: Sequence[Listing], producer_id: str) -> None:
        for listing in listings:
            if not 0.0 <= listing.usd < math.inf:
                raise ValueError(f"{listing.symbol} has the rate {listing.usd} to dollars")
        self._listings = listings
        self._producer_id = producer_id
        keys = [listing.symbol.encode() for listing in listings]
        longest = max(map(len, keys))
        widths = (_TIME, *[_PRICE] * 5, _VOLUME, _DOLLARS, _SEQUENCE)
        texts: tuple[str, ...] = (
            '","open":',
            ',"high":',
            ',"low":',
            ',"close":',
            ',"adj_close":',
            ',"volume":',
            ',"close_usd":',
        )
        texts += (f',"producer_id":"{producer_id}","sequence":', "}\1")
        self._value_at = _FRAME + 1 + longest
        head = self._value_at + 2 + len('{"symbol":"') + longest + len('","event_time":"')
        tail, self._columns = b"", []
        for width, text in zip(widths, texts, strict=True):
            self._columns.append(head + len(tail))
            tail += bytes(width) + text.encode()
        spare = -(head + len(tail)) % 8
        self._last = head + len(tail) - 1
        self.width = head + len(tail) + spare
        rows = b"".join(
            b'%b%b%b%b{"symbol":"%b","event_time":"%b%b'
            % (
                _STAND_IN * _FRAME,
                varint(len(key)),
                key.ljust(longest, b"\0"),
                _STAND_IN * 2,
                key,
                bytes(longest - len(key)),
                tail,
            )
            + bytes(spare)
            for key in keys
        )
        self._templates = np.frombuffer(rows, np.uint8).reshape(len(keys), self.width).copy()
        self._matrix = np.empty((_TILE, self.width), np.uint8)
        self._kept = np.empty((_TILE, self.width), np.bool_)
        self._key_length = np.array([len(key) for key in keys])
        self._dollars = np.array([listing.usd * 100.0 for listing in listings])

    def write(self, quotes: Quotes, time: bytes, cut: Cut) -> list[Records]:
        """Writes quotes.

        Args:
            quotes: the quotes, in the order of their batches.
            time: the event time of all, 24 bytes.
            cut: where the batches begin and end.

        Raises:
            ValueError: a number is negative.
        """
        if not self._fits(quotes):
            return self._write_singly(quotes, time.decode(), cut)
        self._templates[:, self._columns[0] : self._columns[0] + _TIME] = np.frombuffer(time, np.uint8)
        parts, lengths = [], []
        for first in range(0, len(cut.offset), _TILE):
            tile, offset = quotes.part(first, first + _TILE), cut.offset[first : first + _TILE]
            packed, length = self._pack(self._fill(tile), tile.symbol, offset)
            parts.append(packed)
            lengths.append(length)
        body = memoryview(b"".join(parts))
        ends = np.cumsum(np.concatenate(lengths))
        bounds = [0, *(int(ends[last - 1]) for _, _, last in cut.batches)]
        return [
            Records(partition, last - first, body[begin:end])
            for (partition, first, last), begin, end in zip(cut.batches, bounds, bounds[1:], strict=False)
        ]

    def _fits(self, quotes: Quotes) -> bool:
        """Whether each number has room in its columns.

        Raises:
            ValueError: one is negative.
        """
        prices = (quotes.open, quotes.high, quotes.low, quotes.close)
        numbers = (*prices, quotes.volume, quotes.sequence)
        if not len(quotes.symbol):
            return True
        if min(int(each.min()) for each in numbers) < 0:
            raise ValueError("a price, a volume or a sequence number is negative")
        dollars = float((quotes.close * self._dollars[quotes.symbol]).max()) / _TEN_THOUSAND
        return (
            max(int(price.max()) for price in prices) < _MOST_HUNDREDTHS
            and int(quotes.volume.max()) < _MAX_VOLUME
            and int(quotes.sequence.max()) < _MOST_SEQUENCE
            and dollars < _MOST_DOLLARS - 1
        )

    def _write_singly(self, quotes: Quotes, time: str, cut: Cut) -> list[Records]:
        """Writes numbers of any length, some hundred times slower."""
        columns = (quotes.symbol, quotes.open, quotes.high, quotes.low, quotes.close, quotes.volume, quotes.sequence)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        return [
            join(partition, [self._record(row, time) for row in rows[first:last]])
            for partition, first, last in cut.batches
        ]

    def _record(self, row: tuple[int, ...], time: str) -> tuple[bytes, bytes]:
        symbol, *prices, volume, sequence = row
        listing = self._listings[symbol]
        opened, high, low, close = (f"{price // 100}.{price % 100:02d}" for price in prices)
        exact = _EXACT.multiply(Decimal(prices[3]).scaleb(-2), Decimal(repr(listing.usd)))
        value = (
            f'{{"symbol":"{listing.symbol}","event_time":"{time}","open":{opened},"high":{high},"low":{low}'
            f',"close":{close},"adj_close":{close},"volume":{volume},"close_usd":{exact:.4f}'
            f',"producer_id":"{self._producer_id}","sequence":{sequence}}}'
        )
        return listing.symbol.encode(), value.encode()

    def _fill(self, quotes: Quotes) -> _Bytes:
        """The rows without their frames."""
        rows = self._matrix[: len(quotes.symbol)]
        whole = f"V{self.width}"
        self._templates.view(whole)[:, 0].take(quotes.symbol, out=rows.view(whole)[:, 0], mode="clip")
        at = iter(self._columns[1:])
        for price in (quotes.open, quotes.high, quotes.low):
            _put_price(rows, [next(at)], price)
        _put_price(rows, [next(at), next(at)], quotes.close)
        _put_number(rows, next(at), _VOLUME, quotes.volume)
        self._put_dollars(rows, next(at), quotes)
        _put_number(rows, next(at), _SEQUENCE, quotes.sequence)
        return rows

    def _put_dollars(self, rows: _Bytes, column: int, quotes: Quotes) -> None:
        units = np.rint(quotes.close * self._dollars[quotes.symbol]).astype(np.int64)
        whole = units // _TEN_THOUSAND
        _put_number(rows, column, 8, whole)
        rows[:, column + 8] = ord(".")
        _put(rows, column + 9, _DIGITS.take(units - whole * _TEN_THOUSAND + _AFTER))

    def _pack(self, rows: _Bytes, symbol: Integers, offset: Integers) -> tuple[memoryview, Integers]:
        """Fills the frames in and drops what is free: the rows' bytes one after the other, and each one's length."""
        kept = np.not_equal(rows, 0, out=self._kept[: len(rows)])
        long = offset >= 64
        kept[:, _FRAME - 1] = long
        # A row's bytes are counted in eight lanes of a word; the sum of the lanes is known up to multiples of 256.
        lanes = kept.view(np.uint64).sum(axis=1, dtype=np.uint64)
        free = (self.width - (lanes * _EACH_BYTE >> np.uint64(56)).astype(np.int64)) & 0xFF
        length = self.width - free
        _put_varint(rows, 0, length - 2)
        rows[:, 2:4] = 0
        rows[:, 4] = np.where(long, offset << 1 | 0x80, offset << 1)
        rows[:, 5] = offset >> 6
        rows[:, self._last] = 0
        _put_varint(rows, self._value_at, length - self._key_length[symbol] - (_FRAME + 4) + ~long)
        return rows[kept].data, length


def _put_price(rows: _Bytes, columns: Sequence[int], hundredths: Integers) -> None:
    high = hundredths // _TEN_THOUSAND
    cells = _CENTS.take(hundredths - high * _TEN_THOUSAND + np.minimum(high, 1) * _AFTER)
    digits = _DIGITS.take(high)
    for column in columns:
        _put(rows, column + 1, cells)
        _put(rows, column, digits)


def _put_number(rows: _Bytes, column: int, width: int, number: Integers) -> None:
    """Writes whole numbers of 0 or more into columns of a number of digits; the first ones are often unused."""
    last = column + width - 4
    for place in range(last, column - 1, -4):
        higher = number // _TEN_THOUSAND
        more = int(higher.max())
        lowest = _ALONE if place == last else 0
        kind = _AFTER if int(higher.min()) else np.where(higher != 0, _AFTER, lowest) if more else lowest
        _put(rows, place, _DIGITS.take(number - higher * _TEN_THOUSAND + kind))
        if not more:
            return
        number = higher


def _put_varint(rows: _Bytes, column: int, number: Integers) -> None:
    """Writes numbers of 64 to 8191 as zigzag varints."""
    rows[:, column] = number << 1 | 0x80
    rows[:, column + 1] = number >> 6


def _put(rows: _Bytes, column: int, cells: _Table) -> None:
    rows[:, column : column + cells.itemsize].view(cells.dtype)[:, 0] = cells


def capacity(batch_bytes: int, width: int) -> int:
    """The most rows of a batch that is not longer than this, not compressed."""
    return max(1, min(MAX_RECORDS, batch_bytes // width))
