"""Rows as a table for people: thousands separated, decimals aligned, wide text cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

Value = str | int | float | bool | None
_MAX_DECIMALS = 6
_WIDEST_TEXT = 60


def _decimals(values: Sequence[Value]) -> int:
    """Return how many decimals show every value of a column, at most six."""
    most = 0
    for value in values:
        if isinstance(value, float):
            digits = f"{value:.{_MAX_DECIMALS}f}".rstrip("0").partition(".")[2]
            most = max(most, len(digits))
    return most


def _cell(value: Value, decimals: int) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.{decimals}f}"
    text = str(value)
    return text if len(text) <= _WIDEST_TEXT else text[: _WIDEST_TEXT - 1] + "…"


def is_number(value: Value) -> bool:
    """Tell whether a value is aligned to the right."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def laid_out(columns: Sequence[str], rows: Sequence[Mapping[str, Value]]) -> tuple[list[list[str]], list[str]]:
    """Return rows as lists of text, each column's decimals alike, and for each column whether it goes left or right."""
    cells: list[list[str]] = [[] for _ in rows]
    alignment = []
    for column in columns:
        values = [row[column] for row in rows]
        decimals = _decimals(values)
        alignment.append("right" if any(is_number(value) for value in values) else "left")
        for line, value in zip(cells, values, strict=True):
            line.append(_cell(value, decimals))
    return cells, alignment


def render(columns: Sequence[str], rows: Sequence[Mapping[str, Value]], most_rows: int | None = None) -> str:
    """Lay out rows under their column names; with `most_rows`, only the first ones and a count of the rest."""
    if not rows:
        return "(no rows)"
    shown = rows if most_rows is None else rows[:most_rows]
    cells, alignment = laid_out(columns, shown)
    table = tabulate(cells, headers=list(columns), tablefmt="simple", colalign=alignment, disable_numparse=True)
    hidden = len(rows) - len(shown)
    return table if not hidden else f"{table}\n... and {hidden:,} more"
