"""Objects of S3, decoded once into DuckDB's file: to a query, thousands of small objects are one table then."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import duckdb

from local_cloud.athena_catalog import Catalog, CatalogTable
from local_cloud.athena_errors import QueryError, UnsupportedError
from local_cloud.athena_types import duckdb_type, literal, quoted
from local_cloud.glue_objects import GZIP_MAGIC, StoredObject

BATCH_OBJECTS = 100
BATCH_BYTES = 32 * 1024 * 1024
MAX_RECORD_BYTES = 4 * 1024 * 1024  # DuckDB takes twice as much for a buffer, and each thread has one
_JSON_SERDES = ("JsonSerDe",)
_CSV_SERDES = ("LazySimpleSerDe", "OpenCSVSerde")
_UPPER_CASE_KEY = re.compile(rb'"[^"\\]*[A-Z][^"\\]*"\s*:')

# What DuckDB raises for an object's content; anything else (memory, an interrupt) says nothing about the object.
_BAD_DATA = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException)

Checkpoint = Callable[[], None]


class RowStore:
    """The decoded rows of all tables, by what the catalog says about how to read them.

    Rows of an object never change, since it is known by its ETag. A table whose columns change is decoded anew.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
        self._connection = connection
        self._incoming = directory
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._ids: dict[tuple[str, str, str, str], int] = {}
        self._next_id = 0
        self._errors: dict[int, QueryError] = {}
        self._created: set[str] = set()

    def decode(
        self, catalog: Catalog, table: CatalogTable, objects: Iterable[StoredObject], checkpoint: Checkpoint
    ) -> tuple[str, list[int]]:
        """Sees to it that the objects' rows are there.

        Returns:
            the name of DuckDB's table, whose column `object_id` tells the rows' object, and the objects' ids.

        Raises:
            QueryError: if an object can't be read as the table says.
        """
        reader = _reader_for(table)
        rows = reader.rows_table
        with self._lock:
            if rows not in self._created:
                columns = ", ".join(f"{quoted(column.name)} {duckdb_type(column.type)}" for column in table.columns)
                self._connection.execute(f"CREATE TABLE {rows} (object_id BIGINT{', ' if columns else ''}{columns})")
                self._created.add(rows)
            wanted = list(objects)
            missing = [stored for stored in wanted if (rows, *_identity(stored)) not in self._ids]
            for batch in _batches(missing):
                checkpoint()
                self._decode_batch(catalog, reader, batch)
            ids = [self._ids[rows, *_identity(stored)] for stored in wanted]
        for object_id in ids:
            if object_id in self._errors:
                raise self._errors[object_id]
        return rows, ids

    def _decode_batch(self, catalog: Catalog, reader: Reader, batch: list[StoredObject]) -> None:
        """Decodes a batch in one statement; if that fails, one by one, to find out which object is to blame."""
        files: list[tuple[int, StoredObject, Path]] = []
        try:
            for stored in batch:
                object_id = self._next_id
                self._next_id += 1
                try:
                    content = reader.prepare(catalog.read(stored))
                except (OSError, EOFError, zlib.error) as error:
                    if isinstance(error, FileNotFoundError):
                        raise QueryError("HIVE_CURSOR_ERROR", f"{stored.url} was replaced while it was read") from error
                    self._errors[object_id] = QueryError("HIVE_CURSOR_ERROR", f"Failed to read {stored.url}: {error}")
                    self._ids[reader.rows_table, *_identity(stored)] = object_id
                    continue
                suffix = ".gz" if content.startswith(GZIP_MAGIC) else ""
                path = self._incoming / f"{object_id}{suffix}"
                path.write_bytes(content)
                files.append((object_id, stored, path))
            try:
                if files:
                    self._insert(reader, [path for _, _, path in files])
            except _BAD_DATA:
                for object_id, stored, path in files:
                    try:
                        self._insert(reader, [path])
                    except _BAD_DATA as error:
                        self._errors[object_id] = reader.explain(error, stored)
            for object_id, stored, _ in files:
                self._ids[reader.rows_table, *_identity(stored)] = object_id
        finally:
            for _, _, path in files:
                path.unlink(missing_ok=True)

    def _insert(self, reader: Reader, paths: list[Path]) -> None:
        names = ", ".join(literal(str(path)) for path in paths)
        self._connection.execute(f"INSERT INTO {reader.rows_table} {reader.select(f'[{names}]')}")


class Reader:
    """How the objects of one table become rows."""

    def __init__(self, table: CatalogTable) -> None:
        self._table = table
        self._description = f"{table.serde}|{table.serde_parameters}|{table.parameters.get('skip.header.line.count')}"
        columns = "|".join(f"{column.name}:{column.type}" for column in table.columns)
        fingerprint = hashlib.sha256(f"{self._description}|{columns}".encode()).hexdigest()[:16]
        self.rows_table = f"rows_{fingerprint}"

    def prepare(self, content: bytes) -> bytes:
        """The object's bytes as DuckDB can read them."""
        return content

    def select(self, files: str) -> str:
        """The SELECT that reads the files: `object_id` first, then the table's columns."""
        raise NotImplementedError

    def explain(self, error: duckdb.Error, stored: StoredObject) -> QueryError:
        """Why an object could not be read, as Athena says it."""
        raise NotImplementedError

    @staticmethod
    def _object_id(filename: str) -> str:
        return f"CAST(regexp_extract({filename}, '([0-9]+)(\\.gz)?$', 1) AS BIGINT)"


