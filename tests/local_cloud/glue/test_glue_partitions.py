"""Partitions are filtered, cut into pages and segments, and created, changed and deleted as in Glue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.local_cloud.catalog_tables import LOCATION, QUOTES, catalog
from tests.support.local_cloud.glue_lake import Lake

TABLE: Any = {"DatabaseName": "market", "TableName": "quotes"}
HOURS = [["2026-11-23", str(hour)] for hour in range(24)]


@pytest.fixture
def lake() -> Iterator[Lake]:
    with catalog(QUOTES) as built:
        yield built


def partition(values: list[str]) -> Any:
    storage = {"Location": f"{LOCATION}{'/'.join(values)}/", "Columns": [{"Name": "symbol", "Type": "string"}]}
    return {"Values": values, "StorageDescriptor": storage}


def listed(lake: Lake, page: int | None = None, **arguments: Any) -> list[list[str]]:
    pages = lake.glue.get_paginator("get_partitions").paginate(
        **TABLE, **arguments, PaginationConfig={} if page is None else {"PageSize": page}
    )
    return [one["Values"] for answer in pages for one in answer["Partitions"]]


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_value_that_is_not_of_its_keys_type_is_an_error_only_where_it_is_compared(lake: Lake) -> None:
    lake.glue.create_partition(**TABLE, PartitionInput=partition(["2026-11-23", "noon"]))
    assert listed(lake, Expression="dt = '2026-11-23'") == [["2026-11-23", "noon"]]
    code, message = refusal(lake.glue.get_partitions, **TABLE, Expression="hour = 9")
    assert (code, message) == ("InvalidStateException", '"noon" is not an integer.')


def test_partitions_come_in_pages_and_a_deletion_in_between_hides_none(lake: Lake) -> None:
    lake.glue.batch_create_partition(**TABLE, PartitionInputList=[partition(values) for values in HOURS])
    assert sorted(listed(lake, page=7)) == sorted(HOURS)
    first = lake.glue.get_partitions(**TABLE, MaxResults=10)
    lake.glue.delete_partition(**TABLE, PartitionValues=first["Partitions"][0]["Values"])
    second = lake.glue.get_partitions(**TABLE, NextToken=first["NextToken"])
    assert sorted(one["Values"] for one in (*first["Partitions"], *second["Partitions"])) == sorted(HOURS)
    assert refusal(lake.glue.get_partitions, **TABLE, NextToken="?")[0] == "InvalidInputException"
    assert refusal(lake.glue.get_partitions, **TABLE, MaxResults=1001)[0] == "ValidationException"


@pytest.mark.parametrize("total", [1, 5, 10])
def test_each_partition_is_in_exactly_one_segment(lake: Lake, total: int) -> None:
    lake.glue.batch_create_partition(**TABLE, PartitionInputList=[partition(values) for values in HOURS])
    segments = [
        listed(lake, page=2, Segment={"SegmentNumber": number, "TotalSegments": total}) for number in range(total)
    ]
    assert sorted(values for segment in segments for values in segment) == sorted(HOURS)
    assert max(map(len, segments)) < len(HOURS) or total == 1


def test_a_segment_beyond_the_last_is_refused(lake: Lake) -> None:
    for number, total in ((2, 2), (0, 11)):
        code, _ = refusal(lake.glue.get_partitions, **TABLE, Segment={"SegmentNumber": number, "TotalSegments": total})
        assert code in {"InvalidInputException", "ValidationException"}


def test_the_columns_are_left_out_if_they_are_not_wanted(lake: Lake) -> None:
    lake.glue.create_partition(**TABLE, PartitionInput=partition(HOURS[0]))
    (short,) = lake.glue.get_partitions(**TABLE, ExcludeColumnSchema=True)["Partitions"]
    (whole,) = lake.glue.get_partitions(**TABLE)["Partitions"]
    assert short["StorageDescriptor"] == {"Location": whole["StorageDescriptor"]["Location"]}
    assert whole["StorageDescriptor"]["Columns"] == [{"Name": "symbol", "Type": "string"}]
    assert whole["CatalogId"] == "123456789012"


def test_a_batch_gets_the_partitions_that_exist(lake: Lake) -> None:
    lake.glue.create_partition(**TABLE, PartitionInput=partition(HOURS[3]))
    answer = lake.glue.batch_get_partition(**TABLE, PartitionsToGet=[{"Values": HOURS[2]}, {"Values": HOURS[3]}])
    assert [one["Values"] for one in answer["Partitions"]] == [HOURS[3]]
    assert answer["UnprocessedKeys"] == []


def test_a_batch_creates_what_it_can_and_reports_the_rest(lake: Lake) -> None:
    lake.glue.create_partition(**TABLE, PartitionInput=partition(HOURS[0]))
    given = [partition(HOURS[0]), partition(["2026-11-23"]), partition(HOURS[1])]
    errors = lake.glue.batch_create_partition(**TABLE, PartitionInputList=given)["Errors"]
    assert [(error["PartitionValues"], error["ErrorDetail"]["ErrorCode"]) for error in errors] == [
        (HOURS[0], "AlreadyExistsException"),
        (["2026-11-23"], "InvalidInputException"),
    ]
    assert listed(lake) == HOURS[:2]
    assert lake.glue.batch_create_partition(**TABLE, PartitionInputList=[partition(HOURS[2])])["Errors"] == []


def test_too_many_partitions_at_once_are_refused(lake: Lake) -> None:
    many = [partition([f"d{number}", "0"]) for number in range(101)]
    assert refusal(lake.glue.batch_create_partition, **TABLE, PartitionInputList=many)[0] == "ValidationException"
    assert listed(lake) == []


def test_an_update_that_would_overwrite_another_partition_changes_nothing(lake: Lake) -> None:
    lake.glue.batch_create_partition(**TABLE, PartitionInputList=[partition(values) for values in HOURS[:2]])
    for old, new, expected in (
        (HOURS[0], HOURS[1], "AlreadyExistsException"),
        (HOURS[5], HOURS[6], "EntityNotFoundException"),
        (HOURS[0], ["2026-11-23"], "InvalidInputException"),
    ):
        code, _ = refusal(lake.glue.update_partition, **TABLE, PartitionValueList=old, PartitionInput=partition(new))
        assert code == expected
    assert listed(lake) == HOURS[:2]
    lake.glue.update_partition(**TABLE, PartitionValueList=HOURS[0], PartitionInput=partition(HOURS[2]))
    assert listed(lake) == HOURS[1:3]


def test_batches_update_and_delete_what_they_can(lake: Lake) -> None:
    lake.glue.batch_create_partition(**TABLE, PartitionInputList=[partition(values) for values in HOURS[:2]])
    entries: Any = [
        {"PartitionValueList": HOURS[0], "PartitionInput": {"Values": HOURS[0], "Parameters": {"numRows": "7"}}},
        {"PartitionValueList": HOURS[9], "PartitionInput": {"Values": HOURS[9]}},
    ]
    errors = lake.glue.batch_update_partition(**TABLE, Entries=entries)["Errors"]
    assert [error["PartitionValueList"] for error in errors] == [HOURS[9]]
    first = lake.glue.get_partition(**TABLE, PartitionValues=HOURS[0])["Partition"]
    assert first["Parameters"] == {"numRows": "7"}
    gone: Any = [{"Values": HOURS[0]}, {"Values": HOURS[9]}]
    deleted = lake.glue.batch_delete_partition(**TABLE, PartitionsToDelete=gone)["Errors"]
    assert [error["ErrorDetail"]["ErrorCode"] for error in deleted] == ["EntityNotFoundException"]
    assert listed(lake) == [HOURS[1]]


def test_a_table_without_keys_takes_no_partition(lake: Lake) -> None:
    lake.glue.create_table(DatabaseName="market", TableInput=QUOTES | {"Name": "flat", "PartitionKeys": []})
    for values in ([], ["2026-11-23"]):
        code, _ = refusal(
            lake.glue.create_partition, DatabaseName="market", TableName="flat", PartitionInput={"Values": values}
        )
        assert code == "InvalidInputException"
