"""How Glue describes the table quotes_history and its partitions (TableInput, PartitionInput)."""

from __future__ import annotations

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
"""The partition keys of quotes_history; all are strings."""


def literal(value: str) -> str:
    """A text as a literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def columns(*keys: str) -> list[dict[str, str]]:
    """Glue's description of a record's columns, and of partition keys after them."""
    return [{"Name": name, "Type": kind} for name, kind in (*COLUMNS, *((key, "string") for key in keys))]


def storage(location: str) -> dict[str, Any]:
    """Glue's StorageDescriptor of Parquet files in a folder, `s3://bucket/.../`."""
    return {
        "Columns": columns(),
        "Location": location,
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
    }


def history_table(name: str, bucket: str, prefix: str) -> dict[str, Any]:
    """Glue's TableInput of the history: external, Parquet, partitioned by day, hour and revision."""
    return {
        "Name": name,
        "Description": "Hours of quotes that are over, as Parquet; quotes_all says which revision of each is valid",
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": storage(f"s3://{bucket}/{prefix}"),
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in KEYS],
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
    }


def history_partition(folder: TryFolder, revision: str, bucket: str, prefix: str) -> dict[str, Any]:
    """Glue's PartitionInput that gives a try's folder to a revision of its hour."""
    return {
        "Values": [*folder.hour, revision],
        "StorageDescriptor": storage(f"s3://{bucket}/{folder.prefix(prefix)}"),
    }
