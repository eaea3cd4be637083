"""Hive's tables: CREATE EXTERNAL TABLE, and DROP TABLE of any table."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import execution_error, semantic_error, table_not_found
from local_cloud.athena.ddl.statement import Columns, EngineSql, GlueTable, TableName, find_database, nothing, statement
from local_cloud.athena.hive.formats import StorageClauses
from local_cloud.athena.results import Result


@dataclass(slots=True)
class TableDefinition:
    """All that may be in a CREATE TABLE: `keys` are of Hive's tables, `transforms` of Iceberg's, in Trino's words."""

    table: TableName
    location: str | None = None
    columns: Columns = ()
    keys: Columns = ()
    transforms: tuple[str, ...] = ()
    if_not_exists: bool = False
    comment: str | None = None
    bucket_columns: tuple[str, ...] = ()
    buckets: int = -1
    storage: StorageClauses = field(default_factory=StorageClauses)
    properties: dict[str, str] = field(default_factory=dict)


@statement("CREATE_TABLE")
def create_table(catalog: Catalog, database: str, definition: TableDefinition) -> Result:
    """CREATE EXTERNAL TABLE: a description of objects that are in S3 already, or will be."""
    table = definition.table
    schema, name = table.in_database(database), table.name
    catalog.authorize_table("glue:GetTable", schema, name)
    find_database(catalog, schema)
    if name in catalog.backend.databases[schema].tables:
        if definition.if_not_exists:
            return nothing()
        raise execution_error(f"AlreadyExistsException(message:Table {name} already exists.)")
    description = _description(definition)
    catalog.authorize_table("glue:CreateTable", schema, name)
    catalog.backend.create_table(schema, name, description)
    return nothing()


def _description(defined: TableDefinition) -> dict[str, Any]:
    """The TableInput, with the fields that Athena fills in."""
    _check(defined)
    storage: dict[str, Any] = {
        "Columns": [column.glue() for column in defined.columns],
        "Location": normal_location(defined.location or ""),
        **defined.storage.glue(),
        "Compressed": False,
        "NumberOfBuckets": defined.buckets,
        "BucketColumns": list(defined.bucket_columns),
        "SortColumns": [],
        "Parameters": {},
        "SkewedInfo": {
            "SkewedColumnNames": [],
            "SkewedColumnValues": [],
            "SkewedColumnValueLocationMaps": {},
        },
        "StoredAsSubDirectories": False,
    }
    parameters = {"EXTERNAL": "TRUE", "transient_lastDdlTime": str(int(time.time()))} | defined.properties
    if defined.comment is not None:
        parameters["comment"] = defined.comment
    return {
        "Name": defined.table.name,
        "Owner": "hadoop",
        "Retention": 0,
        "StorageDescriptor": storage,
        "PartitionKeys": [key.glue() for key in defined.keys],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
    }


def _check(defined: TableDefinition) -> None:
    seen: set[str] = set()
    for column in (*defined.columns, *defined.keys):
        column.type.check()
        if column.name in seen:
            number, what = (10035, "Column repeated in partitioning columns") if column in defined.keys else (10036, "")
            raise semantic_error(what or f"Duplicate column name: {column.name}", number)
        seen.add(column.name)
    for name in defined.bucket_columns:
        if name not in seen:
            raise semantic_error(f"Invalid column reference: {name}", 10002)


@statement("DROP_TABLE")
def drop_table(catalog: Catalog, database: str, named: TableName, if_exists: bool = False) -> Result | EngineSql:
    """DROP TABLE [IF EXISTS] t [PURGE]: the objects of Hive's tables stay, those of Iceberg's go."""
    schema, name = named.in_database(database), named.name
    catalog.authorize_table("glue:GetTable", schema, name)
    if if_exists and not _exists(catalog, schema, name):
        return nothing()
    if not _exists(catalog, schema, name):
        raise table_not_found(schema, name)
    table = GlueTable(catalog, database, named)
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
