"""How Glue describes the tables of the history and their partitions (TableInput, PartitionInput)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stock_market.history.naming import TryFolder

COLUMNS = (
    ("symbol", "string"),
    ("event_time", "string"),
    ("open", "double"),
    ("high", "double"),
    ("low", "double"),
    ("close", "double"),
    ("adj_close", "double"),
    ("volume", "bigint"),
    ("close_usd", "double"),
    ("producer_id", "string"),
    ("sequence", "bigint"),
)
"""A record's fields, with Athena's types."""
RAW_KEYS = ("dt", "hour")
KEYS = (*RAW_KEYS, "revision")
"""The partition keys of a table of the history; all are strings."""

SOURCE = "history-source"
"""The parameter of a partition that names the try that it was made from."""


def literal(value: str) -> str:
    """A text as a literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def _listed(columns: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f'"{name}"' for name in (*(name for name, _ in columns), *RAW_KEYS))


@dataclass(frozen=True)
class Layer:
    """What a table of the history holds, and the view that joins it with what is not history yet.

    Attributes:
        description: of the table.
        columns: with Athena's types, without the partition keys.
        select: SQL that makes its rows, with `dt` and `hour` after the columns, of the records in a `{table}` or a
            subquery under a `{condition}`.
        version: of the view's text, raised with each change of `select`.
        former: earlier versions, where the table's rows are made again from another table's after such a change.
    """

    description: str
    columns: tuple[tuple[str, str], ...]
    select: str
    version: str = "2"
    former: tuple[str, ...] = ()

    @property
    def listed(self) -> str:
        """The columns, `dt` and `hour`, as a SELECT names them."""
        return _listed(self.columns)

    def described(self, *keys: str) -> list[dict[str, str]]:
        """Glue's description of the columns, and of partition keys after them."""
        return [{"Name": name, "Type": kind} for name, kind in (*self.columns, *((key, "string") for key in keys))]


QUOTES = Layer(
    "Hours of quotes that are over, as Parquet; quotes_all says which revision of each is valid",
    COLUMNS,
    f"SELECT {_listed(COLUMNS)}\nFROM {{table}}\nWHERE {{condition}}",
)
"""The records themselves."""


def storage(location: str, layer: Layer = QUOTES) -> dict[str, Any]:
    """Glue's StorageDescriptor of Parquet files in a folder, `s3://bucket/.../`."""
    return {
        "Columns": layer.described(),
        "Location": location,
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
    }


def history_table(name: str, bucket: str, prefix: str, layer: Layer = QUOTES) -> dict[str, Any]:
    """Glue's TableInput of a table of the history: external, Parquet, partitioned by day, hour and revision."""
    return {
        "Name": name,
        "Description": layer.description,
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": storage(f"s3://{bucket}/{prefix}", layer),
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in KEYS],
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
    }


def history_partition(
    folder: TryFolder, revision: str, bucket: str, prefix: str, *, layer: Layer = QUOTES, source: str = ""
) -> dict[str, Any]:
    """Glue's PartitionInput that gives a try's folder to a revision of its hour.

    Args:
        folder: the try's.
        revision: the partition's last key.
        bucket: the data bucket.
        prefix: of the table's objects, with the slash at its end.
        layer: what the table holds.
        source: the try that it was made from, where it was made from another table's.
    """
    return {
        "Values": [*folder.hour, revision],
        "StorageDescriptor": storage(f"s3://{bucket}/{folder.prefix(prefix)}", layer),
        **({"Parameters": {SOURCE: source}} if source else {}),
    }
