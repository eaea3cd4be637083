"""ALTER TABLE on columns, folders, properties and names: Hive's tables in Glue, Iceberg's by Trino."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import ICEBERG_UNSUPPORTED, DdlError, execution_error, semantic_error
from local_cloud.athena.ddl.iceberg import default_properties, definition, engine_properties, map_of
from local_cloud.athena.ddl.iceberg_metadata import IcebergMetadata
from local_cloud.athena.ddl.partitions import in_order, partition_input, partitioned
from local_cloud.athena.ddl.statement import (
    ColumnDefinition,
    Ddl,
    EngineSql,
    GlueTable,
    TableName,
    iceberg_name,
    nothing,
)
from local_cloud.athena.ddl.tables import normal_location
from local_cloud.athena.errors import UnsupportedError
from local_cloud.athena.lexer import literal, quoted
from local_cloud.athena.results import Result


@dataclass(frozen=True, slots=True)
class AddColumns(Ddl):
    """ALTER TABLE t [PARTITION (...)] ADD COLUMNS (...): after those that there are."""

    table: TableName
    columns: tuple[ColumnDefinition, ...]
    partition: dict[str, str] | None = None
    substatement_type = "ALTER_TABLE_ADD_COLUMN"

    def run(self, catalog: Catalog, database: str) -> Result | EngineSql:
        table = _base_table(catalog, database, self.table)
        if table.is_iceberg:
            table.authorize("glue:UpdateTable")
            start = f"ALTER TABLE {table.iceberg_name()} ADD COLUMN"
            return EngineSql(tuple(f"{start} {definition(column)}" for column in self.columns))
        target = _Target(table, self.partition)
        _check(self.columns, [*_names(target.columns), *table.key_names])
        target.columns.extend(column.glue() for column in self.columns)
        return target.write()


@dataclass(frozen=True, slots=True)
class ReplaceColumns(Ddl):
    """ALTER TABLE t [PARTITION (...)] REPLACE COLUMNS (...): these columns instead of those that there are."""

    table: TableName
    columns: tuple[ColumnDefinition, ...]
    partition: dict[str, str] | None = None
    substatement_type = "ALTER_TABLE_REPLACE_COLUMN"

    def run(self, catalog: Catalog, database: str) -> Result:
        table = _hive_table(catalog, database, self.table)
        target = _Target(table, self.partition)
        _check(self.columns, table.key_names)
        target.columns[:] = [column.glue() for column in self.columns]
        return target.write()


@dataclass(frozen=True, slots=True)
class ChangeColumn(Ddl):
    """ALTER TABLE t CHANGE [COLUMN] old new type [COMMENT 'text'] [FIRST | AFTER column]."""

    table: TableName
    old: str
    new: ColumnDefinition
    first: bool = False
    after: str | None = None
    substatement_type = "ALTER_TABLE_CHANGE_COLUMN"

    def run(self, catalog: Catalog, database: str) -> Result | EngineSql:
        table = _base_table(catalog, database, self.table)
        names = _names(table.columns)
        for name in [self.old, *([self.after] if self.after else [])]:
            if name not in names:
                raise execution_error(f"Invalid column reference {name}")
        others = [name for name in (*names, *table.key_names) if name != self.old]
        _check((self.new,), others)
        if table.is_iceberg:
            table.authorize("glue:UpdateTable")
            return self._of_iceberg(table)
        column = table.columns.pop(names.index(self.old))
        changed = {**column, **self.new.glue()}
        place = names.index(self.old)
        if self.first:
            place = 0
        elif self.after:
            place = _names(table.columns).index(self.after) + 1
        table.columns.insert(place, changed)
        table.update()
        return nothing()

    def _of_iceberg(self, table: GlueTable) -> EngineSql:
        if self.first or self.after:
            raise UnsupportedError("The new place of an Iceberg table's column")
        start, name = f"ALTER TABLE {table.iceberg_name()}", quoted(self.new.name)
        declared = next(column["Type"] for column in table.columns if column["Name"].lower() == self.old)
        statements = []
        if self.new.name != self.old:
            statements.append(f"{start} RENAME COLUMN {quoted(self.old)} TO {name}")
        if str(self.new.type) != declared:
            statements.append(f"{start} ALTER COLUMN {name} SET DATA TYPE {self.new.type.trino()}")
        if self.new.comment is not None:
            statements.append(f"COMMENT ON COLUMN {table.iceberg_name()}.{name} IS {literal(self.new.comment)}")
        return EngineSql(tuple(statements))


@dataclass(frozen=True, slots=True)
class DropColumn(Ddl):
    """ALTER TABLE t DROP COLUMN name, of Iceberg's tables only. `place` is the line and column of COLUMN."""

    table: TableName
    column: str
    place: tuple[int, int] = (1, 0)
    substatement_type = "ALTER_TABLE_DROP_COLUMN"

    def run(self, catalog: Catalog, database: str) -> EngineSql:
        table = GlueTable(catalog, database, self.table)
        if not table.is_iceberg:
            line, column = self.place
            raise DdlError(
                f"FAILED: ParseException line {line}:{column} mismatched input 'COLUMN' expecting PARTITION "
                "near 'DROP' in drop partition statement"
            )
        table.authorize("glue:UpdateTable")
        return EngineSql((f"ALTER TABLE {table.iceberg_name()} DROP COLUMN {quoted(self.column)}",))


