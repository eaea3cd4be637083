"""Describes the columns of Iceberg tables and of views in Glue as Athena does, where Trino's connectors do not.

Athena notes the field of an Iceberg table's schema that a column is among the column's parameters, and a view has its
columns in the catalog as a table has. Clients read both: awswrangler takes only columns with `iceberg.field.current`
for a table's own, dbt documents a view's columns. Trino leaves the former out, and gives every view a column `dummy`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from moto.glue.models import glue_backends

from local_cloud.athena.lexer import Token, split, tokenize
from local_cloud.glue.objects import ObjectStore
from local_cloud.glue.tables import Table
from local_cloud.settings import ACCOUNT_ID

_CALLS: Final = frozenset({"CreateTable", "UpdateTable"})
_VIEW: Final = re.compile(r"/\* Presto View: (\S+) \*/")
_HIVE: Final = {"varchar": "string", "integer": "int", "real": "float", "varbinary": "binary"}
_WITH_NUMBERS: Final = frozenset({"decimal", "char", "varchar"})


def describe(action: str, request: Mapping[str, Any], region: str) -> None:
    """Describes the columns of the table or view that a call of the engine's to Glue has written.

    `request` has the parameters of the call, which has been answered; a call that writes neither changes nothing.
    """
    if action not in _CALLS:
        return
    description = request.get("TableInput") or {}
    database = glue_backends[ACCOUNT_ID][region].databases.get(str(request.get("DatabaseName")))
    table = database.tables.get(str(description.get("Name"))) if database else None
    if not isinstance(table, Table):
        return
    storage: dict[str, Any] = table.current.setdefault("StorageDescriptor", {})
    location = (description.get("Parameters") or {}).get("metadata_location")
    if view := _VIEW.fullmatch(description.get("ViewOriginalText") or ""):
        storage["Columns"] = _of_view(json.loads(base64.b64decode(view[1])))
    elif location:
        fields = _iceberg_fields(location)
        for column in storage.get("Columns") or ():
            column["Parameters"] = {**(column.get("Parameters") or {}), **fields.get(column["Name"], {})}


def _of_view(view: Mapping[str, Any]) -> list[dict[str, str]]:
    columns = []
    for column in view["columns"]:
        described = {"Name": column["name"], "Type": _hive_type(tokenize(column["type"]), column["type"])}
        columns.append(described | ({"Comment": column["comment"]} if column.get("comment") else {}))
    return columns


def _hive_type(tokens: list[Token], text: str) -> str:
    """A type of Trino's in Hive's words: `struct<a:array<string>>` for `row("a" array(varchar))`.

    One that Hive does not have keeps its name.
    """
    name = tokens[0].text.lower()
    inner = split(tokens[2:-1]) if len(tokens) > 2 and tokens[1].word == "(" and tokens[-1].word == ")" else []
    if name == "row":
        fields = [(part[0].value, part[1:]) for part in inner]
        return f"struct<{','.join(f'{field}:{_hive_type(kind, text)}' for field, kind in fields)}>"
    if name in {"array", "map"}:
        return f"{name}<{','.join(_hive_type(part, text) for part in inner)}>"
    if inner and name in _WITH_NUMBERS:
        return f"{name}({','.join(part[0].text for part in inner)})"
    whole = text[tokens[0].start : tokens[-1].end]
    return "timestamp" if re.fullmatch(r"timestamp(\(\d+\))?", whole) else _HIVE.get(whole, whole)


def _iceberg_fields(location: str) -> dict[str, dict[str, str]]:
    """The parameters by column (https://iceberg.apache.org/spec/#table-metadata-fields)."""
    metadata: dict[str, Any] = json.loads(ObjectStore().read_url(location))
    current = next(one for one in metadata["schemas"] if one["schema-id"] == metadata["current-schema-id"])
    return {
        field["name"].lower(): {
            "iceberg.field.current": "true",
            "iceberg.field.id": str(field["id"]),
            "iceberg.field.optional": str(not field["required"]).lower(),
        }
        for field in current["fields"]
    }
