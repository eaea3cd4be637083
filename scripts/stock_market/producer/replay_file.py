"""The file that the producer replays: JSON Lines in blocks, each a frame of zstd, and at the end a list of the blocks.

So it is read one block at a time, in bounded memory whatever its size, in its order or in another order of the blocks;
`zstd -dc FILE` prints it. The list is a skippable frame, which unpackers pass over: RFC 8878, sections 3.1.1 and 3.1.2.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

import msgspec
import zstandard

from stock_market.errors import SettingsError

Order = Literal["random", "file", "time"]
"""Shuffled; as the rows stood in the operator's files; by event time."""

_BLOCK_BYTES = 128 << 10
_SKIPPABLE = 0x184D2A50
_FRAME = struct.Struct("<II")
_MARK = b"StockMarketRows1"
_LEVEL = 3


class QuoteStart(msgspec.Struct):
    """A quote without what only its sending adds; the fields are those of `quotes.Quote`."""

    symbol: str
    event_time: str
    open: float
    high: float
    low: float
    close: float
    adj_close: float
    volume: int
    close_usd: float


class _Told(msgspec.Struct):
    """The list at the end: how the rows are ordered, how many there are, and each block's length in bytes."""

    order: Order
    rows: int
    blocks: list[int]


class Writer:
    """Writes such a file into an empty one."""

    def __init__(self, output: IO[bytes], order: Order) -> None:
        self._output = output
        self._told = _Told(order, 0, [])
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._lines: list[bytes] = []
        self._bytes = 0

    def add(self, line: bytes) -> None:
        """Appends a row, a JSON object without a line's end."""
        self._lines.append(line)
        self._bytes += len(line) + 1
        if self._bytes >= _BLOCK_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._lines:
            block = self._compressor.compress(b"\n".join([*self._lines, b""]))
            self._output.write(block)
            self._told.blocks.append(len(block))
            self._told.rows += len(self._lines)
        self._lines, self._bytes = [], 0

    def finish(self) -> None:
        """Writes the list."""
        self._flush()
        told = msgspec.json.encode(self._told)
        payload = told + struct.pack("<I", len(told)) + _MARK
        self._output.write(_FRAME.pack(_SKIPPABLE, len(payload)) + payload)


class ReplayFile:
    """Such a file, as far as it is known without its blocks.

    Raises:
        SettingsError: it can't be read, or is no such file.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        tail = len(_MARK) + 4
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - tail))
                end = file.read(tail)
                if not end.endswith(_MARK):
                    raise SettingsError(
                        f"the file {path} is not one that the role stock_producer has made; run it again"
                    )
                (length,) = struct.unpack("<I", end[:4])
                file.seek(size - tail - length)
                self._told = msgspec.json.decode(file.read(length), type=_Told)
        except OSError as error:
            raise SettingsError(f"cannot read the file to replay, {path}: {error.strerror}") from error
        except (msgspec.DecodeError, ValueError) as error:
            raise SettingsError(f"the file to replay, {path}, is damaged: {error}") from error

    @property
    def order(self) -> Order:
        """How the rows are ordered."""
        return self._told.order

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._told.rows

    def lines(self, *, loop: bool, seed: int) -> Iterator[bytes]:
        """The rows, each a JSON object without a line's end.

        Args:
            loop: whether they come again without end; those of a shuffled file in another order each time.
            seed: of that order.
        """
        draw = random.Random(seed)
        starts = [0]
        for length in self._told.blocks:
            starts.append(starts[-1] + length)
        places = list(zip(starts, self._told.blocks, strict=False))
        decompressor = zstandard.ZstdDecompressor()
        with self._path.open("rb") as file:
            while True:
                for start, length in places:
                    file.seek(start)
                    lines = decompressor.decompress(file.read(length)).split(b"\n")
                    lines.pop()
                    if self.order == "random":
                        draw.shuffle(lines)
                    yield from lines
                if not loop:
                    return
                if self.order == "random":
                    draw.shuffle(places)
