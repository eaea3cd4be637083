"""A query's result: written to the output location as Athena writes it, read back from there page by page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from local_cloud.athena.catalog import SERVICE
from local_cloud.athena.values import athena_type, precision_and_scale
from local_cloud.glue_objects import ObjectStore, split_s3_url
from local_cloud.iam_callers import Caller

Row = list[str | None]


class Result:
    """A result on its way to the output location: rows are text, None for NULL, and become the file's lines at once.

    A SELECT's file is CSV with a header, every value quoted and NULL left empty; that of a statement about the catalog
    is plain text, the values apart by tabs. `duckdb_types` is empty where all columns are strings.
    """

    def __init__(self, names: list[str], duckdb_types: list[str] | None = None, *, is_query: bool = True) -> None:
        self.names = names
        self.duckdb_types = duckdb_types or ["VARCHAR"] * len(names)
        self.is_query = is_query
        self.row_count = 0
        self._text = io.StringIO()
        if is_query:
            self._write([*names])

    def add(self, row: Row) -> None:
        """Adds a row."""
        self.row_count += 1
        self._write(row)

    def _write(self, row: Row) -> None:
        if self.is_query:
            self._text.write(",".join("" if value is None else _quote(value) for value in row) + "\n")
        else:
            self._text.write("\t".join(value or "" for value in row) + "\n")

    @property
    def columns(self) -> list[dict[str, Any]]:
        """ResultSetMetadata's ColumnInfo."""
        columns = []
        for name, kind in zip(self.names, self.duckdb_types, strict=True):
            precision, scale = precision_and_scale(kind)
            columns.append(
                {
                    "CatalogName": "hive",
                    "SchemaName": "",
                    "TableName": "",
                    "Name": name,
                    "Label": name,
                    "Type": athena_type(kind) if self.is_query else "string",
                    "Precision": precision if self.is_query else 0,
                    "Scale": scale,
                    "Nullable": "UNKNOWN",
                    "CaseSensitive": athena_type(kind) == "varchar",
                }
            )
        return columns

    def body(self) -> bytes:
        """The file in the output location."""
        return self._text.getvalue().encode()


def _quote(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


class StoredResult:
    """Where a result is kept: `<location>/<query id>.csv` (`.txt` for DDL), with its columns beside it.

    Athena writes and reads it in the name of `caller`; what that one may not do raises AccessDeniedError.
    """

    def __init__(self, account_id: str, url: str, caller: Caller) -> None:
        self.url = url
        self._bucket, self._key = split_s3_url(url)
        self._account_id = account_id
        self._caller = caller.through(SERVICE)

    def write(self, result: Result) -> None:
        """Stores both objects.

        Raises:
            NoSuchBucketError: if the output bucket is gone.
        """
        for key in (self._key, f"{self._key}.metadata"):
            self._caller.authorize("s3:PutObject", f"arn:aws:s3:::{self._bucket}/{key}")
        store = ObjectStore(self._account_id)
        store.write(self._bucket, self._key, result.body(), content_type="application/octet-stream")
        description = json.dumps({"columns": result.columns})
        store.write(self._bucket, f"{self._key}.metadata", description.encode(), content_type="application/json")

    def read(self) -> tuple[list[dict[str, Any]], list[Row]]:
        """Columns and rows, the header first if they are a SELECT's.

        Raises:
            FileNotFoundError: if somebody deleted it.
        """
        body = self._read(self._key).decode()
        description = json.loads(self._read(f"{self._key}.metadata"))
        rows = _rows_of_csv(body) if self._key.endswith(".csv") else _rows_of_text(body)
        return description["columns"], list(rows)

    def _read(self, key: str) -> bytes:
        self._caller.authorize("s3:GetObject", f"arn:aws:s3:::{self._bucket}/{key}")
        store = ObjectStore(self._account_id)
        try:
            for stored in store.list(self._bucket, key):
                if stored.key == key:
                    return store.read(stored)
        except LookupError as error:
            raise FileNotFoundError(f"s3://{self._bucket}/{key}") from error
        raise FileNotFoundError(f"s3://{self._bucket}/{key}")


_FIELD = re.compile(r'(?:"((?:[^"]|"")*)")?([,\n])')


def _rows_of_csv(text: str) -> Iterator[Row]:
    """The rows of what `Result.body` wrote. Python's csv won't do: it takes NULL and an empty string for the same."""
    row: Row = []
    for field_match in _FIELD.finditer(text):
        value, end = field_match.groups()
        row.append(None if value is None else value.replace('""', '"'))
        if end == "\n":
            yield row
            row = []


def _rows_of_text(text: str) -> Iterator[Row]:
    for line in text.splitlines():
        yield [*line.split("\t")]
