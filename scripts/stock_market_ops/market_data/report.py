"""What was read of market data, what was left out and why, and what had to be mended."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from stock_market.errors import SettingsError

_SHOWN = 60
_MAX_SYMBOLS = 8


class MarketDataError(SettingsError):
    """The market data can't be replayed; the message is one sentence that says why and what to do."""


class Skipped(msgspec.Struct):
    """Rows that were left out for one reason.

    Attributes:
        rows: how many.
        first: the file's name, the line's number and its beginning.
    """

    rows: int
    first: str


class Report(msgspec.Struct):
    """What was read.

    Attributes:
        files: the files' names.
        layout: names of the layouts that were found.
        rows: usable rows.
        skipped: what was left out, by reason.
        mended: how many values or rows were mended, by kind.
        symbols: rows of each symbol.
        first: event time of the earliest row.
        last: event time of the latest row.
    """

    files: list[str] = []
    layout: list[str] = []
    rows: int = 0
    skipped: dict[str, Skipped] = {}
    mended: dict[str, int] = {}
    symbols: dict[str, int] = {}
    first: str = ""
    last: str = ""

    def lines(self) -> list[str]:
        """The report for a person, a line each."""
        skipped = sum(each.rows for each in self.skipped.values())
        files = self.files[0] if len(self.files) == 1 else f"{len(self.files)} files"
        symbols = ", ".join(sorted(self.symbols)[:_MAX_SYMBOLS])
        more = f" and {len(self.symbols) - _MAX_SYMBOLS} more" if len(self.symbols) > _MAX_SYMBOLS else ""
        rows, layout = "row" if self.rows == 1 else "rows", ", ".join(self.layout)
        found = [
            f"{files}: {self.rows:,} {rows} read, {skipped:,} skipped; columns as of {layout}",
            f"{len(self.symbols):,} symbol{'s' if len(self.symbols) != 1 else ''}: {symbols}{more}",
            f"first day {self.first[:10]}, last day {self.last[:10]}",
        ]
        found += [
            f"skipped, {reason}: {each.rows:,}; the first is {each.first}" for reason, each in self.skipped.items()
        ]
        found += [f"mended, {kind}: {count:,}" for kind, count in self.mended.items()]
        return found


class Tally:
    """Counts while rows are read."""

    def __init__(self) -> None:
        self.skipped: dict[str, Skipped] = {}
        self.mended: Counter[str] = Counter()
        self.symbols: Counter[str] = Counter()

    def skip(self, reason: str, file: str, line: int, text: str, rows: int = 1) -> None:
        """Notes a row that is left out; `line` counts from 1."""
        known = self.skipped.get(reason)
        if known is None:
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
            self.skipped[reason] = Skipped(rows, f"line {line} of {file}: {ascii(shown)[1:-1]}")
        else:
            known.rows += rows

    def first_skipped(self) -> str:
        """The first reason with its row, for a sentence; empty where none was left out."""
        for reason, each in self.skipped.items():
            if reason != "blank line":
                return f"{reason}: {each.first}"
        return ""


def as_json(report: Report, **more: Any) -> bytes:
    """The report for a program."""
    return msgspec.json.encode(msgspec.to_builtins(report) | {"text": report.lines()} | more)
