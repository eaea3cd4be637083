"""The report's HTML: one file that needs no other, opens offline, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from markupsafe import Markup

from stock_market_ops.common import athena, tables
from stock_market_ops.report.candles import Candles, moves

MAX_BYTES: Final = 2_000_000
_HERE: Final = Path(__file__).parent
_HEAT_SPANS: Final = 48
# Where a cell of the heat map has its full colour: the move, in percent, that 95 of 100 cells stay below.
_HEAT_QUANTILE: Final = 0.95


class Verdict(msgspec.Struct, frozen=True):
    """What a person wants to know first: `is_well` is None where there is nothing to judge."""

    title: str
    is_well: bool | None
    text: str


class Plot(msgspec.Struct, frozen=True):
    """Bars: the column that names them, and the columns of their heights, side by side.

    With `newest_first` the rows go back in time, and the bars forward.
    """

    label: str
    heights: list[str]
    newest_first: bool = False


class Section(msgspec.Struct, frozen=True):
    """An answer of Athena under its title, and the bars that fit it, if any do."""

    name: str
    title: str
    columns: list[str]
    rows: list[athena.Row]
    plot: Plot | None = None


class Report(msgspec.Struct, frozen=True):
    """All that the page shows.

    `made` is the moment and `source` what it was made from, for people; `facts` and `costs` are lines of tables;
    `width` is the candles' interval in seconds.
    """

    deployment: str
    made: str
    source: str
    sections: list[Section]
    facts: list[tuple[str, str]]
    costs: list[tuple[str, str]] = []
    verdicts: list[Verdict] = []
    candles: list[Candles] = []
    width: int = 1


class _Cell(msgspec.Struct, frozen=True):
    """A cell of the heat map: its colour's strength from 0 to 1, and what it says."""

    kind: str
    strength: float
    text: str


def render(report: Report, libraries: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        report: what it shows.
        libraries: the chart libraries' files by name, `lightweight-charts.js`, `uPlot.js` and `uPlot.css`.
    """
    scripts = [libraries["lightweight-charts.js"], libraries["uPlot.js"], _own("page.js")]
    styles = [libraries["uPlot.css"], _own("page.css")]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.globals["laid_out"] = tables.laid_out
    return environment.from_string(_own("page.html.j2")).render(
        report=report,
        data=Markup(_json(_plots(report))),
        heat=_heat(report),
        width=_text(report.width),
        scripts=[Markup(script) for script in scripts],
        styles=[Markup(style) for style in styles],
        policy=_policy(scripts),
    )


def _own(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _policy(scripts: Sequence[str]) -> str:
    """Return the Content-Security-Policy: these scripts and nothing from anywhere.

    lightweight-charts puts a style sheet of its own into the page, whose hash is not known before, hence
    'unsafe-inline' for styles; a style can't reach outside either, for nothing is fetched.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    closed = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'"
    return f"{closed}; script-src {hashes}; style-src 'unsafe-inline'"


def _json(value: Any) -> str:
    """Return JSON that may stand in a script element: no `<`, with which one could end it."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _plots(report: Report) -> dict[str, Any]:
    sections = {section.name: section for section in report.sections}
    return {
        "candles": [msgspec.to_builtins(one) for one in report.candles],
        "width": report.width,
        "records": _records(sections.get("record_high")),
        "plots": {
            section.name: _bars(section.plot, section.rows)
            for section in report.sections
            if section.plot and section.rows
        },
    }


def _bars(plot: Plot, rows: list[athena.Row]) -> dict[str, Any]:
    ordered = rows[::-1] if plot.newest_first else rows
    return {
        "names": [str(row[plot.label]) for row in ordered],
        "heights": {name: [row[name] for row in ordered] for name in plot.heights},
    }


def _text(seconds: int) -> str:
    """Return an interval for people: 30 s, 5 min, 4 h, 7 d."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _records(section: Section | None) -> dict[str, float]:
    rows = section.rows if section else []
    return {str(row["symbol"]): float(row["record_high"] or 0) for row in rows if row["record_high"] is not None}


def _heat(report: Report) -> list[tuple[str, list[_Cell]]]:
    if not report.candles:
        return []
    begin = min(one.time[0] for one in report.candles)
    end = max(one.time[-1] for one in report.candles) + report.width
    span = max(report.width, math.ceil((end - begin) / _HEAT_SPANS / report.width) * report.width)
    count = math.ceil((end - begin) / span)
    rows = [(one.symbol, moves(one, begin, span, count)) for one in report.candles]
    sizes = sorted(abs(move) for _, line in rows for move in line if move is not None)
    full = sizes[min(len(sizes) - 1, int(len(sizes) * _HEAT_QUANTILE))] if sizes else 0.0
    return [(symbol, [_cell(symbol, move, full) for move in line]) for symbol, line in rows]


def _cell(symbol: str, move: float | None, full: float) -> _Cell:
    if move is None:
        return _Cell("none", 0.0, f"{symbol}: no quote")
    kind = "up" if move > 0 else "down" if move < 0 else "none"
    return _Cell(kind, round(min(1.0, abs(move) / full), 2) if full else 0.0, f"{symbol}: {move:+.3f} %")
