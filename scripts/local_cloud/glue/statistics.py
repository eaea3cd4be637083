"""Glue's column statistics of tables and partitions: kept as they are sent, and given back so."""

from __future__ import annotations

import json
from typing import Any

from moto.glue.exceptions import EntityNotFoundException
from moto.glue.responses import GlueResponse

from local_cloud.glue.requests import Request
from local_cloud.glue.tables import Table, find


def _find(response: GlueResponse, request: Request) -> tuple[Table, dict[str, dict[str, Any]]]:
    """The table, and the statistics by column of what the request names: a partition of it, or the table itself.

    Raises:
        EntityNotFoundException: there is no such database, table or partition.
    """
    table = find(response, request)
    values = request.get("PartitionValues")
    if values is not None and str(values) not in table.partitions:
        raise EntityNotFoundException(f"Partition [{', '.join(values)}] not found")
    return table, table.column_statistics.setdefault(tuple(values or ()), {})


def _not_found(message: str) -> dict[str, str]:
    return {"ErrorCode": "EntityNotFoundException", "ErrorMessage": message}


def _get(self: GlueResponse, request: Request) -> str:
    """A column without statistics is told among the errors, as Glue does."""
    _, known = _find(self, request)
    found = [known[column] for column in request["ColumnNames"] if column in known]
    error = _not_found("Statistics do not exist for this column")
    errors = [{"ColumnName": column, "Error": error} for column in request["ColumnNames"] if column not in known]
    return json.dumps({"ColumnStatisticsList": found, "Errors": errors})


def _update(self: GlueResponse, request: Request) -> str:
    table, known = _find(self, request)
    columns = table.column_names()
    errors = []
    for statistics in request["ColumnStatisticsList"]:
        column = statistics["ColumnName"]
        if column in columns:
            known[column] = statistics
        else:
            error = _not_found(f"Column {column} does not exist in table {table.name}")
            errors.append({"ColumnStatistics": statistics, "Error": error})
    return json.dumps({"Errors": errors})


def _delete(self: GlueResponse, request: Request) -> str:
    """Statistics that do not exist are deleted without an error, as in Glue."""
    _, known = _find(self, request)
    known.pop(request["ColumnName"], None)
    return "{}"


HANDLERS = {
    f"{verb}_column_statistics_for_{kind}": handler
    for verb, handler in (("get", _get), ("update", _update), ("delete", _delete))
    for kind in ("table", "partition")
}
"""The methods that these add to moto's GlueResponse."""
