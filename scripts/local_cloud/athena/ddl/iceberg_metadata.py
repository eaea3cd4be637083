"""What only an Iceberg table's own metadata file knows: its partition transforms and its properties."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from local_cloud.athena.ddl.statement import GlueTable

METADATA_LOCATION = "metadata_location"


@dataclass(frozen=True, slots=True)
class PartitionField:
    """A part of a table's partitioning: `transform` is Iceberg's word for it, such as `bucket[16]`."""

    name: str
    transform: str
    column: str


@dataclass(frozen=True, slots=True)
class IcebergMetadata:
    """A table as its newest metadata file describes it.

    https://iceberg.apache.org/spec/#table-metadata-fields
    """

    location: str
    properties: dict[str, str]
    partitioning: tuple[PartitionField, ...]

    @classmethod
    def of(cls, table: GlueTable) -> IcebergMetadata:
        """Reads the file that the catalog points at, in the name of the query's caller.

        Raises:
            QueryError: if it is not there.
            AccessDeniedError: if the caller may not read it.
        """
        document: dict[str, Any] = json.loads(table.catalog.read_object(table.parameters[METADATA_LOCATION]))
        schemas = {schema["schema-id"]: schema for schema in document["schemas"]}
        names = {column["id"]: column["name"] for column in schemas[document["current-schema-id"]]["fields"]}
        specs = {spec["spec-id"]: spec for spec in document["partition-specs"]}
        fields = tuple(
            PartitionField(part["name"], part["transform"], names[part["source-id"]])
            for part in specs[document["default-spec-id"]]["fields"]
            if part["transform"] != "void"
        )
        return cls(document["location"], document.get("properties") or {}, fields)
