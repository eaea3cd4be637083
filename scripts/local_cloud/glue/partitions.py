"""Glue's partitions: filtered, in pages and in segments, and created, updated and deleted in batches."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.glue.models import FakePartition
from moto.glue.responses import GlueResponse

from local_cloud.glue import requests
from local_cloud.glue.expressions import compile_expression
from local_cloud.glue.requests import Request
from local_cloud.glue.tables import find

_PAGE = 1000
_UNSERVED = ("TransactionId", "QueryAsOfTime")


def _without_columns(partition: dict[str, Any]) -> dict[str, Any]:
    storage = partition.get("StorageDescriptor")
    if not storage:
        return partition
    return partition | {"StorageDescriptor": {name: value for name, value in storage.items() if name != "Columns"}}


def _segment(request: Request) -> Callable[[FakePartition], bool]:
    """Whether a partition is in the segment that is asked for; each is in exactly one."""
    segment = request.get("Segment")
    if segment is None:
        return lambda _: True
    number, total = segment["SegmentNumber"], segment["TotalSegments"]
    if number >= total:
        raise requests.invalid_input(f"SegmentNumber {number} has to be less than TotalSegments {total}")
    return lambda partition: zlib.crc32(json.dumps(partition.values).encode()) % total == number


def get_partitions(self: GlueResponse, request: Request) -> ActionResult:
    """GetPartitions: in the order of their values."""
    requests.refuse_unserved(request, "GetPartitions", _UNSERVED)
    table = find(self, request)
    is_wanted = compile_expression(request.get("Expression"), table.current.get("PartitionKeys") or ())
    is_in_segment = _segment(request)
    partitions = [
        partition
        for partition in list(table.partitions.values())
        if is_in_segment(partition) and is_wanted(partition.values)
    ]
    found, token = requests.page(partitions, lambda partition: partition.values, request, most=_PAGE)
    described = [partition.as_dict() for partition in found]
    if request.get("ExcludeColumnSchema"):
        described = [_without_columns(partition) for partition in described]
    return requests.answer("Partitions", described, token)


def batch_get_partition(self: GlueResponse, request: Request) -> ActionResult:
    """BatchGetPartition: those that exist; none is ever left for later."""
    table = find(self, request)
    asked = (table.partitions.get(str(wanted["Values"])) for wanted in request["PartitionsToGet"])
    found = [partition.as_dict() for partition in asked if partition is not None]
    return ActionResult({"Partitions": found, "UnprocessedKeys": []})


def batch_create_partition(self: GlueResponse, request: Request) -> ActionResult:
    return requests.batch(
        request["PartitionInputList"],
        find(self, request).create_partition,
        lambda given: {"PartitionValues": given.get("Values") or []},
    )


def batch_update_partition(self: GlueResponse, request: Request) -> ActionResult:
    table = find(self, request)
    return requests.batch(
        request["Entries"],
        lambda entry: table.update_partition(entry["PartitionValueList"], entry["PartitionInput"]),
        lambda entry: {"PartitionValueList": entry["PartitionValueList"]},
    )


def batch_delete_partition(self: GlueResponse, request: Request) -> ActionResult:
    table = find(self, request)
    return requests.batch(
        request["PartitionsToDelete"],
        lambda given: table.delete_partition(given["Values"]),
        lambda given: {"PartitionValues": given["Values"]},
    )
