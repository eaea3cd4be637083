"""SHOW CREATE TABLE: the statement that would create a table as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import execution_error
from local_cloud.athena.ddl.iceberg import athena_properties
from local_cloud.athena.ddl.iceberg_metadata import IcebergMetadata, PartitionField
from local_cloud.athena.ddl.statement import GlueTable, TableName, result_of, statement
from local_cloud.athena.hive.formats import TEXT_FILE
from local_cloud.athena.results import Result

_SIZED = re.compile(r"(\w+)\[(\d+)\]")
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]*")
# What Hive fills in itself, and so does not tell
_HIDDEN = frozenset({"EXTERNAL", "comment"})


@statement("SHOW_CREATE_TABLE", "UTILITY")
def show_create_table(catalog: Catalog, database: str, named: TableName) -> Result:
    """SHOW CREATE TABLE t: the statement, one row a line."""
    table = GlueTable(catalog, database, named)
    if table.is_view:
        raise execution_error(f"{table.name} is a view: use SHOW CREATE VIEW")
    text = iceberg_statement(table) if table.is_iceberg else hive_statement(table)
    return result_of(["createtab_stmt"], [[line] for line in text.split("\n")])


def hive_statement(table: GlueTable) -> str:
    """CREATE EXTERNAL TABLE with all that the catalog knows of the table, as Hive lays it out."""
    storage = table.storage
    serde = storage.get("SerdeInfo") or {}
    columns = f"({_columns(table.columns)})" if table.columns else ""
    clauses = [f"CREATE EXTERNAL TABLE {_backticks(table.name)}{columns}"]
    comment = table.parameters.get("comment")
    if comment is not None:
        clauses.append(f"COMMENT {hive_string(comment)}")
    if table.keys:
        clauses.append(f"PARTITIONED BY ( {_columns(table.keys)})")
    if storage.get("BucketColumns"):
        names = ", ".join(_backticks(name) for name in storage["BucketColumns"])
        clauses.append(f"CLUSTERED BY ( \n  {names}) \nINTO {storage['NumberOfBuckets']} BUCKETS")
    library = serde.get("SerializationLibrary") or TEXT_FILE.serde
    clauses.append(f"ROW FORMAT SERDE \n  {hive_string(library)} ")
    if serde.get("Parameters"):
        clauses.append(f"WITH SERDEPROPERTIES ( \n{_properties(serde['Parameters'])}) ")
    clauses.append(f"STORED AS INPUTFORMAT \n  {hive_string(storage.get('InputFormat') or TEXT_FILE.input_format)} ")
    clauses.append(f"OUTPUTFORMAT \n  {hive_string(storage.get('OutputFormat') or TEXT_FILE.output_format)}")
    clauses.append(f"LOCATION\n  {hive_string(table.location)}")
    shown = {name: value for name, value in table.parameters.items() if name not in _HIDDEN}
    if shown:
        clauses.append(f"TBLPROPERTIES (\n{_properties(shown)})")
    return "\n".join(clauses)


def iceberg_statement(table: GlueTable) -> str:
    """CREATE TABLE as Athena tells it of a table of Iceberg's, its last semicolon included."""
    metadata = IcebergMetadata.of(table)
    columns = ",\n".join(f"  {_plain(column['Name'])} {column['Type']}{_comment(column)}" for column in table.columns)
    lines = [f"CREATE TABLE {_plain(table.database)}.{_plain(table.name)} (\n{columns})"]
    if metadata.partitioning:
        lines.append(f"PARTITIONED BY ({', '.join(map(_partition, metadata.partitioning))})")
    lines.append(f"LOCATION {hive_string(metadata.location.rstrip('/'))}")
    properties = {"table_type": "iceberg"} | athena_properties(metadata)
    lines.append(f"TBLPROPERTIES (\n{_properties(properties, ',')}\n);")
    return "\n".join(lines)


def hive_string(text: str) -> str:
    """A string of Hive's: what it can't show is escaped, as its HiveStringUtils.escapeHiveCommand does."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    escaped = escaped.replace("\t", "\\t")
    return "'" + "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c for c in escaped) + "'"


def _columns(columns: Iterable[dict[str, str]]) -> str:
    return ", ".join(f"\n  {_backticks(c['Name'])} {c.get('Type') or 'string'}{_comment(c)}" for c in columns)


def _comment(column: dict[str, str]) -> str:
    comment = column.get("Comment")
    return "" if comment is None else f" COMMENT {hive_string(comment)}"


def _properties(values: dict[str, str], separator: str = ", ") -> str:
    lines = (f"  {hive_string(name)}={hive_string(str(value))}" for name, value in sorted(values.items()))
    return f"{separator}\n".join(lines)


def _partition(part: PartitionField) -> str:
    if part.transform == "identity":
        return _backticks(part.column)
    sized = _SIZED.fullmatch(part.transform)
    if sized:
        return f"{sized[1]}({sized[2]}, {_backticks(part.column)})"
    return f"{part.transform}({_backticks(part.column)})"


def _plain(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _backticks(name)


def _backticks(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
