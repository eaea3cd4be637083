"""Programs that people use with Athena work with the local cloud; only endpoint and credentials are given."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.local_cloud.enforcing import REGION, allow, enforcing_cloud
from tests.support.local_cloud.glue_lake import DATA, Lake

SCRIPTS = Path(__file__).with_name("clients")
PYTHON = Path(__file__).parents[3] / ".venv" / "clients" / "bin" / "python"
LIMIT_SECONDS = 240
Facts = dict[str, Any]

FIRST = ["NYA", 1.5, 10, "2026-11-23T00:00:00.000", "2026-11-23T09:30:00.125", "2026-11-23"]
SECOND = ["HSI", 2.5, 20, "2026-11-23T00:00:00.000", "2026-11-23T09:31:00.000", "2026-11-23"]
THIRD = [None, 3.5, 30, "2026-11-24T00:00:00.000", "2026-11-24T09:30:00.000", "2026-11-24"]
NO_COLUMN = (
    "COLUMN_NOT_FOUND: line 1:8: Column 'nosuch' cannot be resolved or requester is not authorized to access requested "
    "resources"
)
BY_DAY = ["not_null_by_day_dt", "not_null_dear_symbol", "not_null_lasting_id", "unique_lasting_id"]
DBT_TESTS = ["accepted_values_dear_symbol__NYA__HSI", *BY_DAY]


def run(environment: dict[str, str], script: str, *arguments: str) -> Facts:
    """What a client's script prints."""
    command = [str(PYTHON), str(SCRIPTS / script), *arguments]
    # A client may make its standard input non-blocking, and Ansible, in a later test, refuses to share such a one.
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    facts: Facts = json.loads(done.stdout)
    return facts


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Facts]]:
    """The facts of a client by its script's name. All of them use one cloud at the same time, as a user of IAM's."""
    assert PYTHON.exists(), "The clients' environment is missing: run `make .venv/clients/locked`."
    directory = tmp_path_factory.mktemp("clients")
    with enforcing_cloud(directory) as cloud, ThreadPoolExecutor(4) as pool:
        Lake(cloud.endpoint).build()
        cloud.operator.iam.create_user(UserName="analyst")
        cloud.let("analyst", allow(["athena:*", "glue:*", "s3:*"]))
        key = cloud.operator.iam.create_access_key(UserName="analyst")["AccessKey"]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "LC_ALL": "C.UTF-8",
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "WR_ATHENA_QUERY_WAIT_POLLING_DELAY": "0.1",
        }
        project = directory / "project"
        project.mkdir()
        started: dict[str, Future[Facts]] = {
            script: pool.submit(run, environment, script, *arguments)
            for script, arguments in {
                "dbt_project.py": [str(project)],
                "wrangler.py": [DATA],
                "dbapi.py": [DATA],
                "command_line.py": [],
            }.items()
        }
        yield lambda script: started[script].result()


@pytest.fixture(scope="module")
def wrangler(clients: Callable[[str], Facts]) -> Facts:
    """What awswrangler gets."""
    return clients("wrangler.py")


@pytest.fixture(scope="module")
def dbapi(clients: Callable[[str], Facts]) -> Facts:
    """What PyAthena gets."""
    return clients("dbapi.py")


@pytest.fixture(scope="module")
def command_line(clients: Callable[[str], Facts]) -> Facts:
    """What `aws athena` prints."""
    return clients("command_line.py")


@pytest.mark.parametrize("approach", ["csv", "ctas", "unload", "cached"])
def test_awswrangler_reads_the_same_rows_in_every_way(wrangler: Facts, approach: str) -> None:
    assert wrangler[approach] == [FIRST, SECOND, THIRD]


def test_awswrangler_reads_in_pieces_and_with_parameters(wrangler: Facts) -> None:
    assert wrangler["ctas_chunks"] == wrangler["csv_chunks"] == [2, 1]
    assert wrangler["no_rows"] == ["symbol", "close", "volume", "day", "traded", "dt"]
    assert (wrangler["named"], wrangler["qmark"]) == ([[2.5]], [[1.5]])
    assert (wrangler["state"], wrangler["columns"], wrangler["by_id"]) == ("SUCCEEDED", {"one": "integer"}, [[1]])
    kinds = wrangler["ctas_types"]
    assert (kinds["close"], kinds["volume"], kinds["traded"]) == ("float64", "Int64", "datetime64[ns]")
    assert wrangler["refused"] == NO_COLUMN


