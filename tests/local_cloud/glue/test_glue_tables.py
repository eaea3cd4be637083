"""Tables have versions that an update has to know, and lists of tables and databases come in pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.glue.models import FakePartition
from tests.support.local_cloud.catalog_tables import ICEBERG, QUOTES, VIEW, catalog
from tests.support.local_cloud.glue_lake import Lake

from local_cloud.glue.tables import Table

TABLE: Any = {"DatabaseName": "market", "TableName": "quotes"}


@pytest.fixture
def lake() -> Iterator[Lake]:
    with catalog(QUOTES, ICEBERG, VIEW) as built:
        yield built


def changed(number: int) -> Any:
    return QUOTES | {"Parameters": {"change": str(number)}}


def versions(lake: Lake, page: int = 100) -> list[str]:
    pages = lake.glue.get_paginator("get_table_versions").paginate(**TABLE, PaginationConfig={"PageSize": page})
    return [version["VersionId"] for answer in pages for version in answer["TableVersions"]]


def code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(caught.value.response["Error"]["Code"])


def test_versions_count_from_0_and_the_newest_is_first(lake: Lake) -> None:
    assert lake.table()["VersionId"] == "0"
    for number in (1, 2):
        lake.glue.update_table(DatabaseName="market", TableInput=changed(number))
    assert lake.table()["VersionId"] == "2"
    assert versions(lake) == versions(lake, page=1) == ["2", "1", "0"]
    old = lake.glue.get_table_version(**TABLE, VersionId="1")["TableVersion"]["Table"]
    assert old["Parameters"] == {"change": "1"}
    assert lake.glue.get_table_version(**TABLE)["TableVersion"]["VersionId"] == "2"
    assert code(lake.glue.get_table_version, **TABLE, VersionId="7") == "EntityNotFoundException"


def test_an_update_of_a_version_that_is_not_the_current_one_changes_nothing(lake: Lake) -> None:
    update = lake.glue.update_table
    update(DatabaseName="market", TableInput=changed(1), VersionId="0")
    stale: Any = {"DatabaseName": "market", "TableInput": changed(2), "VersionId": "0"}
    assert code(update, **stale) == "ConcurrentModificationException"
    assert lake.table()["Parameters"] == {"change": "1"}
    assert lake.table()["VersionId"] == "1"


def test_of_changes_at_once_one_is_the_first(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(of_moto: Callable[..., Any]) -> Callable[..., Any]:
        def late(*arguments: Any) -> Any:
            time.sleep(0.1)
            return of_moto(*arguments)

        return late

    monkeypatch.setattr(Table, "update", slow(Table.update))
    monkeypatch.setattr(FakePartition, "__init__", slow(FakePartition.__init__))

    def succeeds(call: Callable[..., Any], **arguments: Any) -> bool:
        try:
            call(**arguments)
        except ClientError:
            return False
        return True

    update, create = lake.glue.update_table, lake.glue.create_partition
    described: Any = {"Values": ["2026-01-01", "12"], "StorageDescriptor": QUOTES["StorageDescriptor"]}
    with ThreadPoolExecutor(4) as pool:
        changes = [
            pool.submit(succeeds, update, DatabaseName="market", TableInput=changed(number), VersionId="0")
            for number in range(4)
        ]
        assert sorted(one.result() for one in changes) == [False, False, False, True]
        changes = [pool.submit(succeeds, create, **TABLE, PartitionInput=described) for _ in range(4)]
        assert sorted(one.result() for one in changes) == [False, False, False, True]


def test_an_update_that_skips_the_archive_leaves_no_old_version(lake: Lake) -> None:
    lake.glue.update_table(DatabaseName="market", TableInput=changed(1))
    lake.glue.update_table(DatabaseName="market", TableInput=changed(2), SkipArchive=True, VersionId="1")
    assert versions(lake) == ["2", "0"]


def test_old_versions_are_deleted_and_the_current_one_is_not(lake: Lake) -> None:
    for number in (1, 2):
        lake.glue.update_table(DatabaseName="market", TableInput=changed(number))
    lake.glue.delete_table_version(**TABLE, VersionId="0")
    assert code(lake.glue.delete_table_version, **TABLE, VersionId="0") == "EntityNotFoundException"
    assert code(lake.glue.delete_table_version, **TABLE, VersionId="2") == "InvalidInputException"
    errors = lake.glue.batch_delete_table_version(**TABLE, VersionIds=["0", "1", "2"])["Errors"]
    assert [(error["VersionId"], error["ErrorDetail"]["ErrorCode"]) for error in errors] == [
        ("0", "EntityNotFoundException"),
        ("2", "InvalidInputException"),
    ]
    assert versions(lake) == ["2"]


def test_an_update_keeps_the_partitions(lake: Lake) -> None:
    lake.glue.create_partition(**TABLE, PartitionInput={"Values": ["2026-11-23", "9"]})
    lake.glue.update_table(DatabaseName="market", TableInput=changed(1))
    assert lake.partitions() == [["2026-11-23", "9"]]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("quotes", ["quotes"]),
        ("q*", ["quotes"]),
        (".*o.*", ["closes", "quotes"]),
        ("s", []),
        ("", ["closes", "daily", "quotes"]),
    ],
)
def test_tables_are_listed_by_pattern_and_page(lake: Lake, expression: str, found: list[str]) -> None:
    pages = lake.glue.get_paginator("get_tables").paginate(
        DatabaseName="market", Expression=expression, PaginationConfig={"PageSize": 1}
    )
    assert [table["Name"] for page in pages for table in page["TableList"]] == found


def test_a_list_gives_the_names_and_types_alone_if_no_more_is_wanted(lake: Lake) -> None:
    tables = lake.glue.get_tables(DatabaseName="market", AttributesToGet=["NAME", "TABLE_TYPE"])["TableList"]
    assert [(table["Name"], table["TableType"]) for table in tables] == [
        ("closes", "VIRTUAL_VIEW"),
        ("daily", "EXTERNAL_TABLE"),
        ("quotes", "EXTERNAL_TABLE"),
    ]
    assert not any("StorageDescriptor" in table for table in tables)
    names = lake.glue.get_tables(DatabaseName="market", AttributesToGet=["NAME"])["TableList"]
    assert not any("TableType" in table for table in names)


def test_databases_are_listed_in_pages(lake: Lake) -> None:
    lake.glue.create_database(DatabaseInput={"Name": "archive"})
    pages = list(lake.glue.get_paginator("get_databases").paginate(PaginationConfig={"PageSize": 1}))
    assert [[one["Name"] for one in page["DatabaseList"]] for page in pages] == [["archive"], ["market"]]


def test_what_is_not_acted_on_is_refused_with_its_name(lake: Lake) -> None:
    fresh: Any = {"DatabaseName": "market", "TableInput": QUOTES | {"Name": "fresh"}}
    iceberg: Any = {"IcebergInput": {"MetadataOperation": "CREATE"}}
    with pytest.raises(ClientError, match="does not serve CreateTable with OpenTableFormatInput"):
        lake.glue.create_table(**fresh, OpenTableFormatInput=iceberg)
    with pytest.raises(ClientError, match="does not serve CreateTable with PartitionIndexes"):
        lake.glue.create_table(**fresh, PartitionIndexes=[{"Keys": ["dt"], "IndexName": "by_dt"}])
    assert code(lake.glue.get_table, DatabaseName="market", Name="fresh") == "EntityNotFoundException"


def test_names_are_kept_in_lower_case_and_found_in_any(lake: Lake) -> None:
    lake.glue.create_database(DatabaseInput={"Name": "Archive"})
    lake.glue.create_table(DatabaseName="ARCHIVE", TableInput=QUOTES | {"Name": "Old_Quotes"})
    table = lake.glue.get_table(DatabaseName="Archive", Name="OLD_quotes")["Table"]
    assert (table["DatabaseName"], table["Name"]) == ("archive", "old_quotes")
    lake.glue.create_partition(
        DatabaseName="Archive", TableName="Old_Quotes", PartitionInput={"Values": ["2026-11-23", "9"]}
    )
    assert lake.glue.get_partitions(DatabaseName="archive", TableName="old_quotes")["Partitions"]
    assert lake.glue.batch_delete_table(DatabaseName="Archive", TablesToDelete=["Old_Quotes"]).get("Errors", []) == []
    lake.glue.delete_database(Name="ARCHIVE")
    assert [one["Name"] for one in lake.glue.get_databases()["DatabaseList"]] == ["market"]
