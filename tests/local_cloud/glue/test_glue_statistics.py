"""Column statistics are given back as they were sent, and what has none is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.local_cloud.catalog_tables import LOCATION, QUOTES, catalog
from tests.support.local_cloud.glue_lake import Lake

TABLE: Any = {"DatabaseName": "market", "TableName": "quotes"}
VALUES = ["2026-11-23", "9"]


@pytest.fixture
def lake() -> Iterator[Lake]:
    with catalog(QUOTES) as built:
        built.glue.create_partition(
            **TABLE, PartitionInput={"Values": VALUES, "StorageDescriptor": {"Location": f"{LOCATION}x/"}}
        )
        yield built


def of_close(nulls: int = 0) -> Any:
    data = {"NumberOfNulls": nulls, "NumberOfDistinctValues": 7, "MinimumValue": 1.5, "MaximumValue": 9.5}
    return {
        "ColumnName": "close",
        "ColumnType": "double",
        "AnalyzedTime": datetime(2026, 11, 23, tzinfo=UTC),
        "StatisticsData": {"Type": "DOUBLE", "DoubleColumnStatisticsData": data},
    }


def of_decimals() -> Any:
    """What is sent as bytes comes back as the same bytes."""
    return {
        "ColumnName": "symbol",
        "ColumnType": "decimal(10,2)",
        "AnalyzedTime": datetime(2026, 11, 23, tzinfo=UTC),
        "StatisticsData": {
            "Type": "DECIMAL",
            "DecimalColumnStatisticsData": {
                "MinimumValue": {"UnscaledValue": b"\x00\xff", "Scale": 2},
                "NumberOfNulls": 0,
                "NumberOfDistinctValues": 1,
            },
        },
    }


def of_table(lake: Lake, *columns: str) -> tuple[list[Any], list[str]]:
    answer = lake.glue.get_column_statistics_for_table(**TABLE, ColumnNames=list(columns))
    return answer["ColumnStatisticsList"], [error["ColumnName"] for error in answer["Errors"]]


def of_partition(lake: Lake, *columns: str, values: list[str] = VALUES) -> tuple[list[Any], list[str]]:
    answer = lake.glue.get_column_statistics_for_partition(**TABLE, PartitionValues=values, ColumnNames=list(columns))
    return answer["ColumnStatisticsList"], [error["ColumnName"] for error in answer["Errors"]]


def test_a_table_without_statistics_has_none(lake: Lake) -> None:
    assert of_table(lake, "close", "symbol") == ([], ["close", "symbol"])
    assert of_partition(lake, "close") == ([], ["close"])


def test_statistics_are_kept_for_the_table_and_for_each_partition(lake: Lake) -> None:
    sent = [of_close(1), of_decimals()]
    assert lake.glue.update_column_statistics_for_table(**TABLE, ColumnStatisticsList=sent)["Errors"] == []
    lake.glue.update_column_statistics_for_partition(
        **TABLE, PartitionValues=VALUES, ColumnStatisticsList=[of_close(2)]
    )
    assert of_table(lake, "close", "symbol", "dt") == (sent, ["dt"])
    assert of_partition(lake, "close", "symbol") == ([of_close(2)], ["symbol"])


def test_statistics_of_a_column_that_the_table_has_not_are_refused(lake: Lake) -> None:
    answer = lake.glue.update_column_statistics_for_table(
        **TABLE, ColumnStatisticsList=[of_close() | {"ColumnName": "absent"}]
    )
    assert [error["Error"]["ErrorCode"] for error in answer["Errors"]] == ["EntityNotFoundException"]
    assert of_table(lake, "absent") == ([], ["absent"])


def test_deleted_statistics_are_gone_and_deleting_none_is_accepted(lake: Lake) -> None:
    for _ in range(2):
        lake.glue.update_column_statistics_for_table(**TABLE, ColumnStatisticsList=[of_close()])
        lake.glue.delete_column_statistics_for_table(**TABLE, ColumnName="close")
        assert of_table(lake, "close") == ([], ["close"])
        lake.glue.delete_column_statistics_for_table(**TABLE, ColumnName="close")
    lake.glue.update_column_statistics_for_partition(**TABLE, PartitionValues=VALUES, ColumnStatisticsList=[of_close()])
    lake.glue.delete_column_statistics_for_partition(**TABLE, PartitionValues=VALUES, ColumnName="close")
    assert of_partition(lake, "close") == ([], ["close"])


def test_statistics_go_with_what_they_are_about(lake: Lake) -> None:
    lake.glue.update_column_statistics_for_table(**TABLE, ColumnStatisticsList=[of_close()])
    lake.glue.update_column_statistics_for_partition(**TABLE, PartitionValues=VALUES, ColumnStatisticsList=[of_close()])
    moved = ["2026-11-24", "9"]
    lake.glue.update_partition(**TABLE, PartitionValueList=VALUES, PartitionInput={"Values": moved})
    assert of_partition(lake, "close", values=moved) == ([of_close()], [])
    lake.glue.delete_partition(**TABLE, PartitionValues=moved)
    lake.glue.create_partition(**TABLE, PartitionInput={"Values": moved})
    assert of_partition(lake, "close", values=moved) == ([], ["close"])
    lake.glue.delete_table(DatabaseName="market", Name="quotes")
    lake.glue.create_table(DatabaseName="market", TableInput=QUOTES)
    assert of_table(lake, "close") == ([], ["close"])


def test_a_table_or_partition_that_does_not_exist_is_an_error_that_no_client_repeats(lake: Lake) -> None:
    for call, arguments in (
        (lake.glue.get_column_statistics_for_table, {"DatabaseName": "market", "TableName": "absent"}),
        (lake.glue.get_column_statistics_for_partition, {**TABLE, "PartitionValues": ["2026-11-23", "10"]}),
    ):
        with pytest.raises(ClientError) as caught:
            call(**arguments, ColumnNames=["close"])
        assert caught.value.response["Error"]["Code"] == "EntityNotFoundException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
