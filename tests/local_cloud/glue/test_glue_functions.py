"""User-defined functions are records of their database, listed by pattern."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.local_cloud.catalog_tables import catalog
from tests.support.local_cloud.glue_lake import Lake

WIDEN: Any = {
    "FunctionName": "trino__widen__1",
    "ClassName": "TrinoFunction",
    "OwnerName": "analyst",
    "OwnerType": "USER",
    "ResourceUris": [{"ResourceType": "FILE", "Uri": "0"}],
}


@pytest.fixture
def lake() -> Iterator[Lake]:
    with catalog() as built:
        yield built


def names(lake: Lake, pattern: str = ".*", **arguments: Any) -> list[str]:
    pages = lake.glue.get_paginator("get_user_defined_functions").paginate(Pattern=pattern, **arguments)
    return [function["FunctionName"] for page in pages for function in page["UserDefinedFunctions"]]


def code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_a_database_has_no_functions_until_one_is_created(lake: Lake) -> None:
    assert names(lake, DatabaseName="market") == []
    lake.glue.create_user_defined_function(DatabaseName="market", FunctionInput=WIDEN)
    assert names(lake, DatabaseName="market") == ["trino__widen__1"]
    found = lake.glue.get_user_defined_function(DatabaseName="market", FunctionName="trino__widen__1")
    function = found["UserDefinedFunction"]
    assert function.pop("CreateTime")
    assert function == WIDEN | {"DatabaseName": "market", "CatalogId": "123456789012"}


def test_functions_are_found_by_pattern_database_and_page(lake: Lake) -> None:
    lake.glue.create_database(DatabaseInput={"Name": "archive"})
    for database, name in (("market", "trino__a__1"), ("market", "trino__b__1"), ("archive", "trino__a__1")):
        lake.glue.create_user_defined_function(DatabaseName=database, FunctionInput=WIDEN | {"FunctionName": name})
    assert names(lake, "trino__a__.*", DatabaseName="market") == ["trino__a__1"]
    assert names(lake, "trino__.*", PaginationConfig={"PageSize": 1}) == ["trino__a__1", "trino__a__1", "trino__b__1"]
    assert names(lake, r"trino__\Qa\E__.*", DatabaseName="market") == ["trino__a__1"]
    assert names(lake, r"trino__\Q.*\E__.*", DatabaseName="market") == []
    assert names(lake, "trino__a") == []
    lake.glue.delete_database(Name="archive")
    assert names(lake) == ["trino__a__1", "trino__b__1"]


def test_a_function_is_updated_and_deleted(lake: Lake) -> None:
    lake.glue.create_user_defined_function(DatabaseName="market", FunctionInput=WIDEN)
    which: Any = {"DatabaseName": "market", "FunctionName": "trino__widen__1"}
    lake.glue.update_user_defined_function(**which, FunctionInput=WIDEN | {"OwnerName": "ops"})
    assert lake.glue.get_user_defined_function(**which)["UserDefinedFunction"]["OwnerName"] == "ops"
    lake.glue.delete_user_defined_function(**which)
    assert code(lake.glue.get_user_defined_function, **which) == "EntityNotFoundException"
    assert code(lake.glue.delete_user_defined_function, **which) == "EntityNotFoundException"


def test_a_function_that_cannot_be_created_is_refused(lake: Lake) -> None:
    create = lake.glue.create_user_defined_function
    create(DatabaseName="market", FunctionInput=WIDEN)
    assert code(create, DatabaseName="market", FunctionInput=WIDEN) == "AlreadyExistsException"
    assert code(create, DatabaseName="absent", FunctionInput=WIDEN) == "EntityNotFoundException"
    assert code(create, DatabaseName="market", FunctionInput={"ClassName": "x"}) == "InvalidInputException"
    assert code(lake.glue.get_user_defined_functions, DatabaseName="absent", Pattern=".*") == "EntityNotFoundException"
