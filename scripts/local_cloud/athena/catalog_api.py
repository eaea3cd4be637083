"""Athena's calls that tell of the catalog: databases and tables, as Glue has them."""

from __future__ import annotations

import json
from typing import Any

from moto.athena.responses import AthenaResponse
from moto.glue.models import glue_backends

from local_cloud.athena.catalog import CATALOG, Catalog
from local_cloud.athena.workgroups import invalid_request


def _catalog(response: AthenaResponse, name: str) -> Catalog:
    if name.lower() != CATALOG:
        raise invalid_request(f"Catalog {name} is not supported by the local cloud.")
    return Catalog(response.athena_backend.account_id, response.athena_backend.region_name)


def _metadata_not_found(message: str) -> Exception:
    error = invalid_request(f"EntityNotFoundException: {message}")
    error.error_type = "MetadataException"
    error.description = json.dumps({"__type": "MetadataException", "Message": error.message})
    return error


def get_database(self: AthenaResponse) -> str:
    """GetDatabase: a database of the catalog."""
    request = json.loads(self.body)
    catalog = _catalog(self, request["CatalogName"])
    name = request["DatabaseName"].lower()
    if name not in catalog.backend.databases:
        raise _metadata_not_found(f"Database {name} not found.")
    return json.dumps({"Database": _database(catalog, name)})


def list_databases(self: AthenaResponse) -> str:
    """ListDatabases: all of them."""
    catalog = _catalog(self, json.loads(self.body)["CatalogName"])
    return json.dumps({"DatabaseList": [_database(catalog, name) for name in catalog.databases()]})


def _database(catalog: Catalog, name: str) -> dict[str, Any]:
    description = catalog.backend.databases[name].input
    parameters = description.get("Parameters") or {}
    return {"Name": name, "Description": description.get("Description") or "", "Parameters": parameters}


def get_table_metadata(self: AthenaResponse) -> str:
    """GetTableMetadata: a table of the catalog."""
    request = json.loads(self.body)
    catalog = _catalog(self, request["CatalogName"])
    database, name = request["DatabaseName"].lower(), request["TableName"].lower()
    if database not in catalog.backend.databases or name not in catalog.tables(database):
        raise _metadata_not_found(f"Entity Not Found: {database}.{name}")
    return json.dumps({"TableMetadata": _table(catalog, database, name)})


def list_table_metadata(self: AthenaResponse) -> str:
    """ListTableMetadata: all of a database."""
    request = json.loads(self.body)
    catalog = _catalog(self, request["CatalogName"])
    database = request["DatabaseName"].lower()
    if database not in catalog.backend.databases:
        raise _metadata_not_found(f"Database {database} not found.")
    return json.dumps({"TableMetadataList": [_table(catalog, database, name) for name in catalog.tables(database)]})


def _table(catalog: Catalog, database: str, name: str) -> dict[str, Any]:
    table = catalog.table(database, name)
    created = glue_backends[catalog.backend.account_id][catalog.backend.region_name].get_table(database, name)
    return {
        "Name": name,
        "CreateTime": created.created_time.timestamp(),
        "TableType": table.description.get("TableType") or "EXTERNAL_TABLE",
        "Columns": [{"Name": column.name, "Type": column.type} for column in table.columns],
        "PartitionKeys": [{"Name": key.name, "Type": key.type} for key in table.partition_keys],
        "Parameters": table.parameters | {"location": table.location},
    }
