"""A query's result: written to the output location as Athena writes it, read back from there page by page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from local_cloud.athena.catalog import SERVICE
from local_cloud.athena.lexer import quoted
from local_cloud.athena.values import Signature, athena_type, precision_and_scale
from local_cloud.glue.objects import ObjectStore, split_s3_url
from local_cloud.iam.callers import Caller

Row = list[str | None]


_STRING: Signature = {"rawType": "varchar"}


class Result:
    """A result on its way to the output location: rows are text, None for NULL, and become the file's lines at once.

    A query's file is CSV with a header, every value quoted and NULL left empty; that of another statement is plain
    text, the values apart by tabs.

    Attributes:
        names: the columns' names.
        types: their type signatures in Trino's words; all strings if none are given.
        is_query: whether the file is CSV.
        row_count: the rows so far.
        update_count: how many rows a statement has written; None for one that writes none.
        files: what it has written, addresses in S3; None for a statement that writes no files.
    """

    def __init__(self, names: list[str], types: list[Signature] | None = None, *, is_query: bool = True) -> None:
        self.names = names
        self.types = types or [_STRING] * len(names)
        self.is_query = is_query
        self.row_count = 0
        self.update_count: int | None = None
        self.files: list[str] | None = None
        self._text = io.StringIO()
        if is_query and names:
            self._write([*names])

    def add(self, row: Row) -> None:
        """Adds a row."""
        self.row_count += 1
        self._write(row)

    def _write(self, row: Row) -> None:
        if self.is_query:
            self._text.write(",".join("" if value is None else quoted(value) for value in row) + "\n")
        else:
            self._text.write("\t".join(value or "" for value in row) + "\n")

    @property
    def columns(self) -> list[dict[str, Any]]:
        """ResultSetMetadata's ColumnInfo."""
        columns = []
        is_typed = self.is_query or self.update_count is not None
        for name, kind in zip(self.names, self.types, strict=True):
            precision, scale = precision_and_scale(kind)
            columns.append(
                {
                    "CatalogName": "hive",
                    "SchemaName": "",
                    "TableName": "",
                    "Name": name,
                    "Label": name,
                    "Type": athena_type(kind) if is_typed else "string",
                    "Precision": precision if is_typed else 0,
                    "Scale": scale,
                    "Nullable": "UNKNOWN",
                    "CaseSensitive": athena_type(kind) == "varchar",
                }
            )
        return columns

    def body(self) -> bytes:
        """The file in the output location."""
        return self._text.getvalue().encode()


def manifest_of(output: str) -> str:
    """Where the list of the files is that a statement has written: `<query id>-manifest.csv` beside its result."""
    return f"{output.removesuffix('.csv')}-manifest.csv"


class StoredResult:
    """Where a result is kept: `<location>/<query id>.csv` (`.txt` for what is no query), its columns beside it.

    Athena writes and reads it in the name of `caller`; what that one may not do raises AccessDeniedError.
    """

    def __init__(self, url: str, caller: Caller) -> None:
        self._bucket, self._key = split_s3_url(url)
        self._caller = caller.through(SERVICE)

    def write(self, result: Result) -> None:
        """Stores the rows, the columns' description, and the list of the files that the statement has written.

        Raises:
            NoSuchBucketError: if the output bucket is gone.
        """
        description = json.dumps({"columns": result.columns, "update_count": result.update_count})
        bodies = {f"{self._key}.metadata": (description.encode(), "application/json")}
        if self._has_rows:
            bodies[self._key] = (result.body(), "application/octet-stream")
        if result.files is not None:
            bodies[manifest_of(self._key)] = ("".join(f"{url}\n" for url in result.files).encode(), "text/csv")
        for key in bodies:
            self._caller.authorize("s3:PutObject", f"arn:aws:s3:::{self._bucket}/{key}")
        store = ObjectStore()
        for key, (body, kind) in bodies.items():
            store.write(self._bucket, key, body, content_type=kind)

    def read(self) -> tuple[list[dict[str, Any]], list[Row], int]:
        """Columns, rows (the header first if they are a query's), and how many rows the statement has written.

        Raises:
            FileNotFoundError: if somebody deleted it.
        """
        description = json.loads(self._read(f"{self._key}.metadata"))
        body = self._read(self._key).decode() if self._has_rows else ""
        of_text: list[Row] = [[*line.split("\t")] for line in body.splitlines()]
        rows = list(_rows_of_csv(body)) if self._key.endswith(".csv") else of_text
        return description["columns"], rows, description["update_count"] or 0

    @property
    def _has_rows(self) -> bool:
        return self._key.endswith((".csv", ".txt"))

    def _read(self, key: str) -> bytes:
        self._caller.authorize("s3:GetObject", f"arn:aws:s3:::{self._bucket}/{key}")
        url = f"s3://{self._bucket}/{key}"
        try:
            return ObjectStore().read_url(url)
        except LookupError as error:
            raise FileNotFoundError(url) from error


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
