"""The lines of a file of market data as they should have been: decoded, numbered, without what is no row."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, cast

from stock_market_ops.market_data.packing import opened
from stock_market_ops.market_data.report import MarketDataError, Tally

_HEAD_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 20
_LONGEST_LINE = 1 << 16
_DELIMITERS = ",;\t|"
_MAX_JOINED = 100
"""Lines over which a quoted text may run."""
_MAX_BEFORE = 32
"""Lines among which the one with the columns' names is looked for."""
_ENDINGS = re.compile(r"(\.(csv|tsv|txt))?(\.(gz|zip|bz2|xz))?$", re.IGNORECASE)
# What Excel writes before the header, so that Excel reads the file elsewhere.
_SEPARATOR_LINE = re.compile(r'"?sep=.?"?')
# A BOM, and one that a program has read as Windows-1252 and written as UTF-8 once more.
_BOMS = ("\ufeff", "ï»¿")
# UTF-32's begin like those of UTF-16.
_UNICODE_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Line(NamedTuple):
    """A line, or the lines that a quoted text joins.

    Attributes:
        number: of the first line.
        last: number of the last.
        text: without its end.
        ended: whether it had one.
    """

    number: int
    last: int
    text: str
    ended: bool


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file whose form is known.

    Attributes:
        path: where it lies.
        encoding: of its text, as Python calls it.
        delimiter: what stands between its columns.
        head: the line with the columns' names.
        header: the columns' names.
        symbol: the symbol of all rows, where the file tells it beside its header; else empty.
    """

    path: Path
    encoding: str
    delimiter: str
    head: Line
    header: tuple[str, ...]
    symbol: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def stem(self) -> str:
        """The file's name without its endings: `AAPL` for AAPL.csv.gz."""
        found = _ENDINGS.sub("", self.path.name)
        return (found if found != self.path.name else self.path.stem) or self.path.name


def _encoding(path: Path) -> str:
    with opened(path) as file:
        head = file.read(_HEAD_BYTES)
        for bom, name in _UNICODE_BOMS:
            if head.startswith(bom):
                return name
        # Text of the western alphabets in UTF-16 without a BOM has a NUL at every other place.
        for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            letters, zeros = head[1 - first :: 2], head[first::2]
            if len(zeros) > 8 and zeros.count(0) > 0.9 * len(zeros) and letters.count(0) < 0.1 * len(letters):
                return name
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            piece = head
            while piece:
                decoder.decode(piece)
                piece = file.read(_CHUNK_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _lines(path: Path, encoding: str, tally: Tally, *, count: bool) -> Iterator[Line]:
    """The file's lines, also blank ones, but those that are too long or have NUL bytes."""
    with opened(path) as file:
        text = io.TextIOWrapper(cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", file))), encoding, "replace")
        number = 0
        while line := text.readline(_LONGEST_LINE):
            number += 1
            if number == 1:
                line = line.lstrip("\0")
            if line.startswith(_BOMS):
                line = _without_bom(line, tally, count=count)
            if number == 1 and _SEPARATOR_LINE.fullmatch(line.strip()):
                continue
            ended = line.endswith("\n")
            if not ended and len(line) >= _LONGEST_LINE:
                while (rest := text.readline(_LONGEST_LINE)) and not rest.endswith("\n"):
                    continue
                if count:
                    tally.skip(f"line of {_LONGEST_LINE} characters or more", path.name, number, line)
            elif "\0" in line:
                if count:
                    tally.skip("NUL bytes", path.name, number, line)
            else:
                yield Line(number, number, line.rstrip("\n"), ended)
        if count and {"\r", "\r\n"} & set(text.newlines if isinstance(text.newlines, tuple) else (text.newlines,)):
            tally.mended["file with line ends of another system"] += 1


def _joined(lines: Iterable[Line], fits: Callable[[str], bool]) -> Iterator[Line]:
    """The lines, those over which a quoted text runs as one, with a blank for each line's end in it.

    A quotation mark that stands alone joins nothing: what it would join has to close it, and to fit.
    """
    source, waiting = iter(lines), deque[Line]()
    while (line := waiting.popleft() if waiting else next(source, None)) is not None:
        if '"' not in line.text or not line.text.count('"') % 2:
            yield line
            continue
        parts, size = [line], len(line.text)
        closed = False
        while not closed and len(parts) < _MAX_JOINED and size < _LONGEST_LINE:
            following = waiting.popleft() if waiting else next(source, None)
            if following is None:
                break
            parts.append(following)
            size += len(following.text)
            closed = following.text.count('"') % 2 == 1
        whole = " ".join(part.text for part in parts)
        if closed and fits(whole):
            yield Line(line.number, parts[-1].last, whole, parts[-1].ended)
        else:
            yield line
            waiting.extendleft(reversed(parts[1:]))


def _cells(text: str, delimiter: str, *, strict: bool = False) -> list[str]:
    return next(csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=strict), [])


def _without_bom(line: str, tally: Tally, *, count: bool) -> str:
    while bom := next(filter(line.startswith, _BOMS), ""):
        line = line.removeprefix(bom)
        tally.mended["byte-order mark"] += count
    return line


def _delimiter(line: str) -> str:
    outside = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=outside.count) if any(map(outside.count, _DELIMITERS)) else ","


