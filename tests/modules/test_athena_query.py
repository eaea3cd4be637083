"""athena_query runs a statement and returns rows that a play can use; it writes only when told to."""

from __future__ import annotations

import pytest
from tests.local_cloud.glue_lake import RESULTS, Lake, quote
from tests.modules.conftest import Run, load

ENDLESS = """
    WITH n AS (SELECT x FROM UNNEST(sequence(1, 20000)) AS t(x))
    SELECT count(*) FROM n AS a, n AS b, n AS c WHERE a.x * b.x % 7 = c.x % 5"""


def test_rows_are_dictionaries_of_typed_values(lake: Lake, run: Run) -> None:
    lake.put_quotes(9, [quote(0), quote(1, symbol="IXIC")])
    lake.crawl()
    sql = (
        "SELECT symbol, count(*) AS n, avg(close) AS mean, count(*) > 1 AS many, NULL AS nothing FROM quotes GROUP BY 1"
    )
    result = run("athena_query", query=f"{sql} ORDER BY 1", workgroup="market", database="market")
    assert not result["changed"]
    assert result["rows"] == [
        {"symbol": "IXIC", "n": 1, "mean": 101.5, "many": False, "nothing": None},
        {"symbol": "NYA", "n": 1, "mean": 100.5, "many": False, "nothing": None},
    ]
    assert result["columns"][1] == {"name": "n", "type": "bigint"}
    assert result["statistics"]["scanned_bytes"] > 0
    assert result["output_location"].startswith(f"s3://{RESULTS}/results/")
    assert not result["truncated"]


def test_parameters_are_put_in(lake: Lake, run: Run) -> None:
    assert lake.s3
    result = run("athena_query", query="SELECT ? AS a, ? AS b", parameters=["'x''y'", "3"], workgroup="market")
    assert result["rows"] == [{"a": "x'y", "b": 3}]


@pytest.mark.parametrize(("max_rows", "rows", "truncated"), [(1500, 1500, True), (2500, 2500, False), (0, 2500, False)])
def test_rows_of_all_pages_come_up_to_the_limit(
    lake: Lake, run: Run, max_rows: int, rows: int, truncated: bool
) -> None:
    assert lake.s3
    sql = "SELECT n FROM UNNEST(sequence(1, 2500)) AS t(n)"
    result = run("athena_query", query=sql, workgroup="market", max_rows=max_rows)
    assert [row["n"] for row in result["rows"]] == list(range(1, rows + 1))
    assert result["truncated"] is truncated


def test_statements_that_only_read_run_in_check_mode(lake: Lake, run: Run) -> None:
    assert lake.s3
    result = run("athena_query", query="SHOW DATABASES", workgroup="market", _check=True)
    assert (result["changed"], result["rows"]) == (False, [{"database_name": "market"}])


def test_a_statement_that_writes_is_refused_unless_allowed(lake: Lake, run: Run) -> None:
    statement = {"query": "CREATE DATABASE other", "workgroup": "market"}
    refused = run("athena_query", **statement)
    assert refused["failed"]
    assert refused["msg"].startswith("The statement does more than read")
    assert run("athena_query", **statement, read_only=False, _check=True)["changed"]
    assert [d["Name"] for d in lake.glue.get_databases()["DatabaseList"]] == ["market"]
    assert run("athena_query", **statement, read_only=False)["changed"]
    assert [d["Name"] for d in lake.glue.get_databases()["DatabaseList"]] == ["market", "other"]


@pytest.mark.parametrize(
    ("query", "reads"),
    [
        ("select 1", True),
        ("-- a comment\n /* another */ WITH x AS (SELECT 1) SELECT * FROM x", True),
        ("(SELECT 1) UNION (SELECT 2)", True),
        ("show tables", True),
        ("EXPLAIN SELECT 1", True),
        ("EXPLAIN ANALYZE INSERT INTO t SELECT 1", False),
        ("-- SELECT\nDROP TABLE x", False),
        ("/* SELECT */ insert into x values (1)", False),
        ("MSCK REPAIR TABLE x", False),
        ("selection", False),
        ("", False),
    ],
)
def test_what_only_reads_is_told_by_the_first_word(query: str, reads: bool) -> None:
    assert load("athena_query").only_reads(query) is reads


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"query": "SELECT x FROM nosuch"}, "Athena's query failed: TABLE_NOT_FOUND: line 1:15"),
        ({"query": "SELECT 1 FROM"}, "Athena does not take the query"),
        ({"query": "SELECT 1", "workgroup": "nosuch"}, "There is no Athena workgroup 'nosuch' in us-east-1"),
        ({"query": "SELECT 1", "workgroup": "primary"}, "Athena does not take the query"),
    ],
)
def test_a_query_that_fails_says_why(lake: Lake, run: Run, options: dict[str, str], sentence: str) -> None:
    assert lake.s3
    failed = run("athena_query", **({"workgroup": "market", "database": "market"} | options))
    assert failed["failed"]
    assert failed["msg"].startswith(sentence)


def test_check_mode_bears_a_workgroup_that_is_still_to_be_made(lake: Lake, run: Run) -> None:
    assert lake.s3
    result = run("athena_query", query="SELECT 1", workgroup="nosuch", _check=True)
    assert (result["changed"], result["rows"]) == (False, [])


def test_a_query_that_takes_too_long_is_cancelled(lake: Lake, run: Run) -> None:
    failed = run("athena_query", query=ENDLESS, workgroup="market", timeout=0)
    assert failed["failed"]
    assert failed["msg"].startswith("Athena did not finish the query in 0 s, so it was cancelled")
    assert lake.wait(failed["query_execution_id"])["Status"]["State"] == "CANCELLED"
