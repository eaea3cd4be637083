"""Replays a CSV file of the tutorials' shape, whatever has happened to it on its way."""

from __future__ import annotations

import csv
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import msgspec

from stock_market.errors import SettingsError

COLUMNS = ("Index", "Date", "Open", "High", "Low", "Close", "Adj Close", "Volume", "CloseUSD")
_BOM = b"\xef\xbb\xbf"
# A BOM that a program has read as Latin-1 or Windows-1252 and written as UTF-8 once more.
_BOMS = (_BOM, "\xef\xbb\xbf".encode())
_ENCODER = msgspec.json.Encoder()


class _Fields(msgspec.Struct):
    """A quote without what only its sending adds."""

    symbol: str
    event_time: str
    open: float
    high: float
    low: float
    close: float
    adj_close: float
    volume: int
    close_usd: float


@dataclass(slots=True)
class Table:
    """The rows of a file, each as the symbol's bytes and the open JSON object that its sending completes.

    Attributes:
        rows: key and beginning of the value.
        skipped: how many rows were left out, by reason.
        mended: how many rows needed mending, by what was done.
    """

    rows: list[tuple[bytes, bytes]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)


class _BadRowError(Exception):
    """Why a row is left out."""


def _date(text: str, mended: Counter[str]) -> str:
    try:
        if "/" in text:
            day, month, year = text.split("/")
            moment = date(int(year), int(month), int(day))
            mended["date as DD/MM/YYYY"] += 1
        else:
            moment = date.fromisoformat(text)
    except ValueError:
        raise _BadRowError("unreadable date") from None
    return f"{moment.isoformat()}T23:59:59.999Z"


def _number(text: str) -> float:
    if text.lower() in {"null", "nan", "none", ""}:
        raise _BadRowError("null in a number column")
    try:
        number = float(text)
    except ValueError:
        raise _BadRowError("unreadable number") from None
    if not math.isfinite(number):
        raise _BadRowError("unreadable number")
    return number


def _decode(data: bytes, mended: Counter[str]) -> str:
    found = True
    while found:
        found = False
        for bom in _BOMS:
            if data.startswith(bom):
                data = data[len(bom) :]
                mended["byte-order mark"] += 1
                found = True
    try:
        return data.decode()
    except UnicodeDecodeError:
        mended["file is not UTF-8, read as Windows-1252"] += 1
        return data.decode("cp1252", errors="replace")


def _header(path: str, line: str) -> list[int]:
    names = [name.strip() for name in next(csv.reader([line]), [])]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise SettingsError(
            f"the CSV file {path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)};"
            f" it needs {', '.join(COLUMNS)}"
        )
    return [names.index(column) for column in COLUMNS]


def _open(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read the CSV file {path}: {error.strerror}") from error


def check(path: str) -> None:
    """Looks whether the file is there and has the columns.

    Raises:
        SettingsError: it is not, or has not.
    """
    lines = _decode(_open(path)[: 1 << 16], Counter()).splitlines()
    _header(path, next((line for line in lines if line.strip()), ""))


def read(path: str) -> Table:
    """Reads the whole file.

    Raises:
        SettingsError: the file cannot be read, lacks columns, or has no usable row.
    """
    table = Table()
    text = _decode(_open(path), table.mended)
    if "\r" in text:
        table.mended["line ends with CR"] += 1
    cut = not text.endswith(("\n", "\r"))
    lines = text.splitlines()
    table.skipped["blank line"] = sum(1 for line in lines if not line.strip())
    lines = [line for line in lines if line.strip()]
    order = _header(path, lines[0] if lines else "")
    width = max(order) + 1
    rates: dict[str, float] = {}
    for number, line in enumerate(lines[1:], start=2):
        last = cut and number == len(lines)
        try:
            table.rows.append(_row(line, order, width, rates, table.mended, unterminated=last))
        except _BadRowError as error:
            table.skipped[str(error)] += 1
    table.skipped += Counter()
    if not table.rows:
        raise SettingsError(f"the CSV file {path} has no usable row ({_counts(table.skipped) or 'it is empty'})")
    return table


def _row(
    line: str, order: list[int], width: int, rates: dict[str, float], mended: Counter[str], *, unterminated: bool
) -> tuple[bytes, bytes]:
    cells = next(csv.reader([line]))
    if len(cells) < width:
        raise _BadRowError("cut line" if unterminated else "too few columns")
    symbol, day, *rest = (cells[place].strip() for place in order)
    if not symbol or len(symbol) > 64:
        raise _BadRowError("no symbol")
    event_time = _date(day, mended)
    opened, high, low, close, adj_close, volume, close_usd = map(_number, rest)
    if volume < 0:
        raise _BadRowError("unreadable number")
    rate = close_usd / close if close else 0.0
    if unterminated and symbol in rates and abs(rate - rates[symbol]) > 0.01 * rates[symbol]:
        # Every index has one fixed rate; a last number that has lost its end does not keep to it.
        raise _BadRowError("cut line")
    rates[symbol] = rate
    fields = _Fields(symbol, event_time, opened, high, low, close, adj_close, int(volume), close_usd)
    return symbol.encode(), _ENCODER.encode(fields)[:-1]


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in sorted(counter.items()))


def report(table: Table) -> dict[str, object]:
    """The fields of the log event that says what was read."""
    return {
        "rows": len(table.rows),
        "skipped": sum(table.skipped.values()),
        "skipped_by_reason": _counts(table.skipped),
        "mended_by_kind": _counts(table.mended),
    }


def series(table: Table, order: str, *, loop: bool, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """The rows to send.

    Args:
        table: the file's rows.
        order: `file` keeps their order; `random` draws any row each time, as the tutorials' df.sample(1) does, or,
            without `loop`, sends each row once in random order.
        loop: whether it never ends.
        seed: of the random order.
    """
    draw = random.Random(seed)
    rows = table.rows
    if loop and order == "random":
        while True:
            yield draw.choice(rows)
    while True:
        yield from draw.sample(rows, len(rows)) if order == "random" else rows
        if not loop:
            return


def main(argv: list[str]) -> int:
    """Says whether a file can be replayed: exit code 0, or one sentence and exit code 2."""
    try:
        check(argv[1])
    except SettingsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
