"""Athena's errors: a query that fails says why in Athena's words."""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb
from sqlglot import exp

NOT_SUPPORTED = "NOT_SUPPORTED"


class QueryError(Exception):
    """Ends a query as FAILED; `code: message` is its StateChangeReason."""

    def __init__(self, code: str, message: str, node: exp.Expr | None = None) -> None:
        self.code = code
        where = position(node) if node is not None else ""
        super().__init__(f"{code}: {where}{message}")


class UnsupportedError(QueryError):
    """Athena can do it and the local cloud can't: said plainly, never passed over."""

    def __init__(self, what: str, node: exp.Expr | None = None) -> None:
        super().__init__(NOT_SUPPORTED, f"{what} is not supported by the local cloud", node)


class MalformedQueryError(Exception):
    """The text is no SQL: StartQueryExecution itself refuses it."""


class QueryCancelledError(Exception):
    """StopQueryExecution was called, or a limit of the workgroup was reached; the text is the StateChangeReason."""


def position(node: exp.Expr) -> str:
    """`line 1:8: `, the place of the first word under `node`, or an empty string if the parser kept none."""
    places = [found.meta for found in node.walk() if "line" in found.meta and "start" in found.meta]
    if not places:
        return ""
    first = min(places, key=lambda meta: int(meta["start"]))
    column = first["col"] - (first["end"] - first["start"])
    return f"line {first['line']}:{max(column, 1)}: "


def column_not_found(name: str, node: exp.Expr | None) -> QueryError:
    """A column that no table of the query has."""
    return QueryError(
        "COLUMN_NOT_FOUND",
        f"Column '{name}' cannot be resolved or requester is not authorized to access requested resources",
        node,
    )


@dataclass(frozen=True, slots=True)
class _Translation:
    pattern: str
    code: str
    message: str


_TRANSLATIONS = (
    _Translation("Division by zero", "DIVISION_BY_ZERO", "/ by zero"),
    _Translation(
        r"Could not convert string '(?P<value>.*?)' to (?P<type>\w+)",
        "INVALID_CAST_ARGUMENT",
        "Cannot cast '{value}' to {type}",
    ),
    _Translation(
        r'(?:field value out of range|field format): "(?P<value>.*?)"',
        "INVALID_FUNCTION_ARGUMENT",
        'Invalid format: "{value}"',
    ),
    _Translation(
        r'Could not parse string "(?P<value>.*?)" according to format',
        "INVALID_FUNCTION_ARGUMENT",
        'Invalid format: "{value}"',
    ),
    _Translation(
        r"Function with name (?P<name>\S+) does not exist", "FUNCTION_NOT_FOUND", "Function '{name}' not registered"
    ),
    _Translation("Overflow|[Oo]ut of [Rr]ange", "NUMERIC_VALUE_OUT_OF_RANGE", "Value out of range"),
    _Translation(
        "More than one row returned by a subquery",
        "SUBQUERY_MULTIPLE_ROWS",
        "Scalar sub-query has returned multiple rows",
    ),
    _Translation(
        r'column "(?P<name>[^"]+)" must appear in the GROUP BY',
        "EXPRESSION_NOT_AGGREGATE",
        "'{name}' must be an aggregate expression or appear in GROUP BY clause",
    ),
    _Translation(
        r'Referenced column "(?P<name>[^"]+)" not found',
        "COLUMN_NOT_FOUND",
        "Column '{name}' cannot be resolved or requester is not authorized to access requested resources",
    ),
    _Translation(
        "No function matches|Could not choose a best candidate|Cannot (?:mix|compare) values",
        "TYPE_MISMATCH",
        "Unexpected parameters or operands: {first}",
    ),
    _Translation("value inf can't be cast|value inf to DECIMAL|\\binf\\b.* DECIMAL", "DIVISION_BY_ZERO", "/ by zero"),
    _Translation("Unimplemented type for cast|Cannot cast", "TYPE_MISMATCH", "{first}"),
)


def from_duckdb(error: duckdb.Error) -> QueryError:
    """What DuckDB said, in Athena's words; what has no counterpart keeps DuckDB's first line."""
    text = str(error)
    first = text.partition("\n")[0].partition("Error: ")[2] or text
    for translation in _TRANSLATIONS:
        match = re.search(translation.pattern, text)
        if match:
            return QueryError(translation.code, translation.message.format(first=first, **match.groupdict()))
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError("EXCEEDED_LOCAL_MEMORY_LIMIT", "Query exceeded per-node memory limit")
    code = (
        "SYNTAX_ERROR" if isinstance(error, (duckdb.BinderException, duckdb.ParserException)) else "GENERIC_USER_ERROR"
    )
    return QueryError(code, first)
