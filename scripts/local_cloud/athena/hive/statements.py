"""Reads Athena's statements about the catalog; what is not among them is the engine's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from local_cloud.athena.ddl.create_text import show_create_table
from local_cloud.athena.ddl.databases import alter_database, create_database, drop_database, show_databases
from local_cloud.athena.ddl.describe import describe
from local_cloud.athena.ddl.iceberg import optimize, vacuum
from local_cloud.athena.ddl.partitions import repair_table, show_partitions
from local_cloud.athena.ddl.refused import with_reserved_name
from local_cloud.athena.ddl.show import show_columns, show_table_properties, show_tables, show_views
from local_cloud.athena.ddl.statement import Ddl, TableName
from local_cloud.athena.ddl.tables import drop_table
from local_cloud.athena.errors import MalformedQueryError
from local_cloud.athena.hive import clauses
from local_cloud.athena.hive.alter import alter_table
from local_cloud.athena.hive.create import create_table
from local_cloud.athena.hive.tokens import NOT_SUPPORTED_TYPE, Cursor, Kind


def parse_ddl(text: str) -> Ddl | None:
    """The statement if it is one that Athena answers itself, None if it is the engine's own.

    Raises:
        MalformedQueryError: if it begins like one of them and is not well-formed, or Athena has no such statement.
    """
    cursor = Cursor(text)
    if any(cursor.at(*words.split()) for words in _UNSUPPORTED):
        raise MalformedQueryError(NOT_SUPPORTED_TYPE)
    for words, parse in _STATEMENTS:
        if cursor.accept(*words):
            statement = parse(cursor)
            if statement is not None and cursor.reserved is not None:
                return with_reserved_name(statement, cursor.reserved)
            return statement
    return None


def _create_database(cursor: Cursor) -> Ddl:
    exists_ok = clauses.if_not_exists(cursor)
    name = clauses.database_name(cursor)
    comment = cursor.string() if cursor.accept("COMMENT") else None
    location = cursor.string() if cursor.accept("LOCATION") else None
    given = clauses.properties(cursor) if cursor.accept("WITH", "DBPROPERTIES") else None
    cursor.finish()
    return create_database(name, exists_ok, comment=comment, location=location, properties=given)


def _drop_database(cursor: Cursor) -> Ddl:
    missing_ok = clauses.if_exists(cursor)
    name = clauses.database_name(cursor)
    cascade = cursor.accept("CASCADE")
    if not cascade:
        cursor.accept("RESTRICT")
    cursor.finish("RESTRICT", "CASCADE")
    return drop_database(name, missing_ok, cascade)


def _alter_database(cursor: Cursor) -> Ddl:
    name = clauses.database_name(cursor)
    cursor.expect("SET", "DBPROPERTIES")
    statement = alter_database(name, clauses.properties(cursor))
    cursor.finish()
    return statement


def _show_databases(cursor: Cursor) -> Ddl:
    statement = show_databases(_like(cursor))
    cursor.finish("LIKE", "STRING")
    return statement


def _in_database(statement: Callable[[str | None, str | None], Ddl]) -> Callable[[Cursor], Ddl]:
    """Reads a list of what a database has."""

    def read(cursor: Cursor) -> Ddl:
        database = clauses.database_name(cursor) if cursor.accept("IN") or cursor.accept("FROM") else None
        made = statement(database, _like(cursor))
        cursor.finish("LIKE", "STRING")
        return made

    return read


def _about_table(statement: Callable[[TableName], Ddl]) -> Callable[[Cursor], Ddl]:
    """Reads a statement that has nothing but a table's name."""

    def read(cursor: Cursor) -> Ddl:
        made = statement(clauses.table_name(cursor))
        cursor.finish()
        return made

    return read


def _like(cursor: Cursor) -> str | None:
    """A pattern, with or without LIKE before it."""
    if cursor.accept("LIKE"):
        return cursor.string()
    return cursor.string() if cursor.at_kind(Kind.STRING) else None


def _show_columns(cursor: Cursor) -> Ddl:
    if not cursor.accept("IN"):
        cursor.expect("FROM")
    table = clauses.table_name(cursor)
    if cursor.accept("IN") or cursor.accept("FROM"):
        table = TableName(table.name, clauses.database_name(cursor))
    cursor.finish("FROM", "IN")
    return show_columns(table)


