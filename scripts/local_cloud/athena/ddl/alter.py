"""ALTER TABLE on columns, folders, properties and names: Hive's tables in Glue, Iceberg's by Trino."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import ICEBERG_UNSUPPORTED, DdlError, execution_error, semantic_error
from local_cloud.athena.ddl.iceberg import default_properties, definition, engine_properties, map_of
from local_cloud.athena.ddl.iceberg_metadata import IcebergMetadata
from local_cloud.athena.ddl.partitions import in_order, partition_input, partitioned
from local_cloud.athena.ddl.statement import (
    ColumnDefinition,
    Columns,
    EngineSql,
    GlueTable,
    TableName,
    Values,
    iceberg_name,
    nothing,
    statement,
)
from local_cloud.athena.ddl.tables import normal_location
from local_cloud.athena.errors import UnsupportedError
from local_cloud.athena.lexer import literal, quoted
from local_cloud.athena.results import Result


@statement("ALTER_TABLE_ADD_COLUMN")
def add_columns(
    catalog: Catalog, database: str, named: TableName, columns: Columns, partition: Values | None = None
) -> Result | EngineSql:
    """ALTER TABLE t [PARTITION (...)] ADD COLUMNS (...): after those that there are."""
    table = _base_table(catalog, database, named)
    if table.is_iceberg:
        table.authorize("glue:UpdateTable")
        start = f"ALTER TABLE {table.iceberg_name()} ADD COLUMN"
        return EngineSql(tuple(f"{start} {definition(column)}" for column in columns))
    target = _Target(table, partition)
    _check(columns, [*_names(target.columns), *table.key_names])
    target.columns.extend(column.glue() for column in columns)
    return target.write()


@statement("ALTER_TABLE_REPLACE_COLUMN")
def replace_columns(
    catalog: Catalog, database: str, named: TableName, columns: Columns, partition: Values | None = None
) -> Result:
    """ALTER TABLE t [PARTITION (...)] REPLACE COLUMNS (...): these columns instead of those that there are."""
    table = _hive_table(catalog, database, named)
    target = _Target(table, partition)
    _check(columns, table.key_names)
    target.columns[:] = [column.glue() for column in columns]
    return target.write()


@statement("ALTER_TABLE_CHANGE_COLUMN")
def change_column(
    catalog: Catalog,
    database: str,
    named: TableName,
    old: str,
    new: ColumnDefinition,
    *,
    first: bool = False,
    after: str | None = None,
) -> Result | EngineSql:
    """ALTER TABLE t CHANGE [COLUMN] old new type [COMMENT 'text'] [FIRST | AFTER column]."""
    table = _base_table(catalog, database, named)
    names = _names(table.columns)
    for name in [old, *([after] if after else [])]:
        if name not in names:
            raise execution_error(f"Invalid column reference {name}")
    others = [name for name in (*names, *table.key_names) if name != old]
    _check((new,), others)
    if table.is_iceberg:
        table.authorize("glue:UpdateTable")
        return _change_of_iceberg(table, old, new, moves=first or after is not None)
    column = table.columns.pop(names.index(old))
    changed = {**column, **new.glue()}
    place = names.index(old)
    if first:
        place = 0
    elif after:
        place = _names(table.columns).index(after) + 1
    table.columns.insert(place, changed)
    table.update()
    return nothing()


def _change_of_iceberg(table: GlueTable, old: str, new: ColumnDefinition, *, moves: bool) -> EngineSql:
    if moves:
        raise UnsupportedError("The new place of an Iceberg table's column")
    start, name = f"ALTER TABLE {table.iceberg_name()}", quoted(new.name)
    declared = next(column["Type"] for column in table.columns if column["Name"].lower() == old)
    statements = []
    if new.name != old:
        statements.append(f"{start} RENAME COLUMN {quoted(old)} TO {name}")
    if str(new.type) != declared:
        statements.append(f"{start} ALTER COLUMN {name} SET DATA TYPE {new.type.trino()}")
    if new.comment is not None:
        statements.append(f"COMMENT ON COLUMN {table.iceberg_name()}.{name} IS {literal(new.comment)}")
    return EngineSql(tuple(statements))


@statement("ALTER_TABLE_DROP_COLUMN")
def drop_column(
    catalog: Catalog, database: str, named: TableName, name: str, place: tuple[int, int] = (1, 0)
) -> EngineSql:
    """ALTER TABLE t DROP COLUMN name, of Iceberg's tables only. `place` is the line and column of COLUMN."""
    table = GlueTable(catalog, database, named)
    if not table.is_iceberg:
        line, column = place
        raise DdlError(
            f"FAILED: ParseException line {line}:{column} mismatched input 'COLUMN' expecting PARTITION "
            "near 'DROP' in drop partition statement"
        )
    table.authorize("glue:UpdateTable")
    return EngineSql((f"ALTER TABLE {table.iceberg_name()} DROP COLUMN {quoted(name)}",))


