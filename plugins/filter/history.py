"""The filter that says how Glue describes the history and the view, by the code of the program that changes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stock_market.history import tables, view


def history_tables(names: Mapping[str, str], bucket: str, prefix: str) -> dict[str, Any]:
    """Return Glue's TableInput of the history's table (`table`) and of the view before there is any history (`view`).

    Args:
        names: `database`, and in it the table of the raw objects (`raw`), of the history (`history`), and the `view`.
        bucket: the data bucket.
        prefix: of the history's objects, with the slash at its end.
    """
    return {
        "table": tables.history_table(names["history"], bucket, prefix),
        "view": view.table_input(view.Names(**names), view.History()),
    }


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"history_tables": history_tables}
