"""Describes an Iceberg table's columns in Glue as Athena does.

Athena notes each column's field of the table's schema among the column's parameters, and its clients look for them:
awswrangler takes only columns with `iceberg.field.current` for a table's own. Trino's connector leaves them out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.glue.models import glue_backends

from local_cloud.glue.tables import Table
from local_cloud.glue_objects import ObjectStore, split_s3_url

_CALLS = frozenset({"CreateTable", "UpdateTable"})


def describe(action: str, request: Mapping[str, Any], account_id: str, region: str) -> None:
    """Adds the fields' parameters to the columns of the table that a call of the engine's has written.

    Args:
        action: the call to Glue, which has been answered.
        request: its parameters.
        account_id: the account of the catalog.
        region: its region.
    """
    if action not in _CALLS:
        return
    description = request.get("TableInput") or {}
    location = (description.get("Parameters") or {}).get("metadata_location")
    database = glue_backends[account_id][region].databases.get(str(request.get("DatabaseName")))
    table = database.tables.get(str(description.get("Name"))) if database else None
    if not location or not isinstance(table, Table):
        return
    storage = table.current.get("StorageDescriptor") or {}
    fields = _fields(account_id, location)
    for column in storage.get("Columns") or ():
        column["Parameters"] = {**(column.get("Parameters") or {}), **fields.get(column["Name"], {})}


def _fields(account_id: str, location: str) -> dict[str, dict[str, str]]:
    """The parameters by column (https://iceberg.apache.org/spec/#table-metadata-fields)."""
    bucket, key = split_s3_url(location)
    store = ObjectStore(account_id)
    stored = next(found for found in store.list(bucket, key) if found.key == key)
    metadata: dict[str, Any] = json.loads(store.read(stored))
    current = next(one for one in metadata["schemas"] if one["schema-id"] == metadata["current-schema-id"])
    return {
        field["name"].lower(): {
            "iceberg.field.current": "true",
            "iceberg.field.id": str(field["id"]),
            "iceberg.field.optional": str(not field["required"]).lower(),
        }
        for field in current["fields"]
    }
