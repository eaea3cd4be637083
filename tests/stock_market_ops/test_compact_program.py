"""`make compact`: hours become history, with their progress on the screen; failures are sentences and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.small_cloud import SmallCloud
from tests.support.stock_market.history import lines
from tests.support.stock_market.lake import NOON, Lake

from stock_market.history.compactor import log_ends
from stock_market.history.compactor.engine import Outcome
from stock_market.history.naming import Hour
from stock_market.hours import HOUR_MS
from stock_market.settings import HistoryIceberg
from stock_market_ops.compact import command as compact
from stock_market_ops.query import command as query

Run = Callable[..., int]


class _Bucket:
    """The data bucket, as Lake uses one."""

    def __init__(self, cloud: SmallCloud) -> None:
        self.client, self.name = cloud.s3, cloud.deployment.data_bucket


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallCloud]:
    """Raw objects of three hours of the past; nobody listens at Kafka's address."""
    monkeypatch.setattr(log_ends, "_PAUSE_SECONDS", 0.0)
    running = SmallCloud(tmp_path / "cloud")
    running.make_table()
    lake = Lake(_Bucket(running))  # type: ignore[arg-type]  # it has what Lake uses of a bucket
    for hour in range(3):
        lake.main(10 * hour, lines(range(10 * hour, 10 * hour + 10)), time_ms=NOON + hour * HOUR_MS)
    yield running
    running.close()


@pytest.fixture
def run(cloud: SmallCloud) -> Run:
    """The program, on that deployment, with its own credentials in place of the role's."""
    state = cloud.state_root / cloud.deployment.deployment
    known = msgspec.structs.replace(cloud.deployment, history_profile=cloud.deployment.deployment)
    (state / "deployment.json").write_bytes(msgspec.json.encode(known))
    return lambda *arguments: compact.main([*own(cloud), *arguments])


def own(cloud: SmallCloud) -> list[str]:
    return ["--deployment", cloud.deployment.deployment, "--state-root", str(cloud.state_root)]


def rows(cloud: SmallCloud, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What Athena answers about all quotes."""
    capsys.readouterr()
    sql = "SELECT count(*) AS quotes, count(DISTINCT sequence) AS numbers, sum(sequence) AS total FROM quotes_all"
    assert query.main([*own(cloud), "--format", "json", "--sql", sql]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_the_hours_that_are_over_become_history_and_the_answers_stay_the_same(
    cloud: SmallCloud, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(cloud, capsys)
    assert before == [{"quotes": 30, "numbers": 30, "total": sum(range(30))}]
    assert run("--dry-run") == 0
    said = capsys.readouterr()
    assert "2026-01-01 12h  would become history: 10 quotes" in said.out.splitlines()
    assert said.out.splitlines()[-1] == "2 hours would become history, the last one 2026-01-01 13h UTC."
    assert rows(cloud, capsys) == before
    assert run("--hours", "1") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("Kafka does not answer (the broker 127.0.0.1:9 cannot be reached")
    assert out[1].startswith("2026-01-01 12h  written and compared: 1 raw objects, 1 files of ")
    assert out[2] == "2026-01-01 12h  history: 10 quotes"
    assert out[-1] == "1 hour became history, the last one 2026-01-01 12h UTC."
    assert rows(cloud, capsys) == before
    assert run() == 0
    out = capsys.readouterr().out.splitlines()
    assert "2026-01-01 13h  history: 10 quotes" in out
    assert any(line.startswith("2026-01-01 14h  not over yet: ") for line in out)
    assert rows(cloud, capsys) == before
    assert run() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 hours became history."


def test_what_fails_is_a_sentence_and_the_hour_stays_raw(
    cloud: SmallCloud, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(cloud, capsys)
    cloud.athena.delete_work_group(WorkGroup=cloud.deployment.workgroup, RecursiveDeleteOption=True)
    assert run() == 1
    said = capsys.readouterr()
    assert "StartQueryExecution was refused: " in said.err
    output = f"s3://{cloud.deployment.results_bucket}/results/"
    cloud.athena.create_work_group(
        Name=cloud.deployment.workgroup, Configuration={"ResultConfiguration": {"OutputLocation": output}}
    )
    assert rows(cloud, capsys) == before
    cloud.glue.delete_table(DatabaseName=cloud.deployment.database, Name=cloud.deployment.view)
    assert run() == 3
    assert capsys.readouterr().err.endswith(".quotes_all is not in the catalog: run `make up`.\n")


def test_no_deployment_is_exit_code_3_and_a_wrong_number_2(
    cloud: SmallCloud, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="3"):
        compact.main(["--deployment", "elsewhere", "--state-root", str(cloud.state_root)])
    assert "run `make up` first" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        run("--hours", "0")
    assert ended.value.code == 2
    assert "'0' is no number above 0" in capsys.readouterr().err


def test_the_program_keeps_the_iceberg_table_that_the_deployment_names_and_tells_of_it(cloud: SmallCloud) -> None:
    assert compact.settings_of(cloud.deployment).iceberg is None
    known = msgspec.structs.replace(cloud.deployment, iceberg_table="quotes_iceberg")
    assert compact.settings_of(known).iceberg == HistoryIceberg(table="quotes_iceberg", prefix="iceberg/")
    done = Outcome(merged=[Hour("2026-01-01", "12")])
    assert compact.summary(done, dry=False) == "0 hours became history; 1 added to the Iceberg table."
