"""The lines of a file of market data as they should have been: decoded, numbered, without what is no row."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, cast

from stock_market_ops.market_data.report import MarketDataError, Tally

_HEAD_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 20
_LONGEST_LINE = 1 << 16
_DELIMITERS = ",;\t|"
# What Excel writes before the header, so that Excel reads the file elsewhere.
_SEPARATOR_LINE = re.compile(r'"?sep=.?"?')
# A BOM, and one that a program has read as Windows-1252 and written as UTF-8 once more.
_BOMS = ("\ufeff", "ï»¿")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file whose form is known.

    Attributes:
        path: where it lies.
        encoding: of its text, as Python calls it.
        delimiter: what stands between its columns.
        header: the columns' names.
        symbol: the symbol of all rows, where the file tells it beside its header; else empty.
    """

    path: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    symbol: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def stem(self) -> str:
        """The file's name without its endings: `AAPL` for AAPL.csv.gz."""
        return self.path.name.removesuffix(self.path.suffix).removesuffix(".csv") or self.path.name


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked where it is a .gz or a .zip."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                yield cast("IO[bytes]", file)
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                members = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
                if len(members) != 1:
                    raise MarketDataError(
                        f"the archive {path} holds {len(members)} files instead of one: unpack it into a directory and"
                        " give that as stock_producer_csv_path"
                    )
                with archive.open(members[0]) as file:
                    yield file
        else:
            with path.open("rb") as file:
                yield file
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise MarketDataError(f"cannot read the CSV file {path}: {reason}") from error


def _encoding(path: Path) -> str:
    with _opened(path) as file:
        head = file.read(_HEAD_BYTES)
        for bom, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
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


def _lines(path: Path, encoding: str, tally: Tally, *, count: bool) -> Iterator[tuple[int, str, bool]]:
    """Number, text without its end, and whether it had one, of each line that is not blank."""
    with _opened(path) as file:
        text = io.TextIOWrapper(cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", file))), encoding, "replace")
        number = 0
        while line := text.readline(_LONGEST_LINE):
            number += 1
            if number == 1:
                line = _without_bom(line, tally, count=count)
                if _SEPARATOR_LINE.fullmatch(line.strip()):
                    continue
            ended = line.endswith("\n")
            if not ended and len(line) >= _LONGEST_LINE:
                while (rest := text.readline(_LONGEST_LINE)) and not rest.endswith("\n"):
                    continue
                if count:
                    tally.skip(f"line of {_LONGEST_LINE} characters or more", path.name, number, line)
                continue
            line = line.rstrip("\n")
            if not line.strip():
                if count:
                    tally.skip("blank line", path.name, number, line)
            elif "\0" in line:
                if count:
                    tally.skip("NUL bytes", path.name, number, line)
            else:
                yield number, line, ended
        if count and {"\r", "\r\n"} & set(text.newlines if isinstance(text.newlines, tuple) else (text.newlines,)):
            tally.mended["file with line ends of another system"] += 1


def _without_bom(line: str, tally: Tally, *, count: bool) -> str:
    found = True
    while found:
        found = False
        for bom in _BOMS:
            if line.startswith(bom):
                line, found = line.removeprefix(bom), True
                tally.mended["byte-order mark"] += count
    return line


def _delimiter(line: str) -> str:
    outside = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=outside.count) if any(map(outside.count, _DELIMITERS)) else ","


def inspect(path: Path) -> DataFile:
    """Finds out a file's encoding, delimiter and header.

    Raises:
        MarketDataError: it can't be read, or is empty.
    """
    encoding = _encoding(path)
    first = [line for _, line, _ in islice(_lines(path, encoding, Tally(), count=False), 2)]
    if not first:
        raise MarketDataError(f"the CSV file {path} is empty: it has no line with the columns' names")
    delimiter = _delimiter(first[0])
    header, *second = ([cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])] for line in first)
    symbol = ""
    if header[0] == "Price" and second and second[0][0] == "Ticker" and len(set(second[0][1:])) == 1:
        # As the Python package yfinance writes it: two more lines of header, with the symbol and the date's name.
        header[0], symbol = "Date", second[0][1]
    return DataFile(path, encoding, delimiter, tuple(header), symbol)


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
        header = ""
        for number, line, ended in _lines(self._file.path, self._file.encoding, self._tally, count=self._count):
            if not header:
                header = line
                continue
            reason = ""
            if line == header:
                reason = "repeated header"
            elif line.count('"') % 2:
                reason = "cut line" if not ended else "unbalanced quotation mark"
            elif not line.strip(f"{self._file.delimiter} \t"):
                reason = "blank line"
            if reason:
                if self._count:
                    self._tally.skip(reason, self._file.name, number, line)
                continue
            if not ended:
                self.unended = number
            yield f"{number}{self._file.delimiter}{line}\n"

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
