"""Statements about the catalog: SHOW, DESCRIBE, partitions, databases and tables. What is not here fails by name."""

from __future__ import annotations

import fnmatch
import re
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from sqlglot import exp

from local_cloud.athena.catalog import Catalog, CatalogTable
from local_cloud.athena.errors import QueryError, UnsupportedError
from local_cloud.athena.results import Result, Row

_NAME = r"[`\"]?(?P<{0}>[\w-]+)[`\"]?"
_TABLE = rf"(?:{_NAME.format('database')}\s*\.\s*)?{_NAME.format('table')}"
_SPEC = re.compile(
    r"(?P<comma>,\s*)?PARTITION\s*\((?P<values>[^)]*)\)(?:\s*LOCATION\s+'(?P<location>[^']*)')?\s*", re.IGNORECASE
)
_VALUE = re.compile(r"\s*[`\"]?(?P<name>\w+)[`\"]?\s*=\s*(?:'(?P<text>[^']*)'|(?P<number>\d+))\s*")
_PARTITION_FOLDER = re.compile(r"([^=/]+)=([^=/]*)")


def is_ddl(statement: exp.Expr) -> bool:
    """Whether a statement is about the catalog and not about data."""
    return isinstance(statement, (exp.Command, exp.Describe, exp.Alter, exp.Create, exp.Drop, exp.Show))


def run_ddl(statement: exp.Expr, text: str, catalog: Catalog, database: str) -> Result:
    """Runs one; `text` is the statement without comments.

    Raises:
        QueryError: if it fails, NOT_SUPPORTED if the local cloud does not know it.
    """
    match statement:
        case exp.Create():
            return _create(statement, catalog)
        case exp.Drop():
            return _drop(statement, catalog, database)
    for pattern, run in _COMMANDS:
        found = re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL)
        if found:
            return run(catalog, database, found.groupdict())
    raise UnsupportedError(f"'{' '.join(text.split()[:3])}'")


def _lines(name: str, lines: list[str]) -> Result:
    return _table_of([name], [[line] for line in lines])


def _table_of(names: list[str], rows: list[Row]) -> Result:
    result = Result(names, is_query=False)
    for row in rows:
        result.add(row)
    return result


def _show_databases(catalog: Catalog, _database: str, words: dict[str, Any]) -> Result:
    return _lines("database_name", [name for name in catalog.databases() if _is_like(name, words["pattern"])])


def _show_tables(catalog: Catalog, database: str, words: dict[str, Any]) -> Result:
    names = catalog.tables((words["database"] or database).lower())
    return _lines("tab_name", [name for name in names if _is_like(name, words["pattern"])])


def _show_partitions(catalog: Catalog, database: str, words: dict[str, Any]) -> Result:
    table = _table(catalog, database, words)
    if not table.partition_keys:
        raise QueryError("FAILED", f"Execution Error: Table {table.database}.{table.name} is not a partitioned table")
    lines = (
        "/".join(f"{key.name}={value}" for key, value in zip(table.partition_keys, partition.values, strict=True))
        for partition in table.partitions()
    )
    return _lines("partition", sorted(lines))


def _show_columns(catalog: Catalog, database: str, words: dict[str, Any]) -> Result:
    return _lines("field", list(_table(catalog, database, words).schema))


def _repair(catalog: Catalog, database: str, words: dict[str, Any]) -> Result:
    """Adds the partitions whose folders are in S3 and that the catalog does not know."""
    table = _table(catalog, database, words)
    known = {partition.values for partition in table.partitions()}
    lines = []
    for folder in sorted(catalog.folders(table.location)):
        parts = [_PARTITION_FOLDER.fullmatch(part) for part in folder.split("/")]
        named = [(part[1].lower(), urllib.parse.unquote(part[2])) for part in parts if part]
        values = tuple(value for _, value in named)
        if [name for name, _ in named] != [key.name for key in table.partition_keys] or values in known:
            continue
        _add_partition(catalog, table, list(values), f"{table.location.rstrip('/')}/{folder}/")
        known.add(values)
        lines.append(f"Repair: Added partition to metastore {table.name}:{folder}")
    return _lines("result", lines)


def _describe(catalog: Catalog, database: str, words: dict[str, Any]) -> Result:
    table = _table(catalog, database, words)
    rows: list[Row] = [[f"{column.name:<20}", f"{column.type:<20}", f"{'':<20}"] for column in table.columns]
    rows += [[f"{key.name:<20}", f"{key.type:<20}", f"{'':<20}"] for key in table.partition_keys]
    if table.partition_keys:
        rows += [["", None, None], ["# Partition Information", None, None]]
        rows += [[f"{'# col_name':<20}", f"{'data_type':<20}", f"{'comment':<20}"], ["", None, None]]
        rows += [[f"{key.name:<20}", f"{key.type:<20}", f"{'':<20}"] for key in table.partition_keys]
    return _table_of(["col_name", "data_type", "comment"], rows)


def _add_partitions(catalog: Catalog, database: str, words: dict[str, Any]) -> Result:
    table = _table(catalog, database, words)
    for values, location in _partition_specs(words["specs"], table):
        _add_partition(
            catalog,
            table,
            values,
            location or table.default_location(values),
            exists_ok=bool(words["exists"]),
        )
    return Result([], is_query=False)


