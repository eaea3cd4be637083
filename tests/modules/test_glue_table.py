"""glue_table declares the types of the table, and numbers beyond 2^31 are answered without another crawl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from plugins.filter.history import history_tables
from tests.modules.conftest import Run
from tests.support.local_cloud.glue_lake import DATA, Lake, quote

from stock_market.history import view
from stock_market.history.naming import Hour

ROLE = Path(__file__).parents[2] / "roles" / "catalog"
DECLARED: dict[str, Any] = {
    "database": "market",
    "name": "quotes",
    "location": f"s3://{DATA}/quotes/",
    "columns": yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))["__catalog_columns"],
    "partition_keys": ["dt", "hour"],
}
NAMES = view.Names("market")
NAMED = {"database": NAMES.database, "raw": NAMES.raw, "history": NAMES.history, "view": NAMES.view}
WITH_HISTORY = DECLARED | {"history": history_tables(NAMED, DATA, "history/")}
MADE = dict.fromkeys(("quotes_history", "quotes_all", "quotes_hours_history", "quotes_hours"), "created")
TYPES = {column["name"]: column["type"] for column in DECLARED["columns"]}
BIG = 2**40 + 1


def crawler_task(module: str) -> Any:
    """A module's options in the role's block about the crawler."""
    tasks = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text(encoding="utf-8"))
    (found,) = [task[module] for block in tasks for task in block.get("block", []) if module in task]
    return found


def crawler_settings() -> dict[str, Any]:
    """The crawler's settings, as the role's own tasks have them."""
    policy = crawler_task("community.aws.glue_crawler")["schema_change_policy"]
    return {
        "Targets": {"CatalogTargets": [{"DatabaseName": "market", "Tables": ["quotes"]}]},
        "SchemaChangePolicy": {
            "UpdateBehavior": policy["update_behavior"],
            "DeleteBehavior": policy["delete_behavior"],
        },
    }


def configuration() -> dict[str, Any]:
    return {
        "name": "quotes",
        "configuration": crawler_task("stock_market.streaming.glue_crawler_configuration")["configuration"],
    }


def follow_the_role(lake: Lake, run: Run) -> None:
    """Does what the role catalog does to table and crawler."""
    assert "failed" not in run("glue_table", **DECLARED)
    lake.glue.update_crawler(Name="quotes", **crawler_settings())
    assert "failed" not in run("glue_crawler_configuration", **configuration())


def partition_types(lake: Lake) -> list[dict[str, str]]:
    found = lake.glue.get_partitions(DatabaseName="market", TableName="quotes")["Partitions"]
    return [
        {column["Name"]: column["Type"] for column in partition["StorageDescriptor"]["Columns"]} for partition in found
    ]


def test_numbers_beyond_2_to_the_31_are_answered_without_another_crawl(lake: Lake, run: Run) -> None:
    follow_the_role(lake, run)
    lake.put_quotes(9, [quote(0), quote(1)])
    assert lake.crawl()["Status"] == "SUCCEEDED"
    lake.put_quotes(9, [quote(BIG, volume=3 * BIG)], start=2)
    assert lake.rows("SELECT max(sequence), max(volume), count(*) FROM quotes") == [[str(BIG), str(3 * BIG), "3"]]
    assert lake.columns() == TYPES


def test_a_whole_price_and_a_new_field_change_no_type(lake: Lake, run: Run) -> None:
    follow_the_role(lake, run)
    lake.put_quotes(9, [{**quote(0), "open": 100, "close": 7, "volume": 1, "venue": "XNYS"}])
    lake.put_quotes(10, [{**quote(1), "volume": "many"}], start=1)
    lake.crawl()
    assert lake.columns() == TYPES
    assert partition_types(lake) == [TYPES, TYPES]
    assert lake.partitions() == [["2026-11-23", "09"], ["2026-11-23", "10"]]
    assert [table["Name"] for table in lake.glue.get_tables(DatabaseName="market")["TableList"]] == ["quotes"]
    assert lake.table()["VersionId"] == "0"


def test_a_table_that_a_crawl_guessed_is_corrected_with_its_partitions(lake: Lake, run: Run) -> None:
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    assert lake.columns()["sequence"] == "int"
    checked = run("glue_table", _check=True, **DECLARED)
    assert checked["changed"]
    assert checked["diff"]["before"]["columns"]["sequence"] == "int"
    assert checked["diff"]["after"]["columns"]["sequence"] == "bigint"
    assert checked["diff"]["before"]["partitions_of_other_types"] == 1
    assert lake.columns()["sequence"] == "int"
    done = run("glue_table", **DECLARED)
    assert (done["changed"], done["diff"]) == (True, checked["diff"])
    assert (lake.columns(), partition_types(lake)) == (TYPES, [TYPES])
    assert not run("glue_table", **DECLARED)["changed"]
    lake.put_quotes(9, [quote(BIG)], start=1)
    assert lake.rows("SELECT max(sequence) FROM quotes") == [[str(BIG)]]


def test_the_first_declaration_is_made_once_and_check_mode_makes_nothing(lake: Lake, run: Run) -> None:
    checked = run("glue_table", _check=True, **DECLARED)
    assert (checked["changed"], checked["diff"]["before"]) == (True, {})
    with pytest.raises(ClientError, match="not found"):
        lake.table()
    assert run("glue_table", **DECLARED)["diff"] == checked["diff"]
    assert not run("glue_table", **DECLARED)["changed"]
    assert run("glue_table", _check=True, **{**DECLARED, "database": "none_yet"})["changed"]
    assert lake.rows("SELECT count(*) FROM quotes") == [["0"]]


def test_what_a_crawl_adds_does_not_change_the_declared_table(lake: Lake, run: Run) -> None:
    follow_the_role(lake, run)
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    assert not run("glue_table", **DECLARED)["changed"]
    assert not run("glue_crawler_configuration", **configuration())["changed"]


def test_other_partition_keys_are_refused_with_what_to_do(lake: Lake, run: Run) -> None:
    run("glue_table", **DECLARED)
    refused = run("glue_table", **{**DECLARED, "partition_keys": ["day"]})
    assert refused["failed"]
    assert "is partitioned by dt, hour and not by day: delete it in Glue" in refused["msg"]
    assert lake.table()["PartitionKeys"] == [{"Name": "dt", "Type": "string"}, {"Name": "hour", "Type": "string"}]


def published(lake: Lake, names: view.Names = NAMES) -> None:
    """The view after the history has got its first hour."""
    found = view.History().published(Hour("2026-11-23", "09"), view.FIRST_REVISION)
    lake.glue.update_table(DatabaseName="market", TableInput=view.table_input(names, found))  # type: ignore[arg-type]  # the stubs want a literal type


def watermark(lake: Lake, names: view.Names = NAMES) -> str:
    return view.read(lake.glue.get_table(DatabaseName="market", Name=names.view)["Table"], names).watermark


def test_the_history_and_the_view_are_declared_once_and_show_all_that_is_raw(lake: Lake, run: Run) -> None:
    assert run("glue_table", _check=True, **WITH_HISTORY)["history"] == MADE
    assert run("glue_table", **WITH_HISTORY)["history"] == MADE
    for check in (True, False):
        again = run("glue_table", _check=check, **WITH_HISTORY)
        assert (again["changed"], again["history"]) == (False, dict.fromkeys(MADE, "nothing"))
    lake.put_quotes(9, [quote(0), quote(1)])
    lake.glue.update_crawler(Name="quotes", **crawler_settings())
    lake.crawl()
    assert lake.rows("SELECT count(*), min(dt), min(hour) FROM quotes_all") == [["2", "2026-11-23", "09"]]


def test_another_run_keeps_the_watermark_and_makes_a_view_that_is_missing(lake: Lake, run: Run) -> None:
    run("glue_table", **WITH_HISTORY)
    published(lake)
    assert not run("glue_table", **WITH_HISTORY)["changed"]
    assert watermark(lake) == "2026-11-23 10"
    lake.glue.delete_table(DatabaseName="market", Name="quotes_all")
    done = run("glue_table", **WITH_HISTORY)["history"]
    assert done == dict.fromkeys(MADE, "nothing") | {"quotes_all": "created"}
    assert watermark(lake) == ""


@pytest.mark.parametrize(
    ("table", "names"), [("quotes_history", NAMES), ("quotes_hours_history", NAMES.hours)], ids=["quotes", "hours"]
)
def test_a_view_whose_history_is_gone_reads_nothing_of_it_any_more(
    lake: Lake, run: Run, table: str, names: view.Names
) -> None:
    run("glue_table", **WITH_HISTORY)
    published(lake, names)
    lake.glue.delete_table(DatabaseName="market", Name=table)
    assert run("glue_table", _check=True, **WITH_HISTORY)["history"][names.view] == "reset"
    assert watermark(lake, names) == "2026-11-23 10"
    done = run("glue_table", **WITH_HISTORY)
    expected = dict.fromkeys(MADE, "nothing") | {table: "created", names.view: "reset"}
    assert (done["changed"], done["history"]) == (True, expected)
    assert watermark(lake, names) == ""
    assert not run("glue_table", **WITH_HISTORY)["changed"]


def test_catalog_targets_keep_to_glues_rules(lake: Lake) -> None:
    targets = crawler_settings()["Targets"]
    with pytest.raises(ClientError, match="DEPRECATE_IN_DATABASE, which is the default"):
        lake.glue.update_crawler(Name="quotes", Targets=targets)
    both = {**targets, "S3Targets": [{"Path": f"s3://{DATA}/quotes/"}]}
    with pytest.raises(ClientError, match="cannot be combined"):
        lake.glue.update_crawler(Name="quotes", **{**crawler_settings(), "Targets": both})
    lake.glue.update_crawler(Name="quotes", **crawler_settings())
    assert lake.crawl()["Status"] == "FAILED"
