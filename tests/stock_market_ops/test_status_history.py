"""`make status` about the history: up to where it goes, how its timer and its last run are, and what is not well."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.stock_market_ops.test_status_rules import DEPLOYMENT, changed, report
from tests.support.small_cloud import SmallCloud

from stock_market.history import view
from stock_market.history.naming import Hour
from stock_market_ops.common import aws
from stock_market_ops.status import probe_history, screen, verdict
from stock_market_ops.status.report import HistoryUnitView, HistoryView

QUOTE = {"symbol": "AAA", "volume": 1, "sequence": 0, "producer_id": "p"}
UNIT = HistoryUnitView("node-1", "active", "inactive", "success", 0, 300.0)
WELL = HistoryView("2026-03-02 10", 0.5, [UNIT])
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOWN = """\
Id=stock-history.timer
ActiveState=active
Result=success
LastTriggerUSec=Mon 2026-03-02 11:50:00 UTC

Id=stock-history.service
ActiveState=failed
Result=exit-code
ExecMainStatus=1
"""


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCloud]:
    """Quotes of three hours, and a view that reads all of them raw."""
    running = SmallCloud(tmp_path_factory.mktemp("cloud"))
    running.make_table()
    running.store([QUOTE | {"event_time": f"2026-03-02T{hour}:30:00.000Z"} for hour in ("09", "10", "11")])
    yield running
    running.close()


def look(cloud: SmallCloud) -> HistoryView:
    return probe_history.look(aws.session(cloud.deployment), cloud.deployment)


def publish(cloud: SmallCloud, hour: str, **parameters: str) -> None:
    """Puts the watermark after an hour; other parameters than its text's, where given."""
    known = cloud.deployment
    names = view.Names(known.database, known.table, known.history_table, known.view)
    table = view.table_input(names, view.History().published(Hour("2026-03-02", hour), view.FIRST_REVISION))
    table["Parameters"] |= parameters
    cloud.glue.update_table(DatabaseName=known.database, TableInput=table)  # type: ignore[arg-type]  # the stubs know literal names only


def test_the_watermark_comes_from_the_view_and_the_oldest_raw_hour_tells_how_far_behind_it_is(
    cloud: SmallCloud,
) -> None:
    assert look(cloud).watermark == ""
    first = look(cloud).hours_behind
    publish(cloud, "09")
    second = look(cloud)
    assert second.watermark == "2026-03-02 10"
    assert first - second.hours_behind == pytest.approx(1.0, abs=0.01)
    publish(cloud, "11")
    assert look(cloud).hours_behind == 0.0


def test_an_hour_that_is_not_over_does_not_wait() -> None:
    assert probe_history.hours_behind(Hour("2026-03-02", "12"), NOW) == 0.0
    assert probe_history.hours_behind(Hour("2026-03-02", "10"), NOW) == 1.0


def test_a_view_that_is_missing_or_was_replaced_is_said_in_a_sentence(cloud: SmallCloud) -> None:
    publish(cloud, "09", **{"history-watermark": "2026-03-02 11"})
    with pytest.raises(probe_history.HistoryProbeError, match="somebody has replaced its text"):
        look(cloud)
    cloud.glue.delete_table(DatabaseName=cloud.deployment.database, Name=cloud.deployment.view)
    with pytest.raises(probe_history.HistoryProbeError, match="is not in the catalog: run `make up`"):
        look(cloud)


def test_systemds_words_are_read() -> None:
    assert probe_history.parse("node-1", SHOWN, NOW) == HistoryUnitView(
        "node-1", "active", "failed", "exit-code", 1, 600.0
    )
    for never in ("", "n/a"):
        shown = SHOWN.replace("Mon 2026-03-02 11:50:00 UTC", never)
        assert probe_history.parse("node-1", shown, NOW).last_run_age_seconds is None
    assert probe_history.parse("node-1", "", NOW) == HistoryUnitView("node-1", "unknown", "unknown")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"timer": "inactive"}, "stock-history.timer on node-1 is inactive: run `make up`"),
        (
            {"service": "failed", "result": "oom-kill", "exit_code": 137},
            "failed (oom-kill, exit code 137): read make ssh",
        ),
        ({"last_run_age_seconds": 8000.0}, "was 8000 s ago"),
        ({"failure": "no answer over SSH in 6 s"}, "on node-1 is unknown: no answer over SSH in 6 s"),
    ],
)
def test_a_timer_that_fails_or_is_overdue_is_not_well(changes: dict[str, Any], words: str) -> None:
    (said,) = verdict.problems(DEPLOYMENT, report(history=changed(WELL, units=[changed(UNIT, **changes)])))
    assert words in said


def test_a_history_that_falls_behind_is_not_well() -> None:
    assert verdict.problems(DEPLOYMENT, report(history=WELL)) == []
    running = changed(UNIT, service="activating", last_run_age_seconds=9000.0)
    assert verdict.problems(DEPLOYMENT, report(history=changed(WELL, units=[running]))) == []
    (said,) = verdict.problems(DEPLOYMENT, report(history=changed(WELL, hours_behind=26.2)))
    assert said.startswith("The history is 26 hours behind: `make compact`")
    # Nobody wants a history where no instance carries the service.
    assert verdict.problems(DEPLOYMENT, report(history=changed(WELL, hours_behind=26.2, units=[]))) == []


@pytest.mark.parametrize(
    ("history", "line"),
    [
        (WELL, "history    up to 2026-03-02 10h UTC, 0.5 hours behind; last run 5 min ago"),
        (
            HistoryView("", 0.0, [changed(UNIT, last_run_age_seconds=None)]),
            "history    none yet, no hour waits; no run yet",
        ),
        (
            changed(WELL, units=[]),
            "history    up to 2026-03-02 10h UTC, 0.5 hours behind; no instance carries stock_history",
        ),
        ("The view is gone.", "history    unknown"),
    ],
)
def test_the_screen_has_a_line_for_the_history(history: Any, line: str) -> None:
    seen = report(history=history)
    assert line in screen.render(DEPLOYMENT, seen, []).splitlines()
    assert msgspec.json.decode(msgspec.json.encode(seen))["history"]
