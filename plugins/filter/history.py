"""The filter that says how Glue describes the history and its views, by the code of the program that changes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stock_market.history import tables, view
from stock_market.history.naming import hours_prefix


def history_tables(names: Mapping[str, str], bucket: str, prefix: str) -> list[dict[str, Any]]:
    """Return Glue's TableInput of the table (`table`), and of the view before there is any history (`view`).

    First those of the quotes, then those of the hours summed up.

    Args:
        names: `database`, and in it the table of the raw objects (`raw`), of the history (`history`), and the `view`.
        bucket: the data bucket.
        prefix: of the history's objects, with the slash at its end.
    """
    quotes = view.Names(names["database"], names["raw"], names["history"], names["view"])
    return [
        {
            "table": tables.history_table(one.history, bucket, where, one.layer),
            "view": view.table_input(one, view.History()),
        }
        for one, where in ((quotes, prefix), (quotes.hours, hours_prefix(prefix)))
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"history_tables": history_tables}