def test_awswrangler_describes_and_repairs_a_table(wrangler: Facts) -> None:
    described = [
        *(["symbol", "string", False, ""], ["close", "double", False, ""], ["volume", "bigint", False, ""]),
        *(["day", "date", False, ""], ["traded", "timestamp", False, ""], ["dt", "string", True, ""]),
    ]
    assert wrangler["described"] == wrangler["table"] == described
    assert wrangler["partitions"] == [["2026-11-23"], ["2026-11-24"]]
    assert (wrangler["repaired"], wrangler["after_repair"]) == ("SUCCEEDED", [[1]])
    assert wrangler["create_text"].startswith("CREATE EXTERNAL TABLE `quotes`( `symbol` string, `close` double,")
    assert "PARTITIONED BY ( `dt` string) ROW FORMAT SERDE" in wrangler["create_text"]
    assert {"market", "wrangler"} <= set(wrangler["databases"])
    assert (wrangler["tables"], wrangler["work_group"]) == (["quotes"], "ENABLED")


def test_awswrangler_writes_by_ctas_and_into_iceberg(wrangler: Facts) -> None:
    assert wrangler["ctas_table"] == "picked"
    assert wrangler["picked"] == [["HSI", "2026-11-23"], ["NYA", "2026-11-23"], ["NYA", "2026-11-25"]]
    assert wrangler["merged"] == [[1, "one", 1.5], [2, "zwei", 22.5], [3, "three", 3.5], [4, "four", 4.5]]
    evolved = [[2, "zwei", 22.5, None], [3, "three", 3.5, None], [4, "four", 4.5, None], [5, "five", 5.5, "new"]]
    assert wrangler["evolved"] == evolved
    assert wrangler["parts"] == [[5, "five", 5.5, "new"]]


def test_pyathenas_default_cursor_gets_values_of_pythons_types(dbapi: Facts) -> None:
    assert (dbapi["inserted"], dbapi["statement"]) == (3, ["DML", "INSERT"])
    assert dbapi["default"] == [
        ["NYA", 1.5, 10, "2026-11-23", "2026-11-23T09:30:00.125000", "1.25", ["a", "b"], "2026-11-23"],
        ["HSI", 2.5, 20, "2026-11-23", "2026-11-23T09:31:00", "2.25", [], "2026-11-23"],
        [None, 3.5, 30, "2026-11-24", "2026-11-24T09:30:00", None, None, "2026-11-24"],
    ]
    assert dbapi["description"][:2] == [["symbol", "varchar", 2147483647, 0], ["close", "double", 17, 0]]
    assert dbapi["description"][5:7] == [["price", "decimal", 10, 2], ["tags", "array", 0, 0]]


def test_pyathenas_other_cursors_get_the_same_rows(dbapi: Facts) -> None:
    rows: list[list[Any]] = [
        ["NYA", 1.5, 10, "2026-11-23"],
        ["HSI", 2.5, 20, "2026-11-23"],
        [None, 3.5, 30, "2026-11-24"],
    ]
    named = [dict(zip(("symbol", "close", "volume", "dt"), row, strict=True)) for row in rows]
    assert dbapi["dictionary"] == named[:2]
    assert dbapi["asynchronous"] == {"rows": rows, "state": "SUCCEEDED", "same": True}
    assert [row[:3] for row in dbapi["pandas"]] == [row[:3] for row in rows]
    assert dbapi["pandas"][0][3:] == [*FIRST[3:5], "1.25", "[a, b]", "2026-11-23"]
    assert dbapi["pandas_types"]["traded"] == "datetime64[us]"
    assert dbapi["pandas_unload"] == [[symbol, close, dt] for symbol, close, _, dt in rows]
    # PyAthena reads the CSV so that a NULL of a string is an empty one.
    assert dbapi["arrow"] == [*named[:2], named[2] | {"symbol": ""}]
    assert dbapi["arrow_types"][:5] == ["string", "double", "int64", "timestamp[ms]", "timestamp[ms]"]
    assert dbapi["arrow_unload"] == named


