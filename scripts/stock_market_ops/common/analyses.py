"""The named analyses: one SQL file each, whose first line is a comment with the title.

A second line `-- hours: N` says that it never looks at more than the newest N hours of arrival.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stock_market.history.naming import Hour
from stock_market_ops.common.deployment import ROOT

HOURS = " AND concat(dt, ' ', hour) >= ?"
"""How an analysis looks from an hour on."""
DIRECTORY = ROOT / "roles" / "analyses" / "files"
_HOURS_LIMIT = re.compile(r"--[^\n]*\n-- hours: (\d+)\n")
# The order in which a person reads them; a file that is not named here comes after these.
_ORDER = (
    "preview",
    "freshness",
    "average_level",
    "volume",
    "record_high",
    "largest_moves",
    "trend",
    "volatility",
    "daily_range",
    "quality",
)


@dataclass(frozen=True)
class Analysis:
    """A question to the data: its name on the command line, its title on the screen, its SQL.

    The SQL has two `?`, for which `bounded` gives the values: the first day, by which Glue leaves out partitions, and
    the first hour. `hours` is the most hours of arrival that it looks at, the newest ones; 0 where there is no limit.
    """

    name: str
    title: str
    sql: str
    hours: int = 0

    def since(self, first: str, newest: Sequence[Hour]) -> str:
        """The first day or hour that it looks at, where that is asked from `first` on.

        Args:
            first: `YYYY-MM-DD HH`, `YYYY-MM-DD`, or empty for the whole history.
            newest: hours that hold data, the oldest first: at least as many as any analysis looks at, if there are.
        """
        return max(first, newest[-self.hours :][0].text) if self.hours and newest else first


def bounded(sql: str, first_hour: str) -> tuple[str, list[str]]:
    """Return SQL that is bounded as an analysis is, and the literals for its `?`.

    Whole days are bounded by the day alone: Athena would judge the hour once for each row.

    Args:
        sql: with `HOURS` after the comparison of the day.
        first_hour: of arrival, `YYYY-MM-DD HH`, or `YYYY-MM-DD` for all of that day; empty for the whole history.
    """
    day = f"'{first_hour[:10]}'"
    return (sql, [day, f"'{first_hour}'"]) if first_hour[10:] else (sql.replace(HOURS, ""), [day])


def load_all(directory: Path = DIRECTORY) -> dict[str, Analysis]:
    """Return every analysis by name, in reading order.

    Raises:
        ValueError: a file's first line is no comment.
    """
    names = sorted(path.stem for path in directory.glob("*.sql"))
    ordered = [name for name in _ORDER if name in names] + [name for name in names if name not in _ORDER]
    return {name: _read(directory / f"{name}.sql") for name in ordered}


def _read(path: Path) -> Analysis:
    sql = path.read_text(encoding="utf-8")
    first_line = sql.partition("\n")[0]
    title = first_line.removeprefix("--").strip()
    if not first_line.startswith("--") or not title:
        raise ValueError(f"{path} must start with a line `-- Title`.")
    limit = _HOURS_LIMIT.match(sql)
    return Analysis(path.stem, title, sql, int(limit[1]) if limit else 0)
