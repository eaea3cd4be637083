"""Objects of S3, decoded once into DuckDB's file: to a query, thousands of small objects are one table then."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from local_cloud.athena_catalog import Catalog, CatalogTable
from local_cloud.athena_errors import QueryError
from local_cloud.athena_readers import Reader, reader_for
from local_cloud.glue_objects import StoredObject

BATCH_BYTES = 16 * 1024 * 1024
# What DuckDB raises for an object's content; anything else (memory, an interrupt) says nothing about the object.
_BAD_DATA = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.ConstraintException, duckdb.IOException)

Checkpoint = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Pending:
    stored: StoredObject
    object_id: int
    lines: bytes


class RowStore:
    """The decoded rows of all tables, by what the catalog says about how to read them.

    Rows of an object never change, since it is known by its ETag. A table whose columns change is decoded anew.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
        self._connection = connection
        self._file = directory / "incoming"
        self._lock = threading.Lock()
        self._ids: dict[tuple[str, StoredObject], int] = {}
        self._errors: dict[int, QueryError] = {}
        self._created: set[str] = set()
        self._next_id = 0

    def decode(
        self, catalog: Catalog, table: CatalogTable, objects: Iterable[StoredObject], checkpoint: Checkpoint
    ) -> tuple[str, list[int]]:
        """Sees to it that the objects' rows are there.

        Returns:
            the name of DuckDB's table, whose column `object_id` tells the rows' object, and the objects' ids.

        Raises:
            QueryError: if an object can't be read as the table says.
        """
        reader = reader_for(table)
        rows = reader.rows_table
        wanted = list(objects)
        with self._lock:
            if rows not in self._created:
                self._connection.execute(reader.create_statement())
                self._created.add(rows)
            batch: list[_Pending] = []
            size = 0
            for stored in wanted:
                if (rows, stored) in self._ids:
                    continue
                checkpoint()
                pending = self._fetch(catalog, reader, stored)
                batch.append(pending)
                size += len(pending.lines)
                if size >= BATCH_BYTES:
                    self._store(reader, batch)
                    batch, size = [], 0
            self._store(reader, batch)
            ids = [self._ids[rows, stored] for stored in wanted]
        for object_id in ids:
            if object_id in self._errors:
                raise self._errors[object_id]
        return rows, ids

    def _fetch(self, catalog: Catalog, reader: Reader, stored: StoredObject) -> _Pending:
        object_id = self._next_id
        self._next_id += 1
        try:
            content = catalog.read(stored)
        except FileNotFoundError as error:
            raise QueryError("HIVE_CURSOR_ERROR", f"{stored.url} was replaced while it was read") from error
        try:
            lines = reader.lines(content, object_id)
        except (OSError, EOFError, zlib.error) as error:
            self._errors[object_id] = QueryError("HIVE_CURSOR_ERROR", f"Failed to read {stored.url}: {error}")
            lines = b""
        return _Pending(stored, object_id, lines)

    def _store(self, reader: Reader, batch: list[_Pending]) -> None:
        """Decodes a batch in one statement; if that fails, one by one, to find out which object is to blame."""
        try:
            self._insert(reader, b"".join(pending.lines for pending in batch))
        except _BAD_DATA:
            for pending in batch:
                try:
                    self._insert(reader, pending.lines)
                except _BAD_DATA as error:
                    self._errors[pending.object_id] = reader.explain(error, pending.stored)
        for pending in batch:
            self._ids[reader.rows_table, pending.stored] = pending.object_id

    def _insert(self, reader: Reader, lines: bytes) -> None:
        if not lines:
            return
        self._file.write_bytes(lines)
        try:
            self._connection.execute(f"INSERT INTO {reader.rows_table} {reader.select(str(self._file))}")
        finally:
            self._file.unlink()
