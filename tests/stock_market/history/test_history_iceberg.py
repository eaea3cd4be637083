"""Promises about quotes_iceberg: it has each record of the history once, whatever is killed when, in few files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.stock_market.history import NOON_HOUR, Deployment, hour_at

from stock_market.history import iceberg
from stock_market.history.compactor.athena import Athena, QueryError
from stock_market.history.naming import Hour
from stock_market.service import Stop
from stock_market.settings import HistoryIceberg

ICEBERG = HistoryIceberg()
TABLE = ICEBERG.table
NEXT_DAY = datetime(2026, 1, 2, 23, 30, tzinfo=UTC)
DAYS_LATER = datetime.now(UTC) + timedelta(days=2)
COLUMNS = "symbol, event_time, open, high, low, close, adj_close, volume, close_usd, producer_id, sequence, dt, hour"


class KilledError(BaseException):
    """The process is gone: nothing of it is done any more."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for growing pauses."""
    monkeypatch.setattr(Stop, "wait", lambda self, _seconds: self.requested or self._event.wait(0.02))


@pytest.fixture
def hours(deployment: Deployment) -> Deployment:
    """Two hours that are over, and a third."""
    deployment.main(0, range(10))
    deployment.main(10, range(10, 20), hour=1)
    deployment.main(20, range(20, 21), hour=2)
    return deployment


def run(deployment: Deployment, step: Callable[[str, Hour], None] | None = None, **settings: Any) -> list[Hour]:
    """One run that keeps the table, without a problem; the hours of which the table lacked something."""
    outcome = deployment.run(step, iceberg=ICEBERG, **settings)
    assert outcome.problems == []
    return outcome.merged


def held(deployment: Deployment) -> list[int]:
    """The sequence numbers in the table, in order, doubles included."""
    sql = f"SELECT array_join(array_agg(sequence ORDER BY sequence), ',') FROM {TABLE}"
    return [int(one) for one in (deployment.rows(sql)[0][0] or "").split(",") if one]


def before(step: str, act: Callable[[], Any]) -> Callable[[str, Hour], None]:
    """A hook that acts once, before the first of these steps."""
    once = iter([act])
    return lambda name, _hour: next(once, lambda: None)() if name == step else None


def kill() -> None:
    """Ends the compactor as kill -9 does."""
    raise KilledError


def location(deployment: Deployment) -> str:
    """The table's folder, as a key's beginning."""
    table = deployment.clients.glue.get_table(DatabaseName=deployment.database, Name=TABLE)["Table"]
    return str(table["StorageDescriptor"]["Location"]).removeprefix(f"s3://{deployment.bucket.name}/")


def number(deployment: Deployment, what: str) -> int:
    """How many files or snapshots the table has."""
    return int(deployment.rows(f'SELECT count(*) FROM "{TABLE}${what}"')[0][0] or 0)


def test_hours_that_are_history_are_in_the_table_with_all_their_fields(hours: Deployment) -> None:
    assert hours.run().merged == []
    assert run(hours) == [NOON_HOUR, hour_at(1)]
    assert held(hours) == list(range(20))
    for one, other in ((TABLE, "quotes_history"), ("quotes_history", TABLE)):
        assert hours.rows(f"SELECT {COLUMNS} FROM {one} EXCEPT SELECT {COLUMNS} FROM {other}") == []
    hours.main(21, range(21, 22), hour=3)
    assert run(hours) == [hour_at(2)]
    assert run(hours) == []
    assert held(hours) == list(range(21))


@pytest.mark.parametrize("step", ["create", "merge", "count", "optimize", "vacuum"])
def test_killed_before_any_step_the_next_run_completes(hours: Deployment, step: str) -> None:
    run(hours) if step in ("optimize", "vacuum") else None
    hours.main(21, range(21, 30), hour=12)
    hours.main(30, range(30, 31), hour=13)
    with pytest.raises(KilledError):
        hours.run(before(step, kill), iceberg=ICEBERG, now=NEXT_DAY)
    run(hours, now=NEXT_DAY)
    assert held(hours) == list(range(30))
    assert run(hours, now=NEXT_DAY, every_day=True) == []


