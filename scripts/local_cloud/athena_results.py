"""A query's result: written to the output location as Athena writes it, read back from there page by page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from local_cloud.athena_types import athena_type, precision_and_scale
from local_cloud.glue_objects import ObjectStore, split_s3_url

Row = list[str | None]


@dataclass(slots=True)
class Result:
    """Rows as text, None for NULL. `duckdb_types` is empty for statements whose columns are all strings (DDL)."""

    names: list[str]
    duckdb_types: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    is_query: bool = True
    update_count: int = 0

    @property
    def columns(self) -> list[dict[str, Any]]:
        """ResultSetMetadata's ColumnInfo."""
        kinds = self.duckdb_types or ["VARCHAR"] * len(self.names)
        columns = []
        for name, kind in zip(self.names, kinds, strict=True):
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
        """The file in the output location: CSV with every value quoted and NULL left empty, or plain text for DDL."""
        if not self.is_query:
            return "".join("\t".join(value or "" for value in row) + "\n" for row in self.rows).encode()
        out = io.StringIO()
        header: Row = [*self.names]
        for row in [header, *self.rows]:
            out.write(",".join("" if value is None else _quote(value) for value in row) + "\n")
        return out.getvalue().encode()


def _quote(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


class StoredResult:
    """Where a result is kept: `<location>/<query id>.csv` (`.txt` for DDL), with its columns beside it."""

    def __init__(self, account_id: str, url: str) -> None:
        self.url = url
        self._bucket, self._key = split_s3_url(url)
        self._account_id = account_id

    def write(self, result: Result) -> None:
        """Stores both objects.

        Raises:
            NoSuchBucketError: if the output bucket is gone.
        """
        store = ObjectStore(self._account_id)
        store.write(self._bucket, self._key, result.body(), content_type="application/octet-stream")
        description = json.dumps({"columns": result.columns, "update_count": result.update_count})
        store.write(self._bucket, f"{self._key}.metadata", description.encode(), content_type="application/json")

    def read(self) -> tuple[list[dict[str, Any]], list[Row], int]:
        """Columns, rows (the header first, if it is a SELECT's) and the update count.

        Raises:
            FileNotFoundError: if somebody deleted it.
        """
        body = self._read(self._key).decode()
        description = json.loads(self._read(f"{self._key}.metadata"))
        rows = _rows_of_csv(body) if self._key.endswith(".csv") else _rows_of_text(body)
        return description["columns"], list(rows), description["update_count"]

    def _read(self, key: str) -> bytes:
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
