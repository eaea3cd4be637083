"""A query's life and a workgroup's rules: states, results in S3, pages, limits and refusals as Athena has them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.athena.models import athena_backends
from tests.support.engine import engine
from tests.support.local_cloud.glue_lake import DATA, RESULTS, Lake, quote

from local_cloud.athena import api as athena
from local_cloud.athena.executions import Executor
from local_cloud.athena.runner import Runner
from local_cloud.glue import api as glue_api
from local_cloud.glue import crawler as glue_crawler
from local_cloud.trino.client import UnavailableError

# Hours of work, in next to no memory.
ENDLESS = (
    "SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS a(x), UNNEST(sequence(1, 10000)) AS b(y), "
    "UNNEST(sequence(1, 10000)) AS c(z) WHERE (x + z) % 7 = y"
)


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    glue_crawler.install()
    glue_api.install()
    installed = athena.install(engine())
    yield installed
    installed.close()


@pytest.fixture
def lake(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    assert executor is not None
    monkeypatch.setattr(glue_crawler, "STOPPING_SECONDS", 0.02)
    with mock_aws():
        built = Lake()
        built.build()
        yield built


def refusal(call: Any, **request: Any) -> str:
    """The message with which a call is refused as invalid."""
    with pytest.raises(ClientError) as refused:
        call(**request)
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidRequestException"
    return str(error["Message"])


def wait_for_state(lake: Lake, query_id: str, state: str) -> None:
    deadline = time.monotonic() + 60
    while lake.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"] != state:
        assert time.monotonic() < deadline, f"never {state}"
        time.sleep(0.005)


def stored(lake: Lake, url: str) -> bytes:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return lake.s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_the_result_is_in_the_output_location_every_value_quoted_and_null_empty(lake: Lake) -> None:
    execution = lake.run("SELECT 1 AS a, NULL AS b, '' AS c, 'x\"y,z\nw' AS d")
    url = execution["ResultConfiguration"]["OutputLocation"]
    assert url == f"s3://{RESULTS}/results/{execution['QueryExecutionId']}.csv"
    assert stored(lake, url) == b'"a","b","c","d"\n"1",,"","x""y,z\nw"\n'
    assert stored(lake, f"{url}.metadata")


def test_statements_about_the_catalog_leave_plain_text(lake: Lake) -> None:
    execution = lake.run("SHOW DATABASES")
    url = execution["ResultConfiguration"]["OutputLocation"]
    assert url.endswith(".txt")
    assert stored(lake, url) == b"market\n"
    assert (execution["StatementType"], execution["SubstatementType"]) == ("UTILITY", "SHOW_DATABASES")


def test_pages_of_a_result_hold_every_row_once_and_the_header_first(lake: Lake) -> None:
    query_id = lake.start("SELECT n FROM UNNEST(sequence(1, 2500)) AS t(n)")
    lake.wait(query_id)
    pages = list(lake.athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id))
    values = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    assert values == ["n", *map(str, range(1, 2501))]
    small = lake.athena.get_query_results(QueryExecutionId=query_id, MaxResults=2)
    assert [row["Data"][0]["VarCharValue"] for row in small["ResultSet"]["Rows"]] == ["n", "1"]
    token = {"QueryExecutionId": query_id, "NextToken": "no token of ours"}
    assert "Invalid pagination token" in refusal(lake.athena.get_query_results, **token)


def test_a_running_query_is_cancelled_and_has_no_result(lake: Lake) -> None:
    query_id = lake.start(ENDLESS)
    wait_for_state(lake, query_id, "RUNNING")
    assert "not yet finished" in refusal(lake.athena.get_query_results, QueryExecutionId=query_id)
    lake.athena.stop_query_execution(QueryExecutionId=query_id)
    execution = lake.wait(query_id)
    assert execution["Status"]["State"] == "CANCELLED"
    assert "Final query state: CANCELLED" in refusal(lake.athena.get_query_results, QueryExecutionId=query_id)
    assert lake.s3.list_objects_v2(Bucket=RESULTS)["KeyCount"] == 0


@contextmanager
def limited(**limits: Any) -> Iterator[Lake]:
    """Athena with other limits, and a lake of its own."""
    limited_one = athena.install(engine(), **limits)
    try:
        with mock_aws():
            lake = Lake()
            lake.build()
            yield lake
    finally:
        limited_one.close()
        athena.install(engine())


def test_a_query_can_be_cancelled_while_it_is_queued() -> None:
    with limited(concurrent_queries=1) as lake:
        running = lake.start(ENDLESS)
        wait_for_state(lake, running, "RUNNING")
        given_up, patient = lake.start("SELECT 1"), lake.start("SELECT 2")
        wait_for_state(lake, given_up, "QUEUED")
        lake.athena.stop_query_execution(QueryExecutionId=given_up)
        assert lake.wait(given_up)["Status"]["State"] == "CANCELLED"
        lake.athena.stop_query_execution(QueryExecutionId=running)
        assert lake.wait(running)["Status"]["State"] == "CANCELLED"
        assert lake.wait(patient)["Status"]["State"] == "SUCCEEDED"


def test_a_query_that_takes_too_long_fails_with_a_timeout() -> None:
    with limited(timeout_seconds=0.2) as lake:
        assert lake.reason(ENDLESS).startswith("Query timeout")


def test_closing_ends_what_runs_in_trino_too() -> None:
    executor = athena.install(engine())
    with mock_aws():
        lake = Lake()
        lake.build()
        query_id = lake.start(ENDLESS)
        wait_for_state(lake, query_id, "RUNNING")
        executor.close()
        assert lake.wait(query_id)["Status"]["State"] == "CANCELLED"
        athena.install(engine())
        assert lake.rows("SELECT 1") == [["1"]]


def test_statistics_tell_what_a_query_took(lake: Lake) -> None:
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    statistics = lake.run("SELECT count(*) FROM quotes")["Statistics"]
    size = lake.s3.list_objects_v2(Bucket=DATA)["Contents"][0]["Size"]
    assert statistics["DataScannedInBytes"] == size
    assert 0 <= statistics["EngineExecutionTimeInMillis"] <= statistics["TotalExecutionTimeInMillis"]


def test_one_damaged_object_fails_the_queries_that_read_it_and_no_other(lake: Lake) -> None:
    lake.put_quotes(9, [quote(0)])
    lake.put_quotes(10, [quote(1)])
    lake.crawl()
    lake.put("quotes/dt=2026-11-23/hour=10/broken.json", b'{"symbol":"NYA"}\n{"symbol":')
    reason = lake.reason("SELECT sum(volume) FROM quotes")
    assert reason.startswith("HIVE_CURSOR_ERROR")
    assert f"s3://{DATA}/quotes/dt=2026-11-23/hour=10/broken.json" in reason
    assert lake.rows("SELECT sum(volume) FROM quotes WHERE hour = '09'") == [["7"]]
    lake.s3.delete_object(Bucket=DATA, Key="quotes/dt=2026-11-23/hour=10/broken.json")
    lake.put("quotes/dt=2026-11-23/hour=10/broken.json.gz", b"\x1f\x8bno gzip at all")
    assert "hour=10/broken.json.gz" in lake.reason("SELECT sum(volume) FROM quotes")
    lake.s3.delete_object(Bucket=DATA, Key="quotes/dt=2026-11-23/hour=10/broken.json.gz")
    # A value that is no number is NULL in OpenX's SerDe.
    lake.put("quotes/dt=2026-11-23/hour=10/broken.json", b'{"symbol":"NYA","volume":"many"}\n')
    assert lake.rows("SELECT sum(volume), count(*), count(volume) FROM quotes") == [["14", "3", "2"]]
    lake.s3.delete_object(Bucket=DATA, Key="quotes/dt=2026-11-23/hour=10/broken.json")
    assert lake.rows("SELECT count(*) FROM quotes") == [["2"]]


def test_a_partition_of_other_types_than_the_tables_fails_as_in_athena(lake: Lake) -> None:
    lake.put("quotes/dt=a/x.json", b'{"price":1}\n')
    lake.put("quotes/dt=b/x.json", b'{"price":1.5}\n')
    lake.crawl()
    assert lake.rows("SELECT sum(price) FROM quotes") == [["2.5"]]
    table = lake.glue.get_table(DatabaseName="market", Name="quotes")["Table"]
    storage: Any = {**table["StorageDescriptor"], "Columns": [{"Name": "price", "Type": "bigint"}]}
    keys: Any = table["PartitionKeys"]
    lake.glue.update_table(
        DatabaseName="market", TableInput={"Name": "quotes", "StorageDescriptor": storage, "PartitionKeys": keys}
    )
    assert lake.reason("SELECT sum(price) FROM quotes").startswith("HIVE_PARTITION_SCHEMA_MISMATCH")


def test_the_workgroups_location_wins_only_if_it_enforces_it(lake: Lake) -> None:
    elsewhere = {"OutputLocation": f"s3://{RESULTS}/mine"}
    enforced = lake.run("SELECT 1", ResultConfiguration=elsewhere)
    assert "/results/" in enforced["ResultConfiguration"]["OutputLocation"]
    lake.athena.update_work_group(WorkGroup="market", ConfigurationUpdates={"EnforceWorkGroupConfiguration": False})
    own = lake.run("SELECT 1", ResultConfiguration=elsewhere)
    assert own["ResultConfiguration"]["OutputLocation"] == f"s3://{RESULTS}/mine/{own['QueryExecutionId']}.csv"


def test_a_query_is_refused_at_the_start_where_it_could_not_end(lake: Lake) -> None:
    assert refusal(lake.start, sql="SELECT 1", WorkGroup="nosuch") == "WorkGroup nosuch is not found."
    assert "No output location provided" in refusal(lake.start, sql="SELECT 1", WorkGroup="primary")
    missing = {"OutputLocation": "s3://nosuch-bucket/x/"}
    message = refusal(lake.start, sql="SELECT 1", WorkGroup="primary", ResultConfiguration=missing)
    assert message == "Unable to verify/create output bucket nosuch-bucket"
    lake.athena.update_work_group(WorkGroup="market", State="DISABLED")
    assert refusal(lake.start, sql="SELECT 1") == "WorkGroup market is disabled."


def test_a_query_that_would_read_more_than_the_workgroup_allows_is_cancelled(lake: Lake) -> None:
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    # boto3 takes no limit below ten megabytes, so it is set behind its back.
    group = athena_backends["123456789012"]["us-east-1"].work_groups["market"]
    group.configuration["BytesScannedCutoffPerQuery"] = 10
    status = lake.run("SELECT count(*) FROM quotes")["Status"]
    assert (status["State"], status["StateChangeReason"]) == (
        "CANCELLED",
        "Query cancelled! : Bytes scanned limit was exceeded",
    )
    lake.athena.update_work_group(WorkGroup="market", ConfigurationUpdates={"RemoveBytesScannedCutoffPerQuery": True})
    assert lake.rows("SELECT count(*) FROM quotes") == [["1"]]


def test_the_same_token_starts_a_query_once(lake: Lake) -> None:
    token = "0123456789abcdef0123456789abcdef"
    first = lake.start("SELECT 1", ClientRequestToken=token)
    assert lake.start("SELECT 1", ClientRequestToken=token) == first
    assert "Idempotent parameters" in refusal(lake.start, sql="SELECT 2", ClientRequestToken=token)


def test_a_request_that_is_repeated_while_the_first_is_looked_at_starts_no_second_query(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = Runner.check_syntax

    def slowly(runner: Runner, sql: str) -> None:
        time.sleep(0.3)
        check(runner, sql)

    monkeypatch.setattr(Runner, "check_syntax", slowly)
    with ThreadPoolExecutor(3) as pool:
        started = pool.map(lambda _: lake.start("SELECT 1", ClientRequestToken="t" * 32), range(3))
        assert len(set(started)) == 1


def test_while_the_engine_does_not_answer_clients_are_told_to_ask_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def starting(_runner: Runner, sql: str) -> None:
        asked.append(sql)
        if len(asked) < 3:
            raise UnavailableError("Trino did not start within 50 s.")

    monkeypatch.setattr(Runner, "check_syntax", starting)
    assert lake.rows("SELECT 7") == [["7"]]
    assert asked == ["SELECT 7"] * 3


def test_a_workgroup_with_history_is_deleted_only_recursively_and_with_its_history(lake: Lake) -> None:
    query_id = lake.run("SELECT 1")["QueryExecutionId"]
    assert lake.athena.list_query_executions(WorkGroup="market")["QueryExecutionIds"] == [query_id]
    assert "is not empty" in refusal(lake.athena.delete_work_group, WorkGroup="market")
    lake.athena.delete_work_group(WorkGroup="market", RecursiveDeleteOption=True)
    assert "is not found" in refusal(lake.athena.get_work_group, WorkGroup="market")
    assert "was not found" in refusal(lake.athena.get_query_execution, QueryExecutionId=query_id)
    assert "primary" in refusal(lake.athena.delete_work_group, WorkGroup="primary")


def test_a_deleted_result_is_an_error_and_no_empty_answer(lake: Lake) -> None:
    execution = lake.run("SELECT 1")
    key = execution["ResultConfiguration"]["OutputLocation"].removeprefix(f"s3://{RESULTS}/")
    lake.s3.delete_object(Bucket=RESULTS, Key=key)
    query_id = execution["QueryExecutionId"]
    assert "Could not find results" in refusal(lake.athena.get_query_results, QueryExecutionId=query_id)


def test_metadata_calls_show_glues_catalog(lake: Lake) -> None:
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    databases = lake.athena.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    assert [database["Name"] for database in databases] == ["market"]
    table = lake.athena.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="market", TableName="quotes")
    assert [key["Name"] for key in table["TableMetadata"]["PartitionKeys"]] == ["dt", "hour"]
    with pytest.raises(ClientError) as missing:
        lake.athena.get_database(CatalogName="AwsDataCatalog", DatabaseName="nosuch")
    assert missing.value.response["Error"]["Code"] == "MetadataException"
