"""The parts that several statements have in common: names, columns, properties and partitions."""

from __future__ import annotations

from local_cloud.athena.catalog import CATALOG
from local_cloud.athena.ddl.partitions import Condition
from local_cloud.athena.ddl.statement import ColumnDefinition, TableName
from local_cloud.athena.errors import MalformedQueryError
from local_cloud.athena.hive.tokens import Cursor, Kind
from local_cloud.athena.hive.types import parse_type

_OPERATORS = ("=", "<=", ">=", "<>", "!=", "<", ">")


def table_name(cursor: Cursor, *follow: str, declared: bool = False) -> TableName:
    """`[[AwsDataCatalog.]database.]table`.

    Args:
        cursor: where it begins.
        follow: what may come after it, for the error.
        declared: whether the statement creates it, and reserved words are refused.

    Text in double quotes is a string for Hive, and so no name.

    Raises:
        MalformedQueryError: if there is none, or it is one of another catalog.
    """
    first = cursor.token.value
    name = cursor.declared_name if declared else cursor.name
    parts = [name()]
    while len(parts) < 3 and cursor.accept("."):
        parts.append(name())
    if cursor.at("."):
        raise cursor.mismatched("<EOF>", *follow)
    if len(parts) == 3 and parts.pop(0) != CATALOG:
        raise MalformedQueryError(f"Catalog '{first}' does not exist")
    return TableName(parts[-1], parts[0] if len(parts) == 2 else None)


def database_name(cursor: Cursor) -> str:
    """`[AwsDataCatalog.]database`."""
    first = cursor.token.value
    name = cursor.name()
    if not cursor.accept("."):
        return name
    if name != CATALOG:
        raise MalformedQueryError(f"Catalog '{first}' does not exist")
    return cursor.name()


def if_not_exists(cursor: Cursor) -> bool:
    """IF NOT EXISTS, or nothing."""
    if not cursor.accept("IF"):
        return False
    cursor.expect("NOT", "EXISTS")
    return True


def if_exists(cursor: Cursor) -> bool:
    """IF EXISTS, or nothing."""
    if not cursor.accept("IF"):
        return False
    cursor.expect("EXISTS")
    return True


def properties(cursor: Cursor) -> dict[str, str]:
    """`('name' = 'value', ...)`."""

    def pair() -> tuple[str, str]:
        name = cursor.string()
        cursor.expect("=")
        return name, cursor.string()

    return dict(cursor.bracketed(pair))


def column(cursor: Cursor, *, inside_brackets: bool = True) -> ColumnDefinition:
    """`name type [COMMENT 'text']`."""
    name = cursor.declared_name()
    kind = parse_type(cursor)
    if cursor.at_kind(Kind.WORD, Kind.QUOTED) and not cursor.at("COMMENT") and inside_brackets:
        raise cursor.no_viable()
    return ColumnDefinition(name, kind, cursor.string() if cursor.accept("COMMENT") else None)


def columns(cursor: Cursor) -> tuple[ColumnDefinition, ...]:
    """`(name type [COMMENT 'text'], ...)`."""
    return tuple(cursor.bracketed(lambda: column(cursor)))


def conditions(cursor: Cursor, operators: tuple[str, ...] = _OPERATORS) -> tuple[Condition, ...]:
    """PARTITION's `(key <operator> value, ...)`; a value is a string, a number or a DATE."""

    def condition() -> Condition:
        key = cursor.declared_name()
        operator = next((operator for operator in operators if cursor.accept(operator)), None)
        if operator is None:
            raise cursor.mismatched(*operators)
        return Condition(key, operator, _value(cursor))

    return tuple(cursor.bracketed(condition))


def partition_values(cursor: Cursor) -> dict[str, str]:
    """PARTITION's `(key = value, ...)`."""
    return {condition.key: condition.value for condition in conditions(cursor, ("=",))}


def _value(cursor: Cursor) -> str:
    cursor.accept("DATE")
    sign = "-" if cursor.accept("-") else ""
    if cursor.at_kind(Kind.NUMBER):
        return sign + cursor.advance().value
    return cursor.string()