class JsonReader(Reader):
    """JSON Lines, as OpenX's JSON SerDe reads them: keys in any case, numbers in strings too."""

    def prepare(self, content: bytes) -> bytes:
        """Brings keys to lower case where some are not, for the catalog's names are."""
        plain = _plain(content)
        if not _UPPER_CASE_KEY.search(plain[: 64 * 1024]):
            return content
        lines = []
        for line in plain.splitlines():
            try:
                value = json.loads(line) if line.strip() else None
            except ValueError:
                return plain
            if isinstance(value, dict):
                line = json.dumps({key.lower(): item for key, item in value.items()}).encode()  # noqa: PLW2901
            lines.append(line)
        return b"\n".join(lines)

    def select(self, files: str) -> str:
        columns = self._table.columns
        kinds = ", ".join(f"{literal(column.name)}: {literal(duckdb_type(column.type))}" for column in columns)
        names = "".join(f", {quoted(column.name)}" for column in columns)
        return (
            f"SELECT {self._object_id('filename')}{names} FROM read_json({files}, format = 'newline_delimited', "
            f"columns = {{{kinds}}}, filename = true, maximum_object_size = {MAX_RECORD_BYTES})"
        )

    def explain(self, error: duckdb.Error, stored: StoredObject) -> QueryError:
        text = str(error)
        if match := re.search(r'Failed to cast value.*?: "(?P<value>.*?)"', text):
            value = match["value"]
            return QueryError(
                "HIVE_BAD_DATA",
                f"Error parsing field value '{value}' in {stored.url}: For input string: \"{value}\"",
            )
        detail = re.sub(r' in file "[^"]*"', "", text.partition("Error: ")[2].partition("\n")[0])
        return QueryError(
            "HIVE_CURSOR_ERROR",
            f"Row is not a valid JSON Object - JSONException: {detail} in {stored.url}",
        )


class CsvReader(Reader):
    """Delimited text, as Hive's LazySimpleSerDe reads it: what does not fit a column's type becomes NULL."""

    def prepare(self, content: bytes) -> bytes:
        """Writes the fields anew with one separator and quoting, the header left out."""
        parameters = self._table.serde_parameters
        is_opencsv = self._table.serde.endswith("OpenCSVSerde")
        delimiter = parameters.get("separatorChar" if is_opencsv else "field.delim") or ("," if is_opencsv else "\x01")
        skip = int(self._table.parameters.get("skip.header.line.count") or 0)
        text = _plain(content).decode("utf-8", errors="replace")
        if is_opencsv:
            rows: Iterable[list[str]] = csv.reader(io.StringIO(text), delimiter=delimiter)
        else:
            rows = (line.split(delimiter) for line in text.splitlines())
        width = len(self._table.columns)
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for row in list(rows)[skip:]:
            if row and row != [""]:
                writer.writerow((row + [""] * width)[:width])
        return out.getvalue().encode()

    def select(self, files: str) -> str:
        columns = self._table.columns
        kinds = ", ".join(f"{literal(column.name)}: 'VARCHAR'" for column in columns)
        values = "".join(
            f", {quoted(column.name)}"
            if duckdb_type(column.type) == "VARCHAR"
            else f", TRY_CAST(nullif(trim({quoted(column.name)}), '') AS {duckdb_type(column.type)})"
            for column in columns
        )
        return (
            f"SELECT {self._object_id('filename')}{values} FROM read_csv({files}, columns = {{{kinds}}}, "
            "header = false, delim = ',', quote = '\"', escape = '\"', auto_detect = false, filename = true, "
            "force_not_null = [" + ", ".join(literal(column.name) for column in columns) + "])"
        )

    def explain(self, error: duckdb.Error, stored: StoredObject) -> QueryError:
        detail = str(error).partition("Error: ")[2].partition("\n")[0]
        return QueryError("HIVE_CURSOR_ERROR", f"Failed to read {stored.url}: {detail}")


def _plain(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content


def _reader_for(table: CatalogTable) -> Reader:
    if table.serde.endswith(_JSON_SERDES):
        return JsonReader(table)
    if table.serde.endswith(_CSV_SERDES):
        return CsvReader(table)
    if not table.serde:
        raise QueryError(
            "HIVE_UNSUPPORTED_FORMAT", f"Unable to create input format for table {table.database}.{table.name}"
        )
    raise UnsupportedError(f"The SerDe {table.serde} of table {table.database}.{table.name}")


def _identity(stored: StoredObject) -> tuple[str, str, str]:
    return stored.bucket, stored.key, stored.etag


def _batches(objects: list[StoredObject]) -> Iterator[list[StoredObject]]:
    batch: list[StoredObject] = []
    size = 0
    for stored in objects:
        batch.append(stored)
        size += stored.size
        if len(batch) >= BATCH_OBJECTS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
