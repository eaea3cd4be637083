"""Named queries are kept in their workgroup, under an id, until they are deleted or the workgroup is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.athena.models import athena_backends
from moto.athena.responses import AthenaResponse
from tests.support.local_cloud.glue_lake import REGION, Lake

from local_cloud.athena import named_queries, requests, workgroups

QUERY: Any = {"Name": "newest", "Database": "market", "QueryString": "SELECT max(event_time) FROM quotes"}


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for name, handler in requests.handlers(named_queries).items():
        monkeypatch.setattr(AthenaResponse, name, handler, raising=False)
    with mock_aws():
        built = Lake()
        built.athena.create_work_group(Name="market")
        yield built


def create(lake: Lake, **arguments: Any) -> str:
    return str(lake.athena.create_named_query(**{**QUERY, "WorkGroup": "market", **arguments})["NamedQueryId"])


def listed(lake: Lake, **arguments: Any) -> list[str]:
    pages = lake.athena.get_paginator("list_named_queries").paginate(**arguments)
    return [query for page in pages for query in page["NamedQueryIds"]]


def refusal(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == "InvalidRequestException"
    return str(error["Message"])


def test_a_query_is_given_back_as_it_was_saved(lake: Lake) -> None:
    query = create(lake, Description="The newest record")
    assert str(uuid.UUID(query)) == query
    assert lake.athena.get_named_query(NamedQueryId=query)["NamedQuery"] == {
        **QUERY,
        "Description": "The newest record",
        "NamedQueryId": query,
        "WorkGroup": "market",
    }


def test_a_query_belongs_to_the_primary_workgroup_unless_another_is_named(lake: Lake) -> None:
    mine = create(lake)
    primary = lake.athena.create_named_query(**QUERY)["NamedQueryId"]
    assert listed(lake) == [primary]
    assert listed(lake, WorkGroup="market") == [mine]
    assert "Description" not in lake.athena.get_named_query(NamedQueryId=primary)["NamedQuery"]


def test_queries_are_listed_in_pages_while_others_are_deleted(lake: Lake) -> None:
    queries = [create(lake, Name=f"q{number}") for number in range(5)]
    assert listed(lake, WorkGroup="market", PaginationConfig={"PageSize": 2}) == queries
    first = lake.athena.list_named_queries(WorkGroup="market", MaxResults=2)
    lake.athena.delete_named_query(NamedQueryId=queries[1])
    second = lake.athena.list_named_queries(WorkGroup="market", NextToken=first["NextToken"])
    assert first["NamedQueryIds"] + second["NamedQueryIds"] == queries


def test_the_same_token_creates_one_query(lake: Lake) -> None:
    token = "t" * 32
    query = create(lake, ClientRequestToken=token)
    assert create(lake, ClientRequestToken=token) == query
    message = refusal(create, lake=lake, ClientRequestToken=token, Name="other")
    assert message == "Idempotent parameters do not match"
    assert listed(lake, WorkGroup="market") == [query]


def test_an_update_changes_name_statement_and_description(lake: Lake) -> None:
    query = create(lake, Description="old")
    lake.athena.update_named_query(NamedQueryId=query, Name="oldest", QueryString="SELECT 1")
    found = lake.athena.get_named_query(NamedQueryId=query)["NamedQuery"]
    assert (found["Name"], found["QueryString"], found["Description"]) == ("oldest", "SELECT 1", "old")
    lake.athena.update_named_query(NamedQueryId=query, Name="oldest", QueryString="SELECT 1", Description="")
    assert "Description" not in lake.athena.get_named_query(NamedQueryId=query)["NamedQuery"]


def test_a_batch_reports_unknown_ids(lake: Lake) -> None:
    query = create(lake)
    answer = lake.athena.batch_get_named_query(NamedQueryIds=[query, "absent"])
    assert [one["NamedQueryId"] for one in answer["NamedQueries"]] == [query]
    (unprocessed,) = answer["UnprocessedNamedQueryIds"]
    assert (unprocessed["NamedQueryId"], unprocessed["ErrorMessage"]) == ("absent", "NamedQuery absent was not found")


def test_a_deleted_query_is_gone(lake: Lake) -> None:
    query = create(lake)
    lake.athena.delete_named_query(NamedQueryId=query)
    for call in (lake.athena.get_named_query, lake.athena.delete_named_query):
        assert refusal(call, NamedQueryId=query) == f"NamedQuery {query} was not found"
    message = refusal(lake.athena.update_named_query, NamedQueryId=query, Name="a", QueryString="SELECT 1")
    assert message == f"NamedQuery {query} was not found"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"WorkGroup": "absent"}, "WorkGroup absent is not found."),
        ({"WorkGroup": "a b"}, "'workGroup' failed to satisfy constraint: Member must satisfy regular expression"),
        ({"Name": "n" * 129}, "'name' failed to satisfy constraint: Member must have length less than or equal to 128"),
        ({"Database": "d" * 256}, "less than or equal to 255"),
        ({"Description": "d" * 1025}, "less than or equal to 1024"),
        ({"QueryString": "q" * 262_145}, "less than or equal to 262144"),
        ({"ClientRequestToken": "t" * 129}, "less than or equal to 128"),
    ],
)
def test_a_query_beyond_the_limits_is_refused(lake: Lake, arguments: Any, text: str) -> None:
    assert text in refusal(create, lake=lake, **arguments)
    assert listed(lake, WorkGroup="market") == []


def test_queries_go_with_their_workgroup(lake: Lake) -> None:
    query, kept = create(lake), lake.athena.create_named_query(**QUERY)["NamedQueryId"]
    backend = athena_backends["123456789012"][REGION]
    workgroups.delete(backend, "market", recursive=True, executions=[])
    assert refusal(lake.athena.get_named_query, NamedQueryId=query)
    assert lake.athena.get_named_query(NamedQueryId=kept)["NamedQuery"]["WorkGroup"] == "primary"