@dataclass(frozen=True, slots=True)
class SetLocation(Ddl):
    """ALTER TABLE t [PARTITION (...)] SET LOCATION 's3://...': declares another folder; no object moves."""

    table: TableName
    location: str
    partition: dict[str, str] | None = None
    substatement_type = "ALTER_TABLE_SET_LOCATION"

    def run(self, catalog: Catalog, database: str) -> Result:
        target = _Target(_hive_table(catalog, database, self.table), self.partition)
        target.storage["Location"] = normal_location(self.location)
        return target.write()


@dataclass(frozen=True, slots=True)
class SetProperties(Ddl):
    """ALTER TABLE t SET TBLPROPERTIES (...): adds to the table's own; those of the same names change."""

    table: TableName
    properties: dict[str, str]
    substatement_type = "ALTER_TABLE_PROPERTIES"

    def run(self, catalog: Catalog, database: str) -> Result | EngineSql:
        table = _base_table(catalog, database, self.table)
        if not table.is_iceberg:
            table.parameters.update(self.properties)
            table.update()
            return nothing()
        return _set_properties(table, self.properties)


@dataclass(frozen=True, slots=True)
class UnsetProperties(Ddl):
    """ALTER TABLE t UNSET TBLPROPERTIES [IF EXISTS] ('name', ...): those of Iceberg's tables get their defaults."""

    table: TableName
    names: tuple[str, ...]
    if_exists: bool = False
    substatement_type = "ALTER_TABLE_PROPERTIES"

    def run(self, catalog: Catalog, database: str) -> Result | EngineSql:
        table = _base_table(catalog, database, self.table)
        if table.is_iceberg:
            return _set_properties(table, default_properties(self.names))
        for name in self.names:
            if name not in table.parameters and not self.if_exists:
                raise semantic_error(f"The property {name} does not exist: say UNSET TBLPROPERTIES IF EXISTS", 10215)
            table.parameters.pop(name, None)
        table.update()
        return nothing()


@dataclass(frozen=True, slots=True)
class RenameTable(Ddl):
    """ALTER TABLE t RENAME TO new, of Iceberg's tables only."""

    table: TableName
    new: TableName
    substatement_type = "ALTER_TABLE_RENAME"

    def run(self, catalog: Catalog, database: str) -> EngineSql:
        table = _base_table(catalog, database, self.table)
        if not table.is_iceberg:
            raise execution_error(
                "Unable to alter table. Table cannot be renamed (Service: AmazonDataCatalog; Status Code: 400; "
                f"Error Code: InvalidInputException; Request ID: {uuid.uuid4()}; Proxy: null)"
            )
        schema = self.new.in_database(table.database)
        table.authorize("glue:DeleteTable")
        catalog.authorize_table("glue:CreateTable", schema, self.new.name)
        return EngineSql((f"ALTER TABLE {table.iceberg_name()} RENAME TO {iceberg_name(schema, self.new.name)}",))


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