def _drop_partitions(catalog: Catalog, database: str, words: dict[str, Any]) -> Result:
    table = _table(catalog, database, words)
    catalog.authorize_table("glue:BatchDeletePartition", table.database, table.name)
    for values, _ in _partition_specs(words["specs"], table):
        errors = catalog.backend.batch_delete_partition(table.database, table.name, [{"Values": values}])
        if errors and not words["exists"]:
            raise QueryError("FAILED", f"SemanticException Partition not found: {values}")
    return Result([], is_query=False)


def _partition_specs(text: str, table: CatalogTable) -> Iterator[tuple[list[str], str | None]]:
    """The partitions that a statement names: their values in the order of the table's keys, and their location."""
    names = [key.name for key in table.partition_keys]
    position = 0
    while position < len(text):
        spec = _SPEC.match(text, position)
        if spec is None:
            raise UnsupportedError(f"'{text[position : position + 40]}'")
        given: dict[str, str] = {}
        for part in spec["values"].split(","):
            value = _VALUE.fullmatch(part)
            if value is None:
                raise UnsupportedError(f"The partition '{part.strip()}'")
            given[value["name"].lower()] = value["number"] if value["text"] is None else value["text"]
        if sorted(given) != sorted(names):
            raise QueryError(
                "FAILED",
                f"SemanticException partition spec {given} does not match the partition keys {', '.join(names)}",
            )
        yield [given[name] for name in names], spec["location"]
        position = spec.end()


def _add_partition(
    catalog: Catalog, table: CatalogTable, values: list[str], location: str, *, exists_ok: bool = False
) -> None:
    catalog.authorize_table("glue:BatchCreatePartition", table.database, table.name)
    storage = {**(table.description.get("StorageDescriptor") or {}), "Location": location}
    errors = catalog.backend.batch_create_partition(
        table.database, table.name, [{"Values": values, "StorageDescriptor": storage, "Parameters": {}}]
    )
    if errors and not exists_ok:
        raise QueryError("FAILED", f"AlreadyExistsException: Partition already exists: {values}")


def _create(statement: exp.Create, catalog: Catalog) -> Result:
    if statement.kind not in {"DATABASE", "SCHEMA"}:
        raise UnsupportedError(f"CREATE {statement.kind}")
    name = statement.this.name.lower()
    catalog.authorize_database("glue:CreateDatabase", name)
    if name not in catalog.databases():
        catalog.backend.create_database(name, {"Name": name})
    elif not statement.args.get("exists"):
        raise QueryError("FAILED", f"AlreadyExistsException: Database {name} already exists")
    return Result([], is_query=False)


def _drop(statement: exp.Drop, catalog: Catalog, database: str) -> Result:
    exists_ok = bool(statement.args.get("exists"))
    tables = statement.args.get("tables") or [statement.this]
    for node in tables:
        name = node.name.lower()
        if statement.kind in {"DATABASE", "SCHEMA"}:
            _drop_database(catalog, name, exists_ok, bool(statement.args.get("cascade")))
        elif statement.kind == "TABLE":
            schema = (node.db or database).lower()
            catalog.authorize_table("glue:DeleteTable", schema, name)
            if name in catalog.tables(schema, node):
                catalog.backend.delete_table(schema, name)
            elif not exists_ok:
                raise QueryError("FAILED", f"SemanticException Table not found {schema}.{name}")
        else:
            raise UnsupportedError(f"DROP {statement.kind}")
    return Result([], is_query=False)


def _drop_database(catalog: Catalog, name: str, exists_ok: bool, cascade: bool) -> None:
    catalog.authorize_database("glue:DeleteDatabase", name)
    if name not in catalog.databases():
        if not exists_ok:
            raise QueryError("FAILED", f"SemanticException Database does not exist: {name}")
    elif catalog.tables(name) and not cascade:
        raise QueryError("FAILED", f"InvalidOperationException Database {name} is not empty. One or more tables exist.")
    else:
        catalog.backend.delete_database(name)


def _table(catalog: Catalog, database: str, words: dict[str, Any]) -> CatalogTable:
    return catalog.table((words["database"] or database).lower(), words["table"].lower())


def _is_like(name: str, pattern: str | None) -> bool:
    return pattern is None or any(fnmatch.fnmatchcase(name, part) for part in pattern.strip("'").lower().split("|"))


_Run = Callable[[Catalog, str, dict[str, Any]], Result]
_COMMANDS: tuple[tuple[str, _Run], ...] = (
    (r"show\s+(?:databases|schemas)(?:\s+(?:like\s+)?(?P<pattern>'[^']*'))?", _show_databases),
    (
        rf"show\s+tables(?:\s+(?:in|from)\s+{_NAME.format('database')})?(?:\s+(?P<pattern>'[^']*'))?",
        _show_tables,
    ),
    (rf"show\s+partitions\s+{_TABLE}", _show_partitions),
    (rf"show\s+columns\s+(?:in|from)\s+{_TABLE}", _show_columns),
    (rf"(?:describe|desc)\s+(?:table\s+)?{_TABLE}", _describe),
    (rf"alter\s+table\s+{_TABLE}\s+add\s+(?P<exists>if\s+not\s+exists\s+)?(?P<specs>partition.*)", _add_partitions),
    (rf"alter\s+table\s+{_TABLE}\s+drop\s+(?P<exists>if\s+exists\s+)?(?P<specs>partition.*)", _drop_partitions),
    (rf"msck\s+repair\s+(?:table\s+)?{_TABLE}", _repair),
)
