"""What Athena sees: the databases and tables of Glue's catalog, and the objects under their partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from moto.glue.models import FakeTable, GlueBackend, glue_backends

from local_cloud.athena.errors import QueryError
from local_cloud.glue.objects import NoSuchBucketError, ObjectStore, folder_of, is_hidden, split_s3_url
from local_cloud.iam.actions import glue_database_arns, glue_database_deletion_arns, glue_table_arns
from local_cloud.iam.callers import Caller, administrator

CATALOG = "awsdatacatalog"
SERVICE = "athena.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and its type in Hive's words."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition: the values of the table's partition keys and the folder that holds its objects."""

    values: tuple[str, ...]
    location: str


class CatalogTable:
    """A table as it stood in the catalog when the query began. `authorize` judges a call of Glue's about it."""

    def __init__(self, table: FakeTable, authorize: Callable[[str], None]) -> None:
        self._table = table
        self._authorize = authorize
        description: dict[str, Any] = table.versions[str(table._current_version)]
        self.database = table.database_name
        self.name = table.name
        self.description = description
        storage: dict[str, Any] = description.get("StorageDescriptor") or {}
        self.location: str = storage.get("Location") or ""
        self.columns = _columns(storage.get("Columns"))
        self.partition_keys = _columns(description.get("PartitionKeys"))
        serde: dict[str, Any] = storage.get("SerdeInfo") or {}
        self.serde: str = serde.get("SerializationLibrary") or ""
        self.serde_parameters: dict[str, str] = serde.get("Parameters") or {}
        self.parameters: dict[str, str] = description.get("Parameters") or {}

    @property
    def schema(self) -> dict[str, str]:
        """Names and types of all columns, the partition keys last, without the hidden ones."""
        return {column.name: column.type for column in (*self.columns, *self.partition_keys)}

    def partitions(self) -> list[Partition]:
        """The partitions that the catalog knows; a table without keys is one partition of its own.

        Raises:
            AccessDeniedError: if the query's caller may not ask for them.
        """
        if not self.partition_keys:
            return [Partition((), self.location)]
        self._authorize("glue:GetPartitions")
        found = []
        for partition in list(self._table.partitions.values()):
            storage = partition.partition_input.get("StorageDescriptor") or {}
            location = storage.get("Location") or self.default_location(partition.values)
            found.append(Partition(tuple(partition.values), location))
        return found

    def default_location(self, values: Iterable[str]) -> str:
        """Where a partition's objects are unless its own description says otherwise."""
        names = (key.name for key in self.partition_keys)
        path = "/".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        return f"{self.location.rstrip('/')}/{path}/"


class Catalog:
    """Glue's catalog and the objects of its tables, in one account and region. One query uses one instance.

    Athena asks Glue and S3 in the name of whoever has started the query, `caller`; without one, as the administrator.
    What the caller may not do raises AccessDeniedError.
    """

    def __init__(self, account_id: str, region: str, caller: Caller | None = None) -> None:
        self.backend: GlueBackend = glue_backends[account_id][region]
        self._store = ObjectStore(account_id)
        self._caller = (caller or administrator()).through(SERVICE)
        self._place = (region, account_id)

    def authorize_database(self, action: str, database: str) -> None:
        """Judges a call of Glue's about a database."""
        self._caller.authorize(action, glue_database_arns(*self._place, database))

    def authorize_database_deletion(self, database: str) -> None:
        """Judges a call of Glue's that deletes a database."""
        self._caller.authorize("glue:DeleteDatabase", glue_database_deletion_arns(*self._place, database))

    def authorize_table(self, action: str, database: str, table: str) -> None:
        """Judges a call of Glue's about a table."""
        self._caller.authorize(action, glue_table_arns(*self._place, database, table))

    def databases(self) -> list[str]:
        """The names of the databases, sorted."""
        self.authorize_database("glue:GetDatabases", "*")
        return sorted(self.backend.databases)

    def tables(self, database: str) -> list[str]:
        """The names of a database's tables, sorted.

        Raises:
            QueryError: SCHEMA_NOT_FOUND.
        """
        self.authorize_table("glue:GetTables", database, "*")
        return self._tables(database)

    def _tables(self, database: str) -> list[str]:
        self.authorize_database("glue:GetDatabase", database)
        if database not in self.backend.databases:
            raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist")
        return sorted(self.backend.databases[database].tables)

    def table(self, database: str, name: str) -> CatalogTable:
        """One table.

        Raises:
            QueryError: SCHEMA_NOT_FOUND or TABLE_NOT_FOUND.
        """
        self.authorize_table("glue:GetTable", database, name)
        if name not in self._tables(database):
            raise QueryError("TABLE_NOT_FOUND", f"Table '{CATALOG}.{database}.{name}' does not exist")

        def authorize(action: str) -> None:
            self.authorize_table(action, database, name)

        return CatalogTable(self.backend.databases[database].tables[name], authorize)

    def is_partitioned(self, database: str, name: str) -> bool:
        """Whether a table has partition keys; false where there is no such table."""
        found = self.backend.databases.get(database)
        table = found.tables.get(name) if found else None
        return bool(table and table.get_version(str(table._current_version)).get("PartitionKeys"))

    def folders(self, location: str) -> set[str]:
        """The folders with objects in them, at any depth under a table's folder, relative to it.

        Raises:
            QueryError: if the bucket is gone.
        """
        bucket, prefix = folder_of(location)
        self._caller.authorize("s3:ListBucket", f"arn:aws:s3:::{bucket}", {"s3:prefix": (prefix,)})
        try:
            return {
                folder
                for stored in self._store.list(bucket, prefix)
                if stored.size and not is_hidden(stored.key)
                if (folder := stored.key[len(prefix) :].rpartition("/")[0])
            }
        except NoSuchBucketError as error:
            raise QueryError(
                "HIVE_FILESYSTEM_ERROR",
                f"The specified bucket does not exist: {bucket} (Service: Amazon S3; Status Code: 404; NoSuchBucket)",
            ) from error

    def read_object(self, url: str) -> bytes:
        """An object's bytes, as they are stored.

        Raises:
            QueryError: if it is gone.
        """
        bucket, key = split_s3_url(url)
        self._caller.authorize("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")
        try:
            for stored in self._store.list(bucket, key):
                if stored.key == key:
                    return self._store.read(stored)
        except LookupError as error:
            raise QueryError("HIVE_FILESYSTEM_ERROR", f"The specified bucket does not exist: {bucket}") from error
        raise QueryError("HIVE_FILESYSTEM_ERROR", f"The object does not exist: {url}")


def _columns(description: list[dict[str, str]] | None) -> tuple[Column, ...]:
    return tuple(Column(column["Name"].lower(), column.get("Type") or "string") for column in description or ())
