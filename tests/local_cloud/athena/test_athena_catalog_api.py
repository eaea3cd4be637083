"""Athena's calls about the catalog tell what Glue has, with AWS's names, pages and errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.athena.responses import AthenaResponse
from tests.support.local_cloud.catalog_tables import (
    ICEBERG,
    JSON_SERDE,
    LOCATION,
    QUOTES,
    TEXT_INPUT,
    TEXT_OUTPUT,
    VIEW,
    catalog,
)
from tests.support.local_cloud.glue_lake import Lake

from local_cloud.athena import catalog_api, requests
from local_cloud.athena.catalog_api import plain_name

CATALOG = "AwsDataCatalog"


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for name, handler in requests.handlers(catalog_api).items():
        monkeypatch.setattr(AthenaResponse, name, handler, raising=False)
    with catalog(QUOTES, ICEBERG, VIEW) as built:
        yield built


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    """The code and the text with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def names(lake: Lake, **arguments: Any) -> list[str]:
    pages = lake.athena.get_paginator("list_table_metadata").paginate(
        CatalogName=CATALOG, DatabaseName="market", **arguments
    )
    return [table["Name"] for page in pages for table in page["TableMetadataList"]]


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("quotes", "quotes"),
        ("`Stock_Market`", "stock_market"),
        ('"Quotes"', "quotes"),
        ("`quotes", "`quotes"),
        ("``quotes``", "`quotes`"),
        ("``", "``"),
        ("", ""),
    ],
)
def test_one_pair_of_backticks_or_quotes_is_not_part_of_a_name(given: str, plain: str) -> None:
    assert plain_name(given) == plain


def test_the_only_data_catalog_is_glues(lake: Lake) -> None:
    listed = lake.athena.list_data_catalogs()["DataCatalogsSummary"]
    assert listed == [{"CatalogName": CATALOG, "Type": "GLUE", "Status": "CREATE_COMPLETE"}]
    found = lake.athena.get_data_catalog(Name="awsdatacatalog")["DataCatalog"]
    assert (found["Name"], found["Type"], found["Parameters"]) == (CATALOG, "GLUE", {"catalog-id": "123456789012"})


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("get_data_catalog", {"Name": "hive"}),
        ("list_databases", {"CatalogName": "hive"}),
        ("get_table_metadata", {"CatalogName": "hive", "DatabaseName": "market", "TableName": "quotes"}),
    ],
)
def test_a_catalog_that_does_not_exist_is_an_error(lake: Lake, call: str, arguments: Any) -> None:
    code, message = refusal(getattr(lake.athena, call), **arguments)
    assert (code, message) == ("InvalidRequestException", "DataCatalog hive was not found")


def test_a_database_is_returned_with_its_description(lake: Lake) -> None:
    found = lake.athena.get_database(CatalogName=CATALOG, DatabaseName="`market`")["Database"]
    assert found == {"Name": "market", "Description": "Quotes"}
    lake.glue.create_database(DatabaseInput={"Name": "archive", "Parameters": {"owner": "ops"}})
    listed = lake.athena.list_databases(CatalogName=CATALOG)["DatabaseList"]
    assert listed == [{"Name": "archive", "Parameters": {"owner": "ops"}}, found]


def test_databases_come_in_pages(lake: Lake) -> None:
    for number in range(5):
        lake.glue.create_database(DatabaseInput={"Name": f"d{number}"})
    pages = list(
        lake.athena.get_paginator("list_databases").paginate(CatalogName=CATALOG, PaginationConfig={"PageSize": 4})
    )
    assert [[one["Name"] for one in page["DatabaseList"]] for page in pages] == [
        ["d0", "d1", "d2", "d3"],
        ["d4", "market"],
    ]


def test_a_database_created_between_two_pages_hides_none(lake: Lake) -> None:
    lake.glue.create_database(DatabaseInput={"Name": "b"})
    first = lake.athena.list_databases(CatalogName=CATALOG, MaxResults=1)
    lake.glue.create_database(DatabaseInput={"Name": "a"})
    second = lake.athena.list_databases(CatalogName=CATALOG, NextToken=first["NextToken"])
    assert [one["Name"] for one in (*first["DatabaseList"], *second["DatabaseList"])] == ["b", "market"]


