"""The analyses' SQL for Athena, and Athena's answers as one screen of text, for the end of `make up`."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

# A filter plugin has no import path to the project's Python, and the tables of `make query` are meant here too.
_TABLES = Path(__file__).resolve().parents[3] / "scripts" / "stock_market_ops" / "common" / "tables.py"


def _load_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stock_market_ops_tables", _TABLES)
    if spec is None or spec.loader is None:
        raise ImportError(f"{_TABLES} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def analysis_queries(names: Sequence[str], folder: str, first_hour: str) -> list[dict[str, Any]]:
    """Return name, SQL and parameters of each analysis, read from `<folder>/<name>.sql`.

    Args:
        names: of the analyses.
        folder: that of the SQL files.
        first_hour: the hour of arrival from which on they look, `YYYY-MM-DD HH`; empty for the whole history.
    """
    # As stock_market_ops.common.analyses.since: the day, by which Glue leaves out partitions, and the hour.
    since = [f"'{str(first_hour)[:10]}'", f"'{first_hour}'"]
    return [
        {"name": str(name), "sql": (Path(folder) / f"{name}.sql").read_text(encoding="utf-8"), "parameters": since}
        for name in names
    ]


def answers_screen(answers: Sequence[Mapping[str, Any]], queries: Sequence[Mapping[str, Any]], most_rows: int) -> str:
    """Lay out answers: the title from the SQL's first line, the table, and how many rows are not shown.

    Args:
        answers: what athena_answers returned for `queries`.
        queries: name and SQL of each, in the same order.
        most_rows: rows shown of each answer.
    """
    tables = _load_tables()
    parts = []
    for answer, query in zip(answers, queries, strict=True):
        title = str(query["sql"]).partition("\n")[0].removeprefix("--").strip()
        rows = answer["rows"]
        hidden = len(rows) - most_rows
        more = f"\n... and {hidden:,} more: make query ANALYSIS={query['name']}" if hidden > 0 else ""
        parts.append(f"{title}\n{tables.render(answer['columns'], rows[:most_rows])}{more}")
    first_hour = queries[0]["parameters"][-1].strip("'") if queries else ""
    if first_hour:
        parts.append(f"Quotes that arrived since {first_hour}h (UTC); `make query DAYS=7` looks at 7 days.")
    return "\n\n".join(parts)


class FilterModule:
    """Ansible's door to the filters."""

    def filters(self) -> dict[str, object]:
        """Return the filters by their names."""
        return {"analysis_queries": analysis_queries, "answers_screen": answers_screen}
