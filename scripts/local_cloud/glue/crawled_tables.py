"""How the catalog describes what a crawl has found: tables, partitions, SerDes and statistics in Glue's words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from local_cloud.glue.inference import Schema
from local_cloud.glue.objects import StoredObject

_TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
_JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
_CSV_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"


@dataclass(slots=True)
class Folder:
    """A table's folder, or one partition of it: its objects and what they have in common."""

    bucket: str
    prefix: str
    values: tuple[str, ...] = ()
    objects: list[StoredObject] = field(default_factory=list)
    schema: Schema | None = None

    @property
    def location(self) -> str:
        """The folder's address."""
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(slots=True)
class FoundTable:
    """A table that the crawl has found: partitions in the order of their values."""

    folder: Folder
    keys: tuple[str, ...]
    partitions: list[Folder]
    schema: Schema

    @property
    def name(self) -> str:
        """The last folder's name, or the bucket's, with Glue's letters only."""
        last = self.folder.prefix.rstrip("/").rpartition("/")[2] or self.folder.bucket
        return re.sub(r"[^0-9a-z_]", "_", last.lower())


def combine(schemas: Iterable[Schema]) -> Schema:
    """The schema of objects of one classification: the columns of all, each as wide as it must be."""
    combined: Schema | None = None
    for schema in schemas:
        if combined is None:
            combined = Schema(
                schema.classification, schema.compressed, delimiter=schema.delimiter, has_header=schema.has_header
            )
        combined.add(schema)
    return combined or Schema("UNKNOWN")


def statistics(folder: Folder, schema: Schema) -> dict[str, str]:
    """The parameters in which a crawler leaves format, counts and sizes; records are those of the samples."""
    size = sum(stored.size for stored in folder.objects)
    average = schema.sampled_bytes // schema.sampled_records if schema.sampled_records else 0
    parameters = {
        "classification": schema.classification,
        "compressionType": "gzip" if schema.compressed else "none",
        "typeOfData": "file",
        "objectCount": str(len(folder.objects)),
        "sizeKey": str(size),
        "recordCount": str(schema.sampled_records),
        "averageRecordSize": str(average),
    }
    if schema.classification == "csv":
        parameters |= {"delimiter": schema.delimiter, "columnsOrdered": "true", "areColumnsQuoted": "false"}
        if schema.has_header:
            parameters["skip.header.line.count"] = "1"
    return parameters


def storage(folder: Folder, schema: Schema) -> dict[str, Any]:
    """The StorageDescriptor of a table or a partition."""
    serde: dict[str, Any] = {}
    if schema.classification == "json":
        serde = {
            "SerializationLibrary": _JSON_SERDE,
            "Parameters": {"paths": ",".join(sorted(schema.columns))},
        }
    elif schema.classification == "csv":
        serde = {"SerializationLibrary": _CSV_SERDE, "Parameters": {"field.delim": schema.delimiter}}
    return {
        "Columns": schema.glue_columns,
        "Location": folder.location,
        "InputFormat": _TEXT_INPUT,
        "OutputFormat": _TEXT_OUTPUT,
        "Compressed": schema.compressed,
        "NumberOfBuckets": -1,
        "SerdeInfo": serde,
        "BucketColumns": [],
        "SortColumns": [],
        "Parameters": statistics(folder, schema),
        "StoredAsSubDirectories": False,
    }