def _show_properties(cursor: Cursor) -> Ddl:
    table = clauses.table_name(cursor)
    name = None
    if cursor.accept("("):
        name = cursor.string()
        cursor.expect(")")
    cursor.finish("(")
    return show_table_properties(table, name)


def _describe(cursor: Cursor) -> Ddl | None:
    if cursor.at("INPUT") or cursor.at("OUTPUT"):
        return None  # of a prepared statement
    style = ""
    if cursor.ahead(1).kind is not Kind.END and (cursor.at("EXTENDED") or cursor.at("FORMATTED")):
        style = cursor.advance().text.upper()
    table = clauses.table_name(cursor)
    partition = clauses.partition_values(cursor) if cursor.accept("PARTITION") else None
    path: list[str] = []
    if cursor.at_kind(Kind.WORD, Kind.QUOTED):
        path.append(cursor.name())
        while cursor.accept("."):
            path.append(cursor.string() if cursor.at_kind(Kind.STRING) else cursor.name())
    cursor.finish("PARTITION")
    return describe(table, style, partition, path=tuple(path))


def _drop_table(cursor: Cursor) -> Ddl:
    missing_ok = clauses.if_exists(cursor)
    table = clauses.table_name(cursor, "PURGE")
    cursor.accept("PURGE")
    cursor.finish("PURGE")
    return drop_table(table, missing_ok)


def _optimize(cursor: Cursor) -> Ddl:
    table = clauses.table_name(cursor)
    cursor.expect("REWRITE", "DATA", "USING", "BIN_PACK")
    condition = None
    if cursor.accept("WHERE"):
        condition = cursor.rest()
        if not condition:
            raise cursor.no_viable()
    cursor.finish("WHERE")
    return optimize(table, condition)


_STATEMENTS: tuple[tuple[tuple[str, ...], Callable[[Cursor], Ddl | None]], ...] = (
    (("CREATE", "DATABASE"), _create_database),
    (("CREATE", "SCHEMA"), _create_database),
    (("CREATE", "EXTERNAL", "TABLE"), partial(create_table, external=True)),
    (("CREATE", "TABLE"), partial(create_table, external=False)),
    (("DROP", "DATABASE"), _drop_database),
    (("DROP", "SCHEMA"), _drop_database),
    (("DROP", "TABLE"), _drop_table),
    (("ALTER", "DATABASE"), _alter_database),
    (("ALTER", "SCHEMA"), _alter_database),
    (("ALTER", "TABLE"), alter_table),
    (("SHOW", "DATABASES"), _show_databases),
    (("SHOW", "SCHEMAS"), _show_databases),
    (("SHOW", "TABLES"), _in_database(show_tables)),
    (("SHOW", "VIEWS"), _in_database(show_views)),
    (("SHOW", "PARTITIONS"), _about_table(show_partitions)),
    (("SHOW", "COLUMNS"), _show_columns),
    (("SHOW", "TBLPROPERTIES"), _show_properties),
    (("SHOW", "CREATE", "TABLE"), _about_table(show_create_table)),
    (("DESCRIBE",), _describe),
    (("DESC",), _describe),
    (("MSCK", "REPAIR", "TABLE"), _about_table(repair_table)),
    (("MSCK", "REPAIR"), _about_table(repair_table)),
    (("OPTIMIZE",), _optimize),
    (("VACUUM",), _about_table(vacuum)),
)
# https://docs.aws.amazon.com/athena/latest/ug/unsupported-ddl.html
_UNSUPPORTED = (
    *("ALTER INDEX", "COMMIT", "CREATE INDEX", "CREATE ROLE", "CREATE TEMPORARY MACRO", "DESCRIBE DATABASE"),
    *("DESCRIBE SCHEMA", "DFS", "DROP INDEX", "DROP ROLE", "DROP TEMPORARY MACRO", "EXPORT TABLE", "GRANT", "IMPORT"),
    *("LOCK", "REVOKE", "ROLLBACK", "SHOW COMPACTIONS", "SHOW CURRENT ROLES", "SHOW GRANT", "SHOW INDEXES"),
    *("SHOW LOCKS", "SHOW PRINCIPALS", "SHOW ROLE", "SHOW ROLES", "SHOW SESSION", "SHOW STATS", "SHOW TRANSACTIONS"),
    *("START TRANSACTION", "UNLOCK"),
)