def test_pyathena_asks_with_parameters_reuses_and_cancels(dbapi: Facts) -> None:
    assert (dbapi["named"], dbapi["marks"], dbapi["many"]) == ([["NYA"], ["HSI"]], [[1.5]], [2500])
    assert (dbapi["reused"], dbapi["failure"], dbapi["cancelled"]) == ([True, True], NO_COLUMN, "CANCELLED")
    assert (dbapi["shown"], dbapi["partitions"]) == (["quotes"], ["dt=2026-11-23", "dt=2026-11-24"])
    assert (dbapi["tables"], dbapi["scanned"]) == (["quotes"], True)
    assert {"dbapi", "market"} <= set(dbapi["databases"])


def test_sqlalchemy_reflects_what_is_there(dbapi: Facts) -> None:
    alchemy = dbapi["alchemy"]
    assert {"dbapi", "market"} <= set(alchemy["schemas"])
    assert (alchemy["tables_of_schema"], alchemy["views"]) == (["made", "quotes"], ["cheap"])
    assert alchemy["has"] == [True, True, False]
    assert "WHERE (close < 3)" in alchemy["view_text"]
    assert alchemy["columns"][0] == ["symbol", "VARCHAR", "an index"]
    assert ["price", "DECIMAL(10, 2)", None] in alchemy["columns"]
    assert alchemy["columns_of_view"] == ["symbol", "close"]
    assert alchemy["reflected"] == ["symbol", "close", "volume", "day", "traded", "price", "tags", "dt"]
    assert alchemy["dear"] == [["HSI", 2.5, "2026-11-23T09:31:00"], [None, 3.5, "2026-11-24T09:30:00"]]
    assert (alchemy["count"], alchemy["of_view"]) == (3, 2)
    assert alchemy["made"] == [[1, "one"], [2, "it's"]]


def test_dbt_builds_a_view_and_increments(clients: Callable[[str], Facts]) -> None:
    dbt = clients("dbt_project.py")
    passed = dict.fromkeys(DBT_TESTS, "pass") | dict.fromkeys(("dear", "by_day", "lasting"), "success")
    assert dbt["built"] == passed | {"quotes": "success"}
    assert dbt["again"] == passed
    assert dbt["first"] == [["1", "1.5", "2026-11-23"], ["1", "2.5", "2026-11-24"]]
    assert dbt["second"] == [["1", "1.5", "2026-11-23"], ["2", "7.5", "2026-11-24"]]
    assert dbt["lasting"] == [["HSI2026-11-24", "5.0"], ["NYA2026-11-23", "3.0"], ["NYA2026-11-24", "15.0"]]
    assert dbt["catalog"] == {
        "quotes": ["table", "symbol", "close", "dt"],
        "dear": ["view", "symbol", "close", "dt"],
        "by_day": ["table", "quotes", "highest", "dt"],
        "lasting": ["iceberg_table", "id", "close"],
    }


def test_the_command_line_runs_queries(command_line: Facts) -> None:
    assert command_line["rows"] == [["name", "number"], ["it's", "42"]]
    assert (command_line["types"], command_line["engine"]) == (["DML", "SELECT"], "Athena engine version 3")
    assert command_line["failed"] == NO_COLUMN
    refused = (
        "(InvalidRequestException) when calling the StartQueryExecution operation: line 1:1: mismatched input 'SELCT'"
    )
    assert refused in command_line["malformed"]
    assert command_line["named"] == [True, "one", "SELECT 1", None]
    assert command_line["prepared"] == ["SELECT ? + ?", [["_col0"], ["3"]]]
    assert "(ResourceNotFoundException)" in command_line["gone"]


def test_the_command_line_lists_what_is_there(command_line: Facts) -> None:
    [catalog] = command_line["catalogs"]["DataCatalogsSummary"]
    assert (catalog["CatalogName"], command_line["catalog"]["DataCatalog"]["Type"]) == ("AwsDataCatalog", "GLUE")
    assert command_line["database"] == {"Database": {"Name": "market"}}
    assert command_line["tables"] == {"TableMetadataList": []}
    groups = command_line["groups"]["WorkGroups"]
    engine = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
    assert [(group["Name"], group["EngineVersion"]) for group in groups] == [("market", engine), ("primary", engine)]
    group = command_line["group"]["WorkGroup"]
    assert group["Configuration"]["EnforceWorkGroupConfiguration"] is True
    assert group["CreationTime"] == groups[0]["CreationTime"]
    assert engine in command_line["engines"]["EngineVersions"]
