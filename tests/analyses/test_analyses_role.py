"""The end of `make up`: Athena's answers as a screen that a person can read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import playbook
from tests.support.small_cloud import COLUMNS, SmallCloud

from stock_market_ops.common import partitions
from stock_market_ops.common.deployment import ROOT


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


def run(folder: Path, cloud: SmallCloud, **variables: Any) -> playbook.Run:
    """Run the role's queries."""
    known = cloud.deployment
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "stock_market_root": str(ROOT),
            "stock_market_deployment": known.deployment,
            "stock_market_state_dir": str(cloud.state_root / known.deployment),
            **variables,
        },
        "tasks": [{"include_role": {"name": "analyses", "tasks_from": "ask"}}],
    }
    return playbook.run(folder, [play], playbook.local_inventory({}))


def test_the_screen_has_titles_tables_and_what_is_not_shown(tmp_path: Path, cloud: SmallCloud) -> None:
    done = run(tmp_path, cloud, analyses_names=["volume", "freshness"], analyses_rows=2, analyses_hours=0)
    assert (done.code, done.counts.get("changed")) == (0, 0), done.output
    lines = [line.strip() for line in done.output.splitlines()]
    start = lines.index("Volume: what was traded most, and its share of all [volume]")
    assert lines[start + 3].split() == ["SYM4", "5,000", "5,000", "5,000", "33.33"]
    assert lines[start + 5] == "... and 3 more"
    assert lines.index("Count and freshness: how much there is, and how old the newest quote is [freshness]") > start


def test_an_analysis_that_athena_refuses_fails_with_its_name_and_reason(tmp_path: Path, cloud: SmallCloud) -> None:
    done = run(tmp_path, cloud, analyses_names=["freshness"], analyses_query_timeout_seconds=0.001)
    assert done.code != 0
    said = " ".join(done.output.split())
    assert "freshness: Athena gave no answer in 0 s; the query was stopped. Ask fewer days, or allow" in said
