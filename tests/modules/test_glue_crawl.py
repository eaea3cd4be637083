"""glue_crawl starts a crawler and looks at its crawl."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tests.modules.conftest import Run
from tests.support.local_cloud.glue_lake import Lake, quote

from local_cloud.glue.crawl import Crawl


def end(run: Run) -> dict[str, Any]:
    """The look that finds the crawl over."""
    while (look := run("glue_crawl", name="quotes", start=False)).get("state") in {"RUNNING", "STOPPING"}:
        pass
    return look


def test_a_crawl_is_started_and_looked_at_until_it_is_over(
    lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl, goes_on = Crawl.run, threading.Event()

    def crawl_when_looked_at(self: Crawl) -> None:
        goes_on.wait(60)
        crawl(self)

    monkeypatch.setattr(Crawl, "run", crawl_when_looked_at)
    lake.put_quotes(9, [quote(0)])
    begun = run("glue_crawl", name="quotes")
    assert (begun["changed"], begun["started"]) == (True, True)
    again = run("glue_crawl", name="quotes")
    assert (again["changed"], again["started"]) == (False, False)
    look = run("glue_crawl", name="quotes", start=False)
    assert look["state"] == "RUNNING"
    goes_on.set()
    look = end(run)
    assert (look["state"], look["started"], look["changed"]) == ("READY", False, False)
    assert len(lake.glue.list_crawls(CrawlerName="quotes")["Crawls"]) == 1
    assert len(lake.partitions()) == 1


def test_check_mode_starts_nothing(lake: Lake, run: Run) -> None:
    lake.put_quotes(9, [quote(0)])
    assert not run("glue_crawl", name="quotes", _check=True)["changed"]
    assert "LastCrawl" not in lake.glue.get_crawler(Name="quotes")["Crawler"]


def test_a_missing_crawler_is_named(lake: Lake, run: Run) -> None:
    assert lake.s3
    failed = run("glue_crawl", name="nosuch")
    assert failed["failed"]
    assert failed["msg"].startswith("There is no Glue crawler 'nosuch' in us-east-1")


def test_a_failed_crawl_fails_with_glues_reason(lake: Lake, run: Run) -> None:
    lake.glue.update_crawler(Name="quotes", Targets={"S3Targets": [{"Path": "s3://nobodys-bucket/"}]})
    run("glue_crawl", name="quotes")
    failed = end(run)
    assert failed["failed"]
    assert "ended as FAILED: The specified bucket does not exist: nobodys-bucket" in failed["msg"]
