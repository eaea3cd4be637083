"""How the objects of a table become rows: OpenX's JSON SerDe and Hive's two for delimited text, by way of DuckDB.

A reader turns an object into lines that carry the object's number, so that the lines of many objects make one file.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable

import duckdb

from local_cloud.athena_catalog import CatalogTable
from local_cloud.athena_errors import QueryError, UnsupportedError
from local_cloud.athena_types import duckdb_type, literal, quoted
from local_cloud.glue_objects import GZIP_MAGIC, StoredObject

MAX_RECORD_BYTES = 4 * 1024 * 1024  # DuckDB takes twice as much for a buffer, and each thread has one
_NUMBER = "$object_id"
_UPPER_CASE_KEY = re.compile(rb'"[^"\\]*[A-Z][^"\\]*"\s*:')
_HEAD = 8 * 1024


class Reader(ABC):
    """How the objects of one table become rows."""

    def __init__(self, table: CatalogTable) -> None:
        self._table = table
        serde = f"{table.serde}|{table.serde_parameters}|{table.parameters.get('skip.header.line.count')}"
        columns = "|".join(f"{column.name}:{column.type}" for column in table.columns)
        self.rows_table = f"rows_{hashlib.sha256(f'{serde}|{columns}'.encode()).hexdigest()[:16]}"

    def create_statement(self) -> str:
        """Makes DuckDB's table for the rows."""
        columns = "".join(f", {quoted(column.name)} {duckdb_type(column.type)}" for column in self._table.columns)
        return f"CREATE TABLE {self.rows_table} (object_id BIGINT NOT NULL{columns})"

    @abstractmethod
    def lines(self, content: bytes, object_id: int) -> bytes:
        """The object's records, each on a line that ends with a newline and carries `object_id`.

        Raises:
            OSError, EOFError, zlib.error: if the object looks like gzip and is damaged.
        """

    @abstractmethod
    def select(self, file: str) -> str:
        """The SELECT that reads a file of such lines: the object's number first, then the table's columns."""

    @abstractmethod
    def explain(self, error: duckdb.Error, stored: StoredObject) -> QueryError:
        """Why an object could not be read, as Athena says it."""


class JsonReader(Reader):
    """JSON Lines, as OpenX's JSON SerDe reads them: keys in any case, numbers in strings too."""

    def lines(self, content: bytes, object_id: int) -> bytes:
        plain = _plain(content).strip(b"\n")
        start = b'{"%s":%d,' % (_NUMBER.encode(), object_id)
        is_plain = plain.startswith(b"{") and b"{}" not in plain and plain.count(b"\n{") == plain.count(b"\n")
        # Writers do not change the case of their keys within an object, so its beginning tells.
        if is_plain and not _UPPER_CASE_KEY.search(plain[:_HEAD]):
            return start + plain[1:].replace(b"\n{", b"\n" + start) + b"\n"
        return b"".join(_tagged(line, object_id) for line in plain.splitlines() if line.strip())

    def select(self, file: str) -> str:
        columns = self._table.columns
        kinds = "".join(f", {literal(column.name)}: {literal(duckdb_type(column.type))}" for column in columns)
        names = "".join(f", {quoted(column.name)}" for column in columns)
        return (
            f"SELECT {quoted(_NUMBER)}{names} FROM read_json({literal(file)}, format = 'newline_delimited', "
            f"records = true, columns = {{{literal(_NUMBER)}: 'BIGINT'{kinds}}}, "
            f"maximum_object_size = {MAX_RECORD_BYTES})"
        )

    def explain(self, error: duckdb.Error, stored: StoredObject) -> QueryError:
        text = str(error)
        if match := re.search(r'Failed to cast value.*?: "(?P<value>.*?)"', text):
            value = match["value"]
            return QueryError(
                "HIVE_BAD_DATA",
                f"Error parsing field value '{value}' in {stored.url}: For input string: \"{value}\"",
            )
        detail = re.sub(r' in file "[^"]*"', "", text.partition("Error: ")[2].partition("\n")[0]).strip()
        return QueryError(
            "HIVE_CURSOR_ERROR",
            f"Row is not a valid JSON Object - JSONException: {detail} in {stored.url}",
        )


class CsvReader(Reader):
    """Delimited text, as Hive's LazySimpleSerDe reads it: what does not fit a column's type becomes NULL."""

    def lines(self, content: bytes, object_id: int) -> bytes:
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
                writer.writerow([str(object_id), *(row + [""] * width)[:width]])
        return out.getvalue().encode()

    def select(self, file: str) -> str:
        columns = self._table.columns
        kinds = "".join(f", {literal(column.name)}: 'VARCHAR'" for column in columns)
        values = "".join(
            f", {quoted(column.name)}"
            if duckdb_type(column.type) == "VARCHAR"
            else f", TRY_CAST(nullif(trim({quoted(column.name)}), '') AS {duckdb_type(column.type)})"
            for column in columns
        )
        names = ", ".join(literal(column.name) for column in columns)
        return (
            f"SELECT {quoted(_NUMBER)}{values} FROM read_csv({literal(file)}, "
            f"columns = {{{literal(_NUMBER)}: 'BIGINT'{kinds}}}, header = false, delim = ',', quote = '\"', "
            f"escape = '\"', auto_detect = false, force_not_null = [{names}])"
        )

    def explain(self, error: duckdb.Error, stored: StoredObject) -> QueryError:
        detail = str(error).partition("Error: ")[2].partition("\n")[0]
        return QueryError("HIVE_CURSOR_ERROR", f"Failed to read {stored.url}: {detail}")


def reader_for(table: CatalogTable) -> Reader:
    """The reader for a table's SerDe.

    Raises:
        QueryError: if the table has none, or one that the local cloud does not know.
    """
    if table.serde.endswith("JsonSerDe"):
        return JsonReader(table)
    if table.serde.endswith(("LazySimpleSerDe", "OpenCSVSerde")):
        return CsvReader(table)
    if not table.serde:
        raise QueryError(
            "HIVE_UNSUPPORTED_FORMAT", f"Unable to create input format for table {table.database}.{table.name}"
        )
    raise UnsupportedError(f"The SerDe {table.serde} of table {table.database}.{table.name}")


def _plain(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content


def _tagged(line: bytes, object_id: int) -> bytes:
    """One record with its object's number, keys in lower case; what is no JSON object stays for DuckDB to refuse."""
    try:
        value = json.loads(line)
    except ValueError:
        return line + b"\n"
    if not isinstance(value, dict):
        return line + b"\n"
    tagged = {_NUMBER: object_id, **{key.lower(): item for key, item in value.items()}}
    return json.dumps(tagged).encode() + b"\n"
