"""Glue's partitions: filtered, in pages and in segments, and created, updated and deleted one by one or in batches."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.glue.models import FakePartition, FakeTable
from moto.glue.responses import GlueResponse

from local_cloud.glue import requests
from local_cloud.glue.expressions import compile_expression
from local_cloud.glue.tables import Table

_PAGE = 1000
_UNSERVED = ("TransactionId", "QueryAsOfTime")


def _table(response: GlueResponse, request: dict[str, Any]) -> Table:
    table = response.glue_backend.get_table(request["DatabaseName"], request["TableName"])
    assert isinstance(table, Table)
    return table


def _described(table: FakeTable, partition: FakePartition) -> dict[str, Any]:
    return partition.as_dict() | {"CatalogId": table.catalog_id}


def _without_columns(partition: dict[str, Any]) -> dict[str, Any]:
    storage = partition.get("StorageDescriptor")
    if not storage:
        return partition
    return partition | {"StorageDescriptor": {name: value for name, value in storage.items() if name != "Columns"}}


def _segment(request: dict[str, Any]) -> Callable[[FakePartition], bool]:
    """Whether a partition is in the segment that is asked for; each is in exactly one."""
    segment = request.get("Segment")
    if segment is None:
        return lambda _: True
    number, total = segment["SegmentNumber"], segment["TotalSegments"]
    if number >= total:
        raise requests.invalid_input(f"SegmentNumber {number} has to be less than TotalSegments {total}")
    return lambda partition: zlib.crc32(json.dumps(partition.values).encode()) % total == number


def get_partitions(self: GlueResponse) -> ActionResult:
    """GetPartitions: in the order of their values."""
    request = requests.read(self, "GetPartitions", _UNSERVED)
    table = _table(self, request)
    is_wanted = compile_expression(request.get("Expression"), table.current.get("PartitionKeys") or ())
    is_in_segment = _segment(request)
    partitions = [
        partition
        for partition in list(table.partitions.values())
        if is_in_segment(partition) and is_wanted(partition.values)
    ]
    found, token = requests.page(partitions, lambda partition: partition.values, request, _PAGE)
    described = [_described(table, partition) for partition in found]
    if request.get("ExcludeColumnSchema"):
        described = [_without_columns(partition) for partition in described]
    return requests.answer("Partitions", described, token)


def get_partition(self: GlueResponse) -> ActionResult:
    """GetPartition."""
    request = requests.read(self, "GetPartition")
    table = _table(self, request)
    return ActionResult({"Partition": _described(table, table.get_partition(request["PartitionValues"]))})


def batch_get_partition(self: GlueResponse) -> ActionResult:
    """BatchGetPartition: those that exist; none is ever left for later."""
    request = requests.read(self, "BatchGetPartition")
    table = _table(self, request)
    asked = (table.partitions.get(str(wanted["Values"])) for wanted in request["PartitionsToGet"])
    found = [_described(table, partition) for partition in asked if partition is not None]
    return ActionResult({"Partitions": found, "UnprocessedKeys": []})


def create_partition(self: GlueResponse) -> EmptyResult:
    """CreatePartition."""
    request = requests.read(self, "CreatePartition")
    _table(self, request).create_partition(request["PartitionInput"])
    return EmptyResult()


def update_partition(self: GlueResponse) -> EmptyResult:
    """UpdatePartition."""
    request = requests.read(self, "UpdatePartition")
    _table(self, request).update_partition(request["PartitionValueList"], request["PartitionInput"])
    return EmptyResult()


def delete_partition(self: GlueResponse) -> EmptyResult:
    """DeletePartition."""
    request = requests.read(self, "DeletePartition")
    _table(self, request).delete_partition(request["PartitionValues"])
    return EmptyResult()


def _batch(items: Iterable[Any], act: Callable[[Any], None], name: str, values: Callable[[Any], Any]) -> ActionResult:
    """Does something for each; what is refused is told among the errors under its values, and the others are done."""
    errors = []
    for item in items:
        try:
            act(item)
        except JsonRESTError as error:
            detail = {"ErrorCode": error.error_type, "ErrorMessage": error.message}
            errors.append({name: values(item), "ErrorDetail": detail})
    return ActionResult({"Errors": errors})


def batch_create_partition(self: GlueResponse) -> ActionResult:
    """BatchCreatePartition."""
    request = requests.read(self, "BatchCreatePartition")
    given = request["PartitionInputList"]
    return _batch(given, _table(self, request).create_partition, "PartitionValues", lambda one: one.get("Values") or [])


def batch_update_partition(self: GlueResponse) -> ActionResult:
    """BatchUpdatePartition."""
    request = requests.read(self, "BatchUpdatePartition")
    table = _table(self, request)

    def update(entry: Any) -> None:
        table.update_partition(entry["PartitionValueList"], entry["PartitionInput"])

    return _batch(request["Entries"], update, "PartitionValueList", lambda entry: entry["PartitionValueList"])


def batch_delete_partition(self: GlueResponse) -> ActionResult:
    """BatchDeletePartition."""
    request = requests.read(self, "BatchDeletePartition")
    table = _table(self, request)

    def delete(entry: Any) -> None:
        table.delete_partition(entry["Values"])

    return _batch(request["PartitionsToDelete"], delete, "PartitionValues", lambda entry: entry["Values"])


HANDLERS: dict[str, Callable[[GlueResponse], ActionResult]] = {
    "get_partitions": get_partitions,
    "get_partition": get_partition,
    "batch_get_partition": batch_get_partition,
    "create_partition": create_partition,
    "update_partition": update_partition,
    "delete_partition": delete_partition,
    "batch_create_partition": batch_create_partition,
    "batch_update_partition": batch_update_partition,
    "batch_delete_partition": batch_delete_partition,
}
"""The methods of moto's GlueResponse that these replace."""