@statement("ALTER_TABLE_SET_LOCATION")
def set_location(
    catalog: Catalog, database: str, named: TableName, location: str, partition: Values | None = None
) -> Result:
    """ALTER TABLE t [PARTITION (...)] SET LOCATION 's3://...': declares another folder; no object moves."""
    target = _Target(_hive_table(catalog, database, named), partition)
    target.storage["Location"] = normal_location(location)
    return target.write()


@statement("ALTER_TABLE_PROPERTIES")
def set_properties(catalog: Catalog, database: str, named: TableName, properties: dict[str, str]) -> Result | EngineSql:
    """ALTER TABLE t SET TBLPROPERTIES (...): adds to the table's own; those of the same names change."""
    table = _base_table(catalog, database, named)
    if not table.is_iceberg:
        table.parameters.update(properties)
        table.update()
        return nothing()
    return _set_properties(table, properties)


@statement("ALTER_TABLE_PROPERTIES")
def unset_properties(
    catalog: Catalog, database: str, named: TableName, names: tuple[str, ...], if_exists: bool = False
) -> Result | EngineSql:
    """ALTER TABLE t UNSET TBLPROPERTIES [IF EXISTS] ('name', ...): those of Iceberg's tables get their defaults."""
    table = _base_table(catalog, database, named)
    if table.is_iceberg:
        return _set_properties(table, default_properties(names))
    for name in names:
        if name not in table.parameters and not if_exists:
            raise semantic_error(f"The property {name} does not exist: say UNSET TBLPROPERTIES IF EXISTS", 10215)
        table.parameters.pop(name, None)
    table.update()
    return nothing()


@statement("ALTER_TABLE_RENAME")
def rename_table(catalog: Catalog, database: str, named: TableName, new: TableName) -> EngineSql:
    """ALTER TABLE t RENAME TO new, of Iceberg's tables only."""
    table = _base_table(catalog, database, named)
    if not table.is_iceberg:
        raise execution_error(
            "Unable to alter table. Table cannot be renamed (Service: AmazonDataCatalog; Status Code: 400; "
            f"Error Code: InvalidInputException; Request ID: {uuid.uuid4()}; Proxy: null)"
        )
    schema = new.in_database(table.database)
    table.authorize("glue:DeleteTable")
    catalog.authorize_table("glue:CreateTable", schema, new.name)
    return EngineSql((f"ALTER TABLE {table.iceberg_name()} RENAME TO {iceberg_name(schema, new.name)}",))


class _Target:
    """What a statement changes: a table's description, or that of one of its partitions."""

    def __init__(self, table: GlueTable, partition: dict[str, str] | None) -> None:
        self._table = table
        self._partition: dict[str, Any] | None = None
        self.storage = table.storage
        if partition is not None:
            partitioned(table.catalog, table.database, TableName(table.name))
            self._partition = partition_input(table, in_order(table, partition))
            self.storage = self._partition.setdefault("StorageDescriptor", {})

    @property
    def columns(self) -> list[dict[str, str]]:
        """The columns, to be changed in place."""
        columns: list[dict[str, str]] = self.storage.setdefault("Columns", [])
        return columns

    def write(self) -> Result:
        """Writes the change back."""
        if self._partition is None:
            self._table.update()
        else:
            self._table.authorize("glue:UpdatePartition")
            values = self._partition["Values"]
            self._table.stored.update_partition(values, self._partition)
        return nothing()


def _base_table(catalog: Catalog, database: str, name: TableName) -> GlueTable:
    table = GlueTable(catalog, database, name)
    if table.is_view:
        raise semantic_error(f"Cannot alter a view with ALTER TABLE: {table.name}", 10131)
    return table


def _hive_table(catalog: Catalog, database: str, name: TableName) -> GlueTable:
    table = _base_table(catalog, database, name)
    if table.is_iceberg:
        raise DdlError(ICEBERG_UNSUPPORTED)
    return table


def _set_properties(table: GlueTable, given: dict[str, str]) -> EngineSql:
    current = IcebergMetadata.of(table).properties.get("write.format.default", "parquet").lower()
    file_format, extra = engine_properties(given, current)
    if f"write.{file_format}.compression-codec" in extra:
        raise UnsupportedError("Another write_compression for an Iceberg table that exists")
    options = [f"format = {literal(file_format.upper())}"] if file_format != current else []
    if extra:
        options.append(f"extra_properties = {map_of(extra)}")
    table.authorize("glue:UpdateTable")
    statement = f"ALTER TABLE {table.iceberg_name()} SET PROPERTIES {', '.join(options)}"
    return EngineSql((statement,) if options else ())


def _names(columns: Iterable[dict[str, str]]) -> list[str]:
    return [column["Name"].lower() for column in columns]


def _check(columns: Iterable[ColumnDefinition], taken: Iterable[str]) -> None:
    seen = set(taken)
    for column in columns:
        column.type.check()
        if column.name in seen:
            raise execution_error(f"Duplicate column name: {column.name}")
        seen.add(column.name)
