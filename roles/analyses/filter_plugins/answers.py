"""Athena's answers as one screen of text, for the last task of `make up`."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

# A filter plugin has no import path to the project's Python, and the tables of `make query` are meant here too.
_TABLES = Path(__file__).resolve().parents[3] / "scripts" / "stock_market_ops" / "tables.py"


def _load_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stock_market_ops_tables", _TABLES)
    if spec is None or spec.loader is None:
        raise ImportError(f"{_TABLES} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answers_screen(results: Sequence[Mapping[str, Any]], most_rows: int) -> str:
    """Lay out the results of a loop over analyses: title, table, and how many rows are not shown.

    Args:
        results: what `register` keeps of the loop: each has `item` (the analysis), `query`, `columns` and `rows`.
        most_rows: rows shown of each answer.
    """
    tables = _load_tables()
    parts = []
    for result in results:
        title = str(result["query"]).partition("\n")[0].removeprefix("--").strip()
        rows = result["rows"]
        hidden = len(rows) - most_rows
        more = f"\n({hidden:,} more: make query ANALYSIS={result['item']})" if hidden > 0 else ""
        parts.append(f"{title}\n\n{tables.render(result['columns'], rows[:most_rows])}{more}")
    return "\n\n".join(parts)


class FilterModule:
    """Ansible's door to the filter."""

    def filters(self) -> dict[str, object]:
        """Return the filter by its name."""
        return {"answers_screen": answers_screen}
