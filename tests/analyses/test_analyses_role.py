"""The end of `make up`: Athena's answers as a screen that a person can read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import playbook
from tests.support.small_cloud import COLUMNS, SmallCloud

from stock_market_ops.common import partitions


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCloud]:
    """Five symbols, one quote each."""
    running = SmallCloud(tmp_path_factory.mktemp("cloud"))
    running.make_table()
    values = [("2026-03-02T09:30:00.000Z", 1.0, 1.0, 1.0, 1.0, 1.0, 1000 * (n + 1), 1.0, "p", n) for n in range(5)]
    running.store(dict(zip(COLUMNS, (f"SYM{row[-1]}", *row), strict=True)) for row in values)
    partitions.synchronize(running.s3, running.glue, running.deployment)
    yield running
    running.close()


def run(folder: Path, cloud: SmallCloud, tasks: list[dict[str, Any]], **variables: Any) -> playbook.Run:
    """Run tasks with the connection of the deployment."""
    known = cloud.deployment
    connection = {
        "region": known.region,
        "endpoint_url": known.endpoint_url,
        "access_key": "local-cloud",
        "secret_key": "local-cloud",
    }
    modules = ("athena_answers", "glue_crawl", "glue_hours", "s3_prefix_info")
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": dict.fromkeys(modules, connection),
        "vars": {
            "stock_market_deployment": known.deployment,
            "stock_market_data_bucket": known.data_bucket,
            "stock_market_database": known.database,
            "stock_market_table": known.table,
            **variables,
        },
        "tasks": tasks,
    }
    return playbook.run(folder, [play], playbook.local_inventory({}))


def test_the_screen_has_titles_tables_and_what_to_type_for_more(tmp_path: Path, cloud: SmallCloud) -> None:
    ask = {"include_role": {"name": "analyses", "tasks_from": "ask"}}
    done = run(tmp_path, cloud, [ask], analyses_names=["volume", "freshness"], analyses_rows=2, analyses_hours=0)
    assert (done.code, done.counts.get("changed")) == (0, 0), done.output
    lines = [line.strip() for line in done.output.splitlines()]
    start = lines.index("Volume: what was traded most, and its share of all")
    assert lines[start + 3].split() == ["SYM4", "5,000", "5,000", "5,000", "33.33"]
    assert lines[start + 5] == "... and 3 more: make query ANALYSIS=volume"
    assert lines.index("Count and freshness: how much there is, and how old the newest quote is") > start


def test_a_query_that_athena_refuses_fails_with_its_name_and_reason(tmp_path: Path, cloud: SmallCloud) -> None:
    wrong = [{"name": "odd", "sql": "-- A title\nSELECT nope FROM quotes"}]
    known = cloud.deployment
    asked = {"athena_answers": {"queries": wrong, "database": known.database, "workgroup": known.workgroup}}
    done = run(tmp_path, cloud, [asked])
    assert done.code != 0
    text = " ".join(done.output.split())
    assert "Athena's query 'odd' ended as FAILED: COLUMN_NOT_FOUND" in text


def test_a_statement_that_writes_is_not_sent(tmp_path: Path, cloud: SmallCloud) -> None:
    wrong = [{"name": "odd", "sql": "DROP TABLE quotes"}]
    done = run(tmp_path, cloud, [{"athena_answers": {"queries": wrong, "database": cloud.deployment.database}}])
    assert done.code != 0
    assert "The query 'odd' must begin with SELECT or WITH" in " ".join(done.output.split())


def test_the_first_keys_below_a_prefix_are_found_with_one_call(tmp_path: Path, cloud: SmallCloud) -> None:
    tasks = [
        {
            "s3_prefix_info": {"bucket": cloud.deployment.data_bucket, "prefix": prefix, "max_keys": 1},
            "register": "found",
            "failed_when": condition,
        }
        for prefix, condition in (("quotes/", "found.keys_found | length != 1"), ("none/", "found.keys_found != []"))
    ]
    done = run(tmp_path, cloud, tasks)
    assert done.code == 0, done.output


def test_a_bucket_that_is_not_there_is_said_in_a_sentence(tmp_path: Path, cloud: SmallCloud) -> None:
    done = run(tmp_path, cloud, [{"s3_prefix_info": {"bucket": "nobodys-bucket-of-quotes"}}])
    assert done.code != 0
    assert "There is no bucket 'nobodys-bucket-of-quotes'" in " ".join(done.output.split())
