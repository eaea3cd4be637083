"""Hive's tables: CREATE EXTERNAL TABLE, and DROP TABLE of any table."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import execution_error, semantic_error, table_not_found
from local_cloud.athena.ddl.statement import ColumnDefinition, EngineSql, GlueTable, TableName, find_database, nothing
from local_cloud.athena.hive.formats import StorageClauses
from local_cloud.athena.results import Result


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE EXTERNAL TABLE: a description of objects that are in S3 already, or will be."""

    table: TableName
    location: str
    columns: tuple[ColumnDefinition, ...]
    keys: tuple[ColumnDefinition, ...] = ()
    if_not_exists: bool = False
    comment: str | None = None
    bucket_columns: tuple[str, ...] = ()
    buckets: int = -1
    storage: StorageClauses = field(default_factory=StorageClauses)
    properties: dict[str, str] = field(default_factory=dict)
    statement_type: ClassVar[str] = "DDL"
    substatement_type: ClassVar[str] = "CREATE_TABLE"

    def run(self, catalog: Catalog, database: str) -> Result:
        """Creates the table."""
        schema, name = self.table.in_database(database), self.table.name
        catalog.authorize_table("glue:GetTable", schema, name)
        find_database(catalog, schema)
        if name in catalog.backend.databases[schema].tables:
            if self.if_not_exists:
                return nothing()
            raise execution_error(f"AlreadyExistsException(message:Table {name} already exists.)")
        description = self._description()
        catalog.authorize_table("glue:CreateTable", schema, name)
        catalog.backend.create_table(schema, name, description)
        return nothing()

    def _description(self) -> dict[str, Any]:
        """The TableInput, with the fields that Athena fills in."""
        self._check()
        storage: dict[str, Any] = {
            "Columns": [column.glue() for column in self.columns],
            "Location": normal_location(self.location),
            **self.storage.glue(),
            "Compressed": False,
            "NumberOfBuckets": self.buckets,
            "BucketColumns": list(self.bucket_columns),
            "SortColumns": [],
            "Parameters": {},
            "SkewedInfo": {
                "SkewedColumnNames": [],
                "SkewedColumnValues": [],
                "SkewedColumnValueLocationMaps": {},
            },
            "StoredAsSubDirectories": False,
        }
        parameters = {"EXTERNAL": "TRUE", "transient_lastDdlTime": str(int(time.time()))} | self.properties
        if self.comment is not None:
            parameters["comment"] = self.comment
        return {
            "Name": self.table.name,
            "Owner": "hadoop",
            "Retention": 0,
            "StorageDescriptor": storage,
            "PartitionKeys": [key.glue() for key in self.keys],
            "TableType": "EXTERNAL_TABLE",
            "Parameters": parameters,
        }

    def _check(self) -> None:
        seen: set[str] = set()
        for column in (*self.columns, *self.keys):
            column.type.check()
            if column.name in seen:
                number, what = (
                    (10035, "Column repeated in partitioning columns") if column in self.keys else (10036, "")
                )
                raise semantic_error(what or f"Duplicate column name: {column.name}", number)
            seen.add(column.name)
        for name in self.bucket_columns:
            if name not in seen:
                raise semantic_error(f"Invalid column reference: {name}", 10002)


@dataclass(frozen=True, slots=True)
class DropTable:
    """DROP TABLE [IF EXISTS] t [PURGE]."""

    table: TableName
    if_exists: bool = False
    statement_type: ClassVar[str] = "DDL"
    substatement_type: ClassVar[str] = "DROP_TABLE"

    def run(self, catalog: Catalog, database: str) -> Result | EngineSql:
        """Deletes a table of Hive's from the catalog, its objects stay; Iceberg's loses its objects too."""
        schema, name = self.table.in_database(database), self.table.name
        catalog.authorize_table("glue:GetTable", schema, name)
        if self.if_exists and not _exists(catalog, schema, name):
            return nothing()
        if not _exists(catalog, schema, name):
            raise table_not_found(schema, name)
        table = GlueTable(catalog, database, self.table)
        if table.is_view:
            raise semantic_error(f"Cannot drop a view with DROP TABLE: {name}", 10010)
        table.authorize("glue:DeleteTable")
        if table.is_iceberg:
            return EngineSql((f"DROP TABLE {table.iceberg_name()}",))
        catalog.backend.delete_table(schema, name)
        return nothing()


def _exists(catalog: Catalog, database: str, name: str) -> bool:
    catalog.authorize_database("glue:GetDatabase", database)
    return database in catalog.backend.databases and name in catalog.backend.databases[database].tables


def normal_location(location: str) -> str:
    """A folder's address as Hive keeps it: without a last slash, unless it is a whole bucket.

    Raises:
        QueryError: if it is no address in S3.
    """
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    if not location.startswith("s3://") or not bucket:
        raise execution_error(
            f"MetaException(message:The location '{location}' is not an S3 folder such as s3://bucket/folder/)"
        )
    return f"s3://{bucket}/{prefix.rstrip('/')}"
