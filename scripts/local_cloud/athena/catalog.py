"""What Athena sees: the databases and tables of Glue's catalog, and the objects under their partitions."""

from __future__ import annotations

from collections.abc import Iterator

from moto.glue.models import GlueBackend, glue_backends

from local_cloud.athena.errors import QueryError
from local_cloud.glue.objects import NoSuchBucketError, ObjectStore, StoredObject, folder_of, is_hidden, split_s3_url
from local_cloud.iam.actions import glue_database_arns, glue_database_deletion_arns, glue_table_arns
from local_cloud.iam.callers import Caller, administrator
from local_cloud.settings import ACCOUNT_ID

CATALOG = "awsdatacatalog"
SERVICE = "athena.amazonaws.com"


class Catalog:
    """Glue's catalog and the objects of its tables, in one region. One query uses one instance.

    Athena asks Glue and S3 in the name of whoever has started the query, `caller`; without one, as the administrator.
    What the caller may not do raises AccessDeniedError.
    """

    def __init__(self, region: str, caller: Caller | None = None) -> None:
        self.backend: GlueBackend = glue_backends[ACCOUNT_ID][region]
        self._store = ObjectStore()
        self._caller = (caller or administrator()).through(SERVICE)
        self._region = region

    def authorize_database(self, action: str, database: str) -> None:
        """Judges a call of Glue's about a database."""
        self._caller.authorize(action, glue_database_arns(self._region, database))

    def authorize_database_deletion(self, database: str) -> None:
        """Judges a call of Glue's that deletes a database."""
        self._caller.authorize("glue:DeleteDatabase", glue_database_deletion_arns(self._region, database))

    def authorize_table(self, action: str, database: str, table: str) -> None:
        """Judges a call of Glue's about a table."""
        self._caller.authorize(action, glue_table_arns(self._region, database, table))

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
        _, prefix = folder_of(location)
        names = [stored.key[len(prefix) :] for stored in self.files(location) if not is_hidden(stored.key)]
        return {folder for name in names if (folder := name.rpartition("/")[0])}

    def files(self, location: str) -> Iterator[StoredObject]:
        """The objects under a folder, without its empty ones.

        Raises:
            ValueError: if `location` is no address in S3.
            QueryError: if the bucket is gone.
        """
        bucket, prefix = folder_of(location)
        self._caller.authorize("s3:ListBucket", f"arn:aws:s3:::{bucket}", {"s3:prefix": (prefix,)})
        try:
            yield from (stored for stored in self._store.list(bucket, prefix) if stored.size)
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
            return self._store.read_url(url)
        except LookupError as error:
            raise QueryError("HIVE_FILESYSTEM_ERROR", f"The specified bucket does not exist: {bucket}") from error
        except FileNotFoundError as error:
            raise QueryError("HIVE_FILESYSTEM_ERROR", f"The object does not exist: {url}") from error