@pytest.mark.parametrize(
    ("call", "arguments", "text"),
    [
        (
            "list_databases",
            {"MaxResults": 51},
            "'maxResults' failed to satisfy constraint: Member must have value less",
        ),
        ("list_databases", {"NextToken": "@"}, "Invalid pagination token: @"),
        ("list_databases", {"NextToken": "MQ=="}, "Invalid pagination token: MQ=="),
        (
            "list_table_metadata",
            {"DatabaseName": "market", "MaxResults": 51},
            "1 validation error detected: Value '51'",
        ),
        ("list_table_metadata", {"DatabaseName": "m" * 129}, "Member must have length less than or equal to 128"),
        ("get_database", {"DatabaseName": "market", "WorkGroup": "absent"}, "WorkGroup absent is not found."),
    ],
)
def test_a_request_beyond_the_limits_is_refused(lake: Lake, call: str, arguments: Any, text: str) -> None:
    code, message = refusal(getattr(lake.athena, call), CatalogName=CATALOG, **arguments)
    assert code == "InvalidRequestException"
    assert text in message


def test_a_table_is_returned_with_columns_keys_and_storage(lake: Lake) -> None:
    found = lake.athena.get_table_metadata(CatalogName=CATALOG, DatabaseName="`market`", TableName="QUOTES")
    table = found["TableMetadata"]
    created = lake.glue.get_table(DatabaseName="market", Name="quotes")["Table"]["CreateTime"]
    assert abs((table.pop("CreateTime") - created).total_seconds()) < 1
    assert table.pop("LastAccessTime").timestamp() == 0
    assert table == {
        "Name": "quotes",
        "TableType": "EXTERNAL_TABLE",
        "Columns": [
            {"Name": "symbol", "Type": "string", "Comment": "index or ticker"},
            {"Name": "close", "Type": "double"},
        ],
        "PartitionKeys": [{"Name": "dt", "Type": "string"}, {"Name": "hour", "Type": "int", "Comment": "UTC"}],
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "json",
            "inputformat": TEXT_INPUT,
            "location": LOCATION,
            "outputformat": TEXT_OUTPUT,
            "serde.param.paths": "close,symbol",
            "serde.serialization.lib": JSON_SERDE,
        },
    }


def test_an_iceberg_table_and_a_view_are_returned_with_their_types(lake: Lake) -> None:
    found = {
        name: lake.athena.get_table_metadata(CatalogName=CATALOG, DatabaseName="market", TableName=name)[
            "TableMetadata"
        ]
        for name in ("daily", "closes")
    }
    assert found["daily"]["Parameters"] == {
        "table_type": "ICEBERG",
        "metadata_location": "s3://stock-market-data/daily/metadata/0.json",
        "location": "s3://stock-market-data/daily",
    }
    assert found["closes"]["TableType"] == "VIRTUAL_VIEW"
    assert found["closes"]["Columns"] == [{"Name": "close", "Type": "double"}]
    assert found["closes"]["Parameters"]["presto_view"] == "true"


def test_what_glue_does_not_have_is_an_error_that_quotes_glue(lake: Lake) -> None:
    code, message = refusal(
        lake.athena.get_table_metadata, CatalogName=CATALOG, DatabaseName="market", TableName="absent"
    )
    assert code == "MetadataException"
    assert message.startswith("Entity Not Found (Service: AmazonDataCatalog; Status Code: 400; ")
    assert "Error Code: EntityNotFoundException; Request ID: " in message
    for call in ("get_database", "list_table_metadata"):
        code, message = refusal(getattr(lake.athena, call), CatalogName=CATALOG, DatabaseName="absent")
        assert (code, message.partition(" (")[0]) == ("MetadataException", "Database absent not found.")


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("quotes", ["quotes"]),
        ("quo", []),
        ("quo*", ["quotes"]),
        (".*s", ["closes", "quotes"]),
        ("QUOTES|daily", ["daily", "quotes"]),
        ("[cd].*", ["closes", "daily"]),
        ("", ["closes", "daily", "quotes"]),
    ],
)
def test_tables_are_filtered_by_their_whole_name(lake: Lake, expression: str, found: list[str]) -> None:
    assert names(lake, Expression=expression) == found
    assert names(lake, Expression=expression, PaginationConfig={"PageSize": 1}) == found


def test_a_pattern_that_is_none_is_refused(lake: Lake) -> None:
    code, message = refusal(
        lake.athena.list_table_metadata, CatalogName=CATALOG, DatabaseName="market", Expression="quotes("
    )
    assert code == "MetadataException"
    assert "Error Code: InvalidInputException" in message


def test_a_list_gives_the_attributes_that_are_asked_for(lake: Lake) -> None:
    athena: Any = lake.athena  # the stubs do not know AttributesToGet yet
    asked = {"CatalogName": CATALOG, "DatabaseName": "market", "Expression": "closes"}
    assert athena.list_table_metadata(**asked, AttributesToGet=["NAME", "TABLE_TYPE"])["TableMetadataList"] == [
        {"Name": "closes", "TableType": "VIRTUAL_VIEW"}
    ]
    assert athena.list_databases(CatalogName=CATALOG, AttributesToGet=["NAME"])["DatabaseList"] == [{"Name": "market"}]
