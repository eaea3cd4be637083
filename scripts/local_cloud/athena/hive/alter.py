"""Reads ALTER TABLE."""

from __future__ import annotations

from local_cloud.athena.ddl import alter
from local_cloud.athena.ddl.partitions import add_partitions, drop_partitions, rename_partition
from local_cloud.athena.ddl.statement import Ddl, TableName, Values
from local_cloud.athena.errors import MalformedQueryError
from local_cloud.athena.hive import clauses
from local_cloud.athena.hive.tokens import NOT_SUPPORTED_TYPE, Cursor

# What Hive has and Athena has not: https://docs.aws.amazon.com/athena/latest/ug/unsupported-ddl.html
_UNSUPPORTED = (
    *("ARCHIVE", "UNARCHIVE", "TOUCH", "CLUSTERED BY", "SKEWED BY", "EXCHANGE PARTITION", "COMPACT", "CONCATENATE"),
    *("NOT CLUSTERED", "NOT SKEWED", "NOT SORTED", "NOT STORED", "SET SERDEPROPERTIES", "SET SERDE", "SET SKEWED"),
    *("SET FILEFORMAT",),
)


def alter_table(cursor: Cursor) -> Ddl:
    """The statement after ALTER TABLE.

    Raises:
        MalformedQueryError: if it is not well-formed, or Athena has no such statement.
    """
    table = clauses.table_name(cursor)
    statement = _of_partition(cursor, table) if cursor.accept("PARTITION") else _of_table(cursor, table)
    cursor.finish()
    return statement


def _of_partition(cursor: Cursor, table: TableName) -> Ddl:
    partition = clauses.partition_values(cursor)
    if cursor.accept("RENAME"):
        cursor.expect("TO", "PARTITION")
        return rename_partition(table, partition, clauses.partition_values(cursor))
    if cursor.accept("SET", "LOCATION"):
        return alter.set_location(table, cursor.string(), partition)
    if cursor.accept("ADD", "COLUMNS"):
        return alter.add_columns(table, clauses.columns(cursor), partition)
    if cursor.accept("REPLACE", "COLUMNS"):
        return alter.replace_columns(table, clauses.columns(cursor), partition)
    if cursor.at("CHANGE"):
        raise MalformedQueryError(NOT_SUPPORTED_TYPE)
    raise _refusal(cursor)


def _of_table(cursor: Cursor, table: TableName) -> Ddl:
    if cursor.accept("ADD"):
        return _add(cursor, table)
    if cursor.accept("DROP"):
        return _drop(cursor, table)
    if cursor.accept("REPLACE"):
        cursor.expect("COLUMNS")
        return alter.replace_columns(table, clauses.columns(cursor))
    if cursor.accept("CHANGE"):
        return _change(cursor, table)
    if cursor.accept("RENAME"):
        if not cursor.accept("TO"):
            raise cursor.missing("TO")
        return alter.rename_table(table, clauses.table_name(cursor))
    if cursor.accept("SET", "LOCATION"):
        return alter.set_location(table, cursor.string())
    if cursor.accept("SET", "TBLPROPERTIES"):
        return alter.set_properties(table, clauses.properties(cursor))
    if cursor.accept("UNSET"):
        cursor.expect("TBLPROPERTIES")
        missing_ok = clauses.if_exists(cursor)
        return alter.unset_properties(table, tuple(cursor.bracketed(cursor.string)), missing_ok)
    raise _refusal(cursor)


def _add(cursor: Cursor, table: TableName) -> Ddl:
    if cursor.accept("COLUMNS"):
        return alter.add_columns(table, clauses.columns(cursor))
    exists_ok = clauses.if_not_exists(cursor)
    partitions: list[tuple[Values, str | None]] = []
    while cursor.accept("PARTITION"):
        values = clauses.partition_values(cursor)
        partitions.append((values, cursor.string() if cursor.accept("LOCATION") else None))
        cursor.accept(",")
    if not partitions:
        raise cursor.no_viable()
    return add_partitions(table, tuple(partitions), exists_ok)


def _drop(cursor: Cursor, table: TableName) -> Ddl:
    place = cursor.place()
    if cursor.accept("COLUMN"):
        if cursor.at("IF"):
            cursor.advance()
            raise cursor.mismatched("<EOF>", ".")
        return alter.drop_column(table, cursor.name(), place)
    if cursor.at("COLUMNS"):
        raise cursor.mismatched("PARTITION", "COLUMN")
    missing_ok = clauses.if_exists(cursor)
    cursor.expect("PARTITION")
    every = [clauses.conditions(cursor)]
    while cursor.accept(","):
        cursor.expect("PARTITION")
        every.append(clauses.conditions(cursor))
    cursor.accept("PURGE")
    return drop_partitions(table, tuple(every), missing_ok)


def _change(cursor: Cursor, table: TableName) -> Ddl:
    cursor.accept("COLUMN")
    old = cursor.name()
    new = clauses.column(cursor, inside_brackets=False)
    if cursor.accept("FIRST"):
        return alter.change_column(table, old, new, first=True)
    return alter.change_column(table, old, new, after=cursor.name() if cursor.accept("AFTER") else None)


def _refusal(cursor: Cursor) -> MalformedQueryError:
    if any(cursor.at(*words.split()) for words in _UNSUPPORTED):
        return MalformedQueryError(NOT_SUPPORTED_TYPE)
    if cursor.at("SET"):
        cursor.advance()
    return cursor.no_viable()