@pytest.mark.parametrize("step", ["create", "merge"])
def test_two_at_once_add_each_hour_once(hours: Deployment, step: str) -> None:
    both = threading.Barrier(2)
    found: list[Any] = []

    def one_of_them() -> None:
        found.append(hours.run(before(step, lambda: both.wait(120)), iceberg=ICEBERG, attempts=6))

    hours.run()
    threads = [threading.Thread(target=one_of_them) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [outcome.problems for outcome in found] == [[], []]
    assert held(hours) == list(range(20))


def test_of_merges_at_once_iceberg_refuses_those_that_did_not_see_the_first(hours: Deployment) -> None:
    hours.main(21, range(21, 3021), hour=3)
    hours.main(3021, range(3021, 3022), hour=4)
    hours.run()
    hours.execution(iceberg.create(TABLE, f"s3://{hours.bucket.name}/iceberg/at-once/"))
    sql = iceberg.merge(TABLE, "quotes_history", {hour_at(3): "1"})
    ends: list[str] = []

    def merge() -> None:
        try:
            hours.execution(sql)
            ends.append("SUCCEEDED")
        except AssertionError as error:
            ends.append(str(error))

    threads = [threading.Thread(target=merge) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert all(end == "SUCCEEDED" or "ICEBERG_COMMIT_ERROR" in end for end in ends), ends
    assert "SUCCEEDED" in ends
    assert held(hours) == list(range(21, 3021))


def test_a_merge_that_goes_on_in_athena_after_its_host_died_adds_nothing_twice(hours: Deployment) -> None:
    run(hours)
    revisions = {NOON_HOUR: "1", hour_at(1): "1"}
    for _ in range(2):
        hours.execution(iceberg.merge(TABLE, "quotes_history", revisions))
    assert held(hours) == list(range(20))
    assert number(hours, "files") == 1


def test_records_that_come_late_are_added_to_their_hour(hours: Deployment) -> None:
    run(hours)
    hours.main(0, range(50, 53), partition=1)
    assert run(hours) == [NOON_HOUR]
    assert held(hours) == [*range(20), 50, 51, 52]


def test_a_late_revision_that_was_published_and_not_added_is_added_by_a_later_run_however_old(
    hours: Deployment,
) -> None:
    run(hours)
    hours.main(0, range(50, 53), partition=1)
    with pytest.raises(KilledError):
        hours.run(before("merge", kill), iceberg=ICEBERG)
    hours.main(21, range(21, 22), hour=100)
    hours.main(22, range(22, 23), hour=101)
    hours.main(3, range(60, 61), hour=101, partition=1)
    assert NOON_HOUR in run(hours, now=DAYS_LATER)
    assert held(hours) == [*range(22), 50, 51, 52]


def test_a_stalled_host_does_not_take_another_s_later_revision_for_doubled(hours: Deployment) -> None:
    def others() -> None:
        hours.main(0, range(50, 53), partition=1)
        run(hours)

    outcome = hours.run(before("count", others), iceberg=ICEBERG)
    assert outcome.problems == []
    assert held(hours) == [*range(20), 50, 51, 52]


def test_switched_off_nobody_writes_the_table_and_switched_on_again_it_catches_up(hours: Deployment) -> None:
    run(hours)
    files = hours.bucket.keys("iceberg/")
    hours.main(21, range(21, 22), hour=30)
    hours.main(22, range(22, 23), hour=80)
    assert hours.run(now=DAYS_LATER).problems == []
    assert hours.bucket.keys("iceberg/") == files
    assert held(hours) == list(range(20))
    assert run(hours, now=DAYS_LATER) == [hour_at(2), hour_at(30)]
    assert held(hours) == list(range(22))


def test_a_table_that_was_lost_with_the_catalog_is_filled_again_and_its_files_go_after_the_grace(
    hours: Deployment,
) -> None:
    run(hours)
    old = location(hours)
    hours.clients.glue.delete_table(DatabaseName=hours.database, Name=TABLE)
    assert run(hours) == [NOON_HOUR, hour_at(1)]
    assert held(hours) == list(range(20))
    assert location(hours) != old
    assert hours.bucket.keys(old)
    run(hours, now=DAYS_LATER)
    assert hours.bucket.keys(old) == []
    assert held(hours) == list(range(20))


def test_a_day_that_has_ended_becomes_one_file_and_old_snapshots_go(hours: Deployment) -> None:
    start = 21
    for hour in range(3, 9):
        run(hours)
        hours.main(start, range(start, start + 1), hour=hour)
        start += 1
    run(hours)
    assert number(hours, "files") > 5
    snapshots = number(hours, "snapshots")
    hours.execution(f"ALTER TABLE {TABLE} SET TBLPROPERTIES ('vacuum_max_snapshot_age_seconds' = '0')")
    data = hours.bucket.keys(f"{location(hours)}/data/")
    hours.main(start, range(start, start + 1), hour=12)
    hours.main(start + 1, range(start + 1, start + 2), hour=13)
    run(hours, now=NEXT_DAY)
    assert number(hours, "files") == 2
    assert number(hours, "snapshots") == 1 < snapshots
    assert len(hours.bucket.keys(f"{location(hours)}/data/")) == 2 < len(data)
    assert held(hours) == list(range(start + 1))


@pytest.mark.parametrize("times", [3, 20])
@pytest.mark.parametrize("statement", ["OPTIMIZE", "VACUUM"])
def test_what_athena_ends_halfway_is_started_again(
    hours: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, statement: str, times: int
) -> None:
    hours.main(21, range(21, 22), hour=12)
    hours.main(22, range(22, 23), hour=13)
    asked: list[str] = []
    run_really = Athena.run

    def halfway(self: Athena, sql: str, what: str) -> str:
        asked.append(what)
        if what.startswith(statement) and (asked.count(what) < times or times == 20):
            raise QueryError(f"Athena ended the {what} as FAILED: ICEBERG_{statement}_MORE_RUNS_NEEDED: 100 this round")
        return run_really(self, sql, what)

    monkeypatch.setattr(Athena, "run", halfway)
    run(hours, now=NEXT_DAY)
    expected = {"OPTIMIZE": 1, "VACUUM": 1} | {statement: times}
    assert {name: asked.count(f"{name} of {TABLE}") for name in expected} == expected
    assert ("maintenance_unfinished" in caplog.text) == (times == 20)


def test_a_days_files_are_joined_from_two_on(hours: Deployment) -> None:
    hours.main(21, range(21, 22), hour=3)
    hours.main(22, range(22, 23), hour=4)
    run(hours)
    threshold = f"SELECT value FROM \"{TABLE}$properties\" WHERE key = 'optimize_rewrite_data_file_threshold'"
    assert hours.rows(threshold) == [["2"]]


def test_a_run_asks_for_no_more_than_the_newest_days_and_a_merge_for_no_more_than_its_hours(
    hours: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours.main(21, range(21, 5021), hour=3)
    hours.main(5021, range(5021, 5022), hour=75)
    hours.main(5022, range(5022, 5023), hour=76)
    run(hours, now=DAYS_LATER)
    compactor = hours.compactor(iceberg=ICEBERG, now=DAYS_LATER)
    asked: list[str] = []
    monkeypatch.setattr(compactor._attempts, "read_manifest", lambda folder: asked.append(folder.hour.text))
    ask = Athena.rows

    def rows(self: Athena, sql: str, what: str) -> list[list[str | None]]:
        asked.append(sql)
        return ask(self, sql, what)

    monkeypatch.setattr(Athena, "rows", rows)
    assert compactor._iceberg is not None
    assert compactor._iceberg.fill(every=False, dry=False) == []
    assert asked == [iceberg.counts(TABLE, "2026-01-03", {"2026-01-04"})]
    sql = iceberg.merge(TABLE, "quotes_history", {hour_at(75): "1"})
    whole = hours.execution(f"SELECT count(producer_id), count(sequence) FROM {TABLE}")["Statistics"]
    assert hours.execution(sql)["Statistics"]["DataScannedInBytes"] < whole["DataScannedInBytes"]


def test_records_that_somebody_has_doubled_are_a_problem_in_a_sentence(hours: Deployment) -> None:
    run(hours)
    hours.execution(f"INSERT INTO {TABLE} SELECT * FROM {TABLE} WHERE hour = '12' AND sequence < 3")
    outcome = hours.run(iceberg=ICEBERG, every_day=True)
    (problem,) = outcome.problems
    assert problem.startswith(f"the table {TABLE} has 13 records of the hour 2026-01-01 12, and the history has 10: ")


def test_a_table_of_another_kind_is_left_alone(hours: Deployment) -> None:
    hours.clients.glue.create_table(DatabaseName=hours.database, TableInput={"Name": TABLE})
    (problem,) = hours.run(iceberg=ICEBERG).problems
    assert "is no table of Iceberg's" in problem
    assert hours.bucket.keys("iceberg/") == []


def test_a_dry_run_creates_and_adds_nothing(hours: Deployment) -> None:
    hours.run()
    assert run(hours, dry=True) == []
    assert hours.bucket.keys("iceberg/") == []
    run(hours)
    hours.main(21, range(21, 22), hour=3)
    hours.run()
    assert run(hours, dry=True) == [hour_at(2)]
    assert held(hours) == list(range(20))
