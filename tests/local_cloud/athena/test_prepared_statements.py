"""Prepared statements are kept by name in their workgroup, for the API and for EXECUTE alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.athena.models import AthenaBackend, athena_backends
from moto.athena.responses import AthenaResponse
from tests.support.local_cloud.glue_lake import REGION, Lake

from local_cloud.athena import prepared_statements, requests, workgroups
from local_cloud.athena.prepared_statements import StatementNotFoundError

SQL = "SELECT * FROM quotes WHERE symbol = ?"
NAMED: Any = {"StatementName": "by_symbol", "WorkGroup": "market"}


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for name, handler in requests.handlers(prepared_statements).items():
        monkeypatch.setattr(AthenaResponse, name, handler, raising=False)
    with mock_aws():
        built = Lake()
        for workgroup in ("market", "other"):
            built.athena.create_work_group(Name=workgroup)
        yield built


def backend() -> AthenaBackend:
    return athena_backends["123456789012"][REGION]


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def text(lake: Lake, workgroup: str = "market") -> str:
    found = lake.athena.get_prepared_statement(StatementName="by_symbol", WorkGroup=workgroup)
    return str(found["PreparedStatement"]["QueryStatement"])


def test_a_statement_is_given_back_as_it_was_prepared(lake: Lake) -> None:
    lake.athena.create_prepared_statement(**NAMED, QueryStatement=SQL, Description="Quotes of a symbol")
    found: Any = lake.athena.get_prepared_statement(**NAMED)["PreparedStatement"]
    assert datetime.now(UTC) - found.pop("LastModifiedTime") < timedelta(minutes=1)
    assert found == {
        "StatementName": "by_symbol",
        "WorkGroupName": "market",
        "QueryStatement": SQL,
        "Description": "Quotes of a symbol",
    }


def test_a_name_is_unique_in_its_workgroup_only(lake: Lake) -> None:
    lake.athena.create_prepared_statement(**NAMED, QueryStatement=SQL)
    code, message = refusal(lake.athena.create_prepared_statement, **NAMED, QueryStatement="SELECT ?")
    assert (code, message) == (
        "InvalidRequestException",
        "PreparedStatement by_symbol already exists in workGroup market",
    )
    lake.athena.create_prepared_statement(StatementName="by_symbol", WorkGroup="other", QueryStatement="SELECT ?")
    assert (text(lake), text(lake, "other")) == (SQL, "SELECT ?")


def test_a_missing_statement_is_refused_with_awss_error_name(lake: Lake) -> None:
    expected = ("ResourceNotFoundException", "PreparedStatement by_symbol was not found in workGroup market")
    assert refusal(lake.athena.get_prepared_statement, **NAMED) == expected
    assert refusal(lake.athena.delete_prepared_statement, **NAMED) == expected
    assert refusal(lake.athena.update_prepared_statement, **NAMED, QueryStatement=SQL) == expected
    with pytest.raises(lake.athena.exceptions.ResourceNotFoundException):
        lake.athena.get_prepared_statement(**NAMED)


def test_an_update_changes_the_text_and_keeps_the_description(lake: Lake) -> None:
    lake.athena.create_prepared_statement(**NAMED, QueryStatement=SQL, Description="Quotes")
    lake.athena.update_prepared_statement(**NAMED, QueryStatement="SELECT ?")
    found = lake.athena.get_prepared_statement(**NAMED)["PreparedStatement"]
    assert (found["QueryStatement"], found["Description"]) == ("SELECT ?", "Quotes")


def test_statements_are_listed_by_name_in_pages(lake: Lake) -> None:
    for name in ("s3", "s1", "s2"):
        lake.athena.create_prepared_statement(StatementName=name, WorkGroup="market", QueryStatement=SQL)
    lake.athena.create_prepared_statement(StatementName="s4", WorkGroup="other", QueryStatement=SQL)
    first = lake.athena.list_prepared_statements(WorkGroup="market", MaxResults=2)
    second = lake.athena.list_prepared_statements(WorkGroup="market", NextToken=first["NextToken"])
    names = [one["StatementName"] for one in (*first["PreparedStatements"], *second["PreparedStatements"])]
    assert names == ["s1", "s2", "s3"]
    assert "NextToken" not in second
    assert "QueryStatement" not in first["PreparedStatements"][0]


def test_a_batch_reports_unknown_names(lake: Lake) -> None:
    lake.athena.create_prepared_statement(**NAMED, QueryStatement=SQL)
    answer = lake.athena.batch_get_prepared_statement(
        WorkGroup="market", PreparedStatementNames=["by_symbol", "absent"]
    )
    assert [one["QueryStatement"] for one in answer["PreparedStatements"]] == [SQL]
    assert [one["StatementName"] for one in answer["UnprocessedPreparedStatementNames"]] == ["absent"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"StatementName": "1st"}, "'statementName' failed to satisfy constraint: Member must satisfy regular"),
        ({"StatementName": "by-symbol"}, "regular expression pattern: [a-zA-Z_][a-zA-Z0-9_@:]{1,256}"),
        ({"StatementName": "s" * 257}, "Member must have length less than or equal to 256"),
        ({"Description": "d" * 1025}, "less than or equal to 1024"),
        ({"QueryStatement": "q" * 262_145}, "less than or equal to 262144"),
        ({"WorkGroup": "absent"}, "WorkGroup absent is not found."),
    ],
)
def test_a_statement_beyond_the_limits_is_refused(lake: Lake, arguments: Any, message: str) -> None:
    given = {**NAMED, "QueryStatement": SQL, **arguments}
    code, said = refusal(lake.athena.create_prepared_statement, **given)
    assert code == "InvalidRequestException"
    assert message in said
    assert lake.athena.list_prepared_statements(WorkGroup="market")["PreparedStatements"] == []


def test_the_statements_of_sql_and_of_the_api_are_the_same(lake: Lake) -> None:
    prepared_statements.save(backend(), "market", "by_symbol", SQL)
    assert text(lake) == SQL
    prepared_statements.save(backend(), "market", "by_symbol", "SELECT ?")
    assert prepared_statements.find(backend(), "market", "by_symbol").query == text(lake) == "SELECT ?"
    prepared_statements.remove(backend(), "market", "by_symbol")
    assert refusal(lake.athena.get_prepared_statement, **NAMED)[0] == "ResourceNotFoundException"
    for call in (prepared_statements.find, prepared_statements.remove):
        with pytest.raises(StatementNotFoundError, match="by_symbol was not found in workGroup market"):
            call(backend(), "market", "by_symbol")


def test_statements_go_with_their_workgroup(lake: Lake) -> None:
    for workgroup in ("market", "other"):
        prepared_statements.save(backend(), workgroup, "by_symbol", SQL)
    workgroups.delete(backend(), "market", recursive=False, executions=[])
    lake.athena.create_work_group(Name="market")
    assert lake.athena.list_prepared_statements(WorkGroup="market")["PreparedStatements"] == []
    assert text(lake, "other") == SQL