def inspect(path: Path, is_header: Callable[[DataFile], bool]) -> DataFile:
    """Finds out a file's encoding, delimiter and header: the first line that is one, else the first of all.

    Args:
        path: where it lies.
        is_header: whether a line's names are those of the columns; others may stand above it.

    Raises:
        MarketDataError: it can't be read, or is empty.
    """
    encoding, tally = _encoding(path), Tally()
    lines = _joined(_lines(path, encoding, tally, count=True), lambda _: True)
    heads = list(islice((line for line in lines if line.text.strip()), _MAX_BEFORE + 1))
    if not heads:
        why = tally.first_skipped()
        raise MarketDataError(
            f"the CSV file {path} {f'has no line that can be read ({why})' if why else 'is empty'}: it has no line with"
            " the columns' names"
        )
    found = [_with_header(path, encoding, *pair) for pair in zip(heads, [*heads[1:], None], strict=True)]
    return next(filter(is_header, found), found[0])


def _with_header(path: Path, encoding: str, line: Line, second: Line | None) -> DataFile:
    delimiter = _delimiter(line.text)
    header = [cell.strip() for cell in _cells(line.text, delimiter)]
    symbol = ""
    below = _cells(second.text, delimiter) if second is not None else []
    if header[:1] == ["Price"] and below[:1] == ["Ticker"] and len(set(below[1:])) == 1:
        # As the Python package yfinance writes it: two more lines of header, with the symbol and the date's name.
        header[0], symbol = "Date", below[1]
    return DataFile(path, encoding, delimiter, line, tuple(header), symbol)


class Rows(io.RawIOBase):
    """A file's rows as a stream of UTF-8, each with its line's number as a column before the others.

    Args:
        file: the file.
        tally: hears what is left out and mended, where `count` is set: only in one of several readings.
        count: see `tally`.

    Attributes:
        unended: number of the last line, when it has no end; else 0.
    """

    def __init__(self, file: DataFile, tally: Tally, *, count: bool) -> None:
        super().__init__()
        self._file = file
        self._tally = tally
        self._count = count
        self._rest = b""
        self._texts = self._make()
        self.unended = 0
        if count and file.encoding != "utf-8":
            known = {"cp1252": "Windows-1252"}.get(file.encoding, file.encoding.upper())
            tally.mended[f"file is not UTF-8, read as {known}"] += 1

    def _make(self) -> Iterator[str]:
        delimiter, head = self._file.delimiter, self._file.head
        least = max((number for number, name in enumerate(self._file.header, 1) if name), default=0)
        lines = _lines(self._file.path, self._file.encoding, self._tally, count=self._count)
        for line in lines:
            if line.number < head.number:
                self._skip(line, "line above the columns' names" if line.text.strip() else "blank line")
            if line.number == head.last:
                break
        nothing, blank_quote, quote = f"{delimiter} \t", f'{delimiter} "', f'{delimiter}"'
        uneven = least < len(self._file.header)
        for line in _joined(lines, self._fits):
            text = line.text
            reason = ""
            if not text.strip(nothing):
                reason = "blank line"
            elif text == head.text:
                reason = "repeated header"
            elif '"' in text and text.count('"') % 2:
                reason = "cut line" if not line.ended else "unbalanced quotation mark"
            if reason:
                self._skip(line, reason)
                continue
            if blank_quote in text:
                text = text.replace(blank_quote, quote)
            if uneven or text.endswith(delimiter):
                text = self._ended_as_header(text, least)
            if not line.ended:
                self.unended = line.number
            yield f"{line.number}{delimiter}{text}\n"

    def _skip(self, line: Line, reason: str) -> None:
        """Counts a line that is left out."""
        if self._count:
            self._tally.skip(reason, self._file.name, line.number, line.text)

    def _fits(self, text: str) -> bool:
        try:
            cells = _cells(text, self._file.delimiter, strict=True)
        except csv.Error:
            return False
        return len(cells) == len(self._file.header) or (len(cells) == len(self._file.header) + 1 and not cells[-1])

    def _ended_as_header(self, text: str, least: int) -> str:
        """The row with as many columns as the header, where only delimiters at the end of either are too many.

        Args:
            text: the row.
            least: columns of the header up to the last that has a name.
        """
        delimiter, width = self._file.delimiter, len(self._file.header)
        found = len(_cells(text, delimiter))
        while found > width and text.endswith(delimiter):
            text, found = text[:-1], found - 1
        return text + delimiter * (width - found) if least <= found < width else text

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # narrower than the stubs' Buffer
        """As io.RawIOBase says."""
        parts, size = [self._rest], len(self._rest)
        for text in self._texts:
            data = text.encode("utf-8", "replace")
            parts.append(data)
            size += len(data)
            if size >= len(buffer):
                break
        data = b"".join(parts)
        taken = data[: len(buffer)]
        self._rest = data[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)
