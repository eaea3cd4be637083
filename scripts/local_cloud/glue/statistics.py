"""Glue's column statistics of tables and partitions: kept as they are sent, and given back so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.glue.exceptions import EntityNotFoundException
from moto.glue.responses import GlueResponse

from local_cloud.glue import requests
from local_cloud.glue.tables import Table, find

_OPERATIONS = ("Get", "Update", "Delete")


def _find(response: GlueResponse, request: dict[str, Any]) -> tuple[Table, dict[str, dict[str, Any]]]:
    """The table, and the statistics by column of what the request names: a partition of it, or the table itself.

    Raises:
        EntityNotFoundException: there is no such database, table or partition.
    """
    table = find(response, request)
    values = request.get("PartitionValues")
    if values is not None and str(values) not in table.partitions:
        raise EntityNotFoundException(f"Partition [{', '.join(values)}] not found")
    return table, table.column_statistics.setdefault(tuple(values or ()), {})


def _error(column: str, message: str) -> dict[str, Any]:
    detail = {"ErrorCode": "EntityNotFoundException", "ErrorMessage": message}
    return {"ColumnName": column, "Error": detail}


def _get(response: GlueResponse, request: dict[str, Any]) -> str:
    """A column without statistics is told among the errors, as Glue does."""
    _, known = _find(response, request)
    found = [known[column] for column in request["ColumnNames"] if column in known]
    missing = [column for column in request["ColumnNames"] if column not in known]
    errors = [_error(column, "Statistics do not exist for this column") for column in missing]
    return json.dumps({"ColumnStatisticsList": found, "Errors": errors})


def _update(response: GlueResponse, request: dict[str, Any]) -> str:
    table, known = _find(response, request)
    columns = table.column_names()
    errors = []
    for statistics in request["ColumnStatisticsList"]:
        column = statistics["ColumnName"]
        if column in columns:
            known[column] = statistics
        else:
            error = _error(column, f"Column {column} does not exist in table {table.name}")["Error"]
            errors.append({"ColumnStatistics": statistics, "Error": error})
    return json.dumps({"Errors": errors})


def _delete(response: GlueResponse, request: dict[str, Any]) -> str:
    """Statistics that do not exist are deleted without an error, as in Glue."""
    _, known = _find(response, request)
    known.pop(request["ColumnName"], None)
    return "{}"


def _handler(action: Callable[[GlueResponse, dict[str, Any]], str], operation: str) -> Callable[[GlueResponse], str]:
    def handle(self: GlueResponse) -> str:
        return action(self, requests.read(self, operation))

    return handle


HANDLERS = {
    f"{verb.lower()}_column_statistics_for_{kind.lower()}": _handler(action, f"{verb}ColumnStatisticsFor{kind}")
    for verb, action in zip(_OPERATIONS, (_get, _update, _delete), strict=True)
    for kind in ("Table", "Partition")
}
"""The methods that these add to moto's GlueResponse."""
