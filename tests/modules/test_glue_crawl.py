"""glue_crawl runs a crawler to its end and reports its changes."""

from __future__ import annotations

import pytest
from tests.modules.conftest import Run
from tests.support.local_cloud.glue_lake import DATA, Lake, quote

from local_cloud.glue import crawler as glue_crawler


def test_the_first_crawl_reports_the_table_and_the_second_no_change(lake: Lake, run: Run) -> None:
    lake.put_quotes(9, [quote(0)])
    lake.put_quotes(10, [quote(1)])
    first = run("glue_crawl", name="quotes")
    assert first["changed"]
    assert (first["created"], first["partitions_added"]) == (["quotes"], 2)
    assert first["last_crawl"]["status"] == "SUCCEEDED"
    table = first["tables"][0]
    assert (table["name"], table["classification"], table["partitions"]) == ("quotes", "json", 2)
    assert table["columns"]["close"] == "double"
    assert table["partition_keys"] == {"dt": "string", "hour": "string"}
    second = run("glue_crawl", name="quotes")
    assert (second["changed"], second["created"], second["updated"], second["partitions_added"]) == (False, [], [], 0)


def test_new_partitions_are_an_update(lake: Lake, run: Run) -> None:
    lake.put_quotes(9, [quote(0)])
    run("glue_crawl", name="quotes")
    lake.put_quotes(10, [quote(1)])
    result = run("glue_crawl", name="quotes")
    assert (result["changed"], result["updated"], result["partitions_added"]) == (True, ["quotes"], 1)
    assert result["diff"]["after"]["quotes"]["partitions"] == ["dt=2026-11-23/hour=09", "dt=2026-11-23/hour=10"]


def test_check_mode_starts_nothing(lake: Lake, run: Run) -> None:
    lake.put_quotes(9, [quote(0)])
    assert not run("glue_crawl", name="quotes", _check=True)["changed"]
    assert "LastCrawl" not in lake.glue.get_crawler(Name="quotes")["Crawler"]


def test_check_mode_bears_a_crawler_that_is_still_to_be_made(lake: Lake, run: Run) -> None:
    assert lake.s3
    assert run("glue_crawl", name="nosuch", _check=True)["changed"]


def test_a_missing_crawler_is_named(lake: Lake, run: Run) -> None:
    assert lake.s3
    failed = run("glue_crawl", name="nosuch")
    assert failed["failed"]
    assert failed["msg"].startswith("There is no Glue crawler 'nosuch' in us-east-1")


def test_a_failed_crawl_fails_with_glues_reason(lake: Lake, run: Run) -> None:
    lake.glue.update_crawler(Name="quotes", Targets={"S3Targets": [{"Path": "s3://nobodys-bucket/"}]})
    failed = run("glue_crawl", name="quotes")
    assert failed["failed"]
    assert "ended as FAILED: The specified bucket does not exist: nobodys-bucket" in failed["msg"]


def test_a_crawler_that_runs_already_is_awaited_and_run_again(
    lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glue_crawler, "STOPPING_SECONDS", 0.3)
    lake.glue.start_crawler(Name="quotes")
    lake.put_quotes(9, [quote(0)])
    assert run("glue_crawl", name="quotes", poll_interval=0.05)["created"] == ["quotes"]
    assert len(lake.glue.list_crawls(CrawlerName="quotes")["Crawls"]) == 2


def test_a_crawl_that_takes_too_long_gets_a_sentence(lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glue_crawler, "STOPPING_SECONDS", 2)
    lake.put_quotes(9, [quote(0)])
    failed = run("glue_crawl", name="quotes", timeout=0)
    assert failed["failed"]
    assert failed["msg"].startswith("The Glue crawler 'quotes' did not finish in 0 s and is still ")


def test_without_waiting_it_is_only_started(lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glue_crawler, "STOPPING_SECONDS", 10)
    lake.put_quotes(9, [quote(0)])
    assert run("glue_crawl", name="quotes", wait=False)["changed"]
    assert not run("glue_crawl", name="quotes", wait=False)["changed"]


def test_a_crawl_under_way_is_looked_at_without_starting_another(
    lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glue_crawler, "STOPPING_SECONDS", 0.5)
    lake.put_quotes(9, [quote(0)])
    begun = run("glue_crawl", name="quotes", wait=False)
    assert (begun["started"], begun["tables"]) == (True, [])
    looks = [run("glue_crawl", name="quotes", start=False, wait=False)]
    while looks[-1]["state"] != "READY":
        looks.append(run("glue_crawl", name="quotes", start=False, wait=False))
    assert looks[0]["state"] in {"RUNNING", "STOPPING"}
    assert looks[-1]["last_crawl"]["status"] == "SUCCEEDED"
    assert [table["name"] for table in looks[-1]["tables"]] == ["quotes"]
    assert not any(look["changed"] or look["started"] for look in looks)
    assert len(lake.glue.list_crawls(CrawlerName="quotes")["Crawls"]) == 1


def test_looking_at_a_failed_crawl_fails_with_glues_reason(lake: Lake, run: Run) -> None:
    lake.glue.update_crawler(Name="quotes", Targets={"S3Targets": [{"Path": "s3://nobodys-bucket/"}]})
    assert run("glue_crawl", name="quotes")["failed"]
    looked = run("glue_crawl", name="quotes", start=False, wait=False)
    assert looked["failed"]
    assert "ended as FAILED: The specified bucket does not exist: nobodys-bucket" in looked["msg"]


def test_tables_that_go_are_reported(lake: Lake, run: Run) -> None:
    policy = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DELETE_FROM_DATABASE"}
    lake.glue.update_crawler(Name="quotes", SchemaChangePolicy=policy)  # type: ignore[arg-type]
    key = lake.put_quotes(9, [quote(0)])
    run("glue_crawl", name="quotes")
    lake.s3.delete_object(Bucket=DATA, Key=key)
    result = run("glue_crawl", name="quotes")
    assert (result["changed"], result["deleted"], result["partitions_removed"]) == (True, ["quotes"], 1)
