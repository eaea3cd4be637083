"""A short fault trial, and one of a consumer that is wrong: `make chaos` runs the long one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.chaos import cuts, schedule
from tests.chaos.faults import Fault, FillDisk

_SEED = 2026
_ROOT = Path(__file__).resolve().parents[2]
_EVERY_KIND = len(schedule.kinds(1))
_ENVIRONMENT = os.environ | {"PYTHONPATH": f"{_ROOT / 'scripts'}:{_ROOT}"}


class Trial:
    """A trial in a process of its own."""

    def __init__(self, logs: Path, *options: str) -> None:
        command = [sys.executable, "-m", "tests.chaos", "--logs", str(logs), *options]
        self.process = subprocess.Popen(
            command, cwd=_ROOT, env=_ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._output = ""

    def output(self) -> str:
        """All that it prints; waits for its end."""
        if not self._output:
            self._output = self.process.communicate(timeout=1200)[0]
        return self._output


def _plan(*options: str) -> str:
    command = [sys.executable, "-m", "tests.chaos", "--plan", *options]
    return subprocess.run(command, cwd=_ROOT, env=_ENVIRONMENT, text=True, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Trial]]:
    """Both trials, side by side."""
    folder = tmp_path_factory.mktemp("chaos")
    seed = ["--seed", str(_SEED), "--rate", "400"]
    mutant = ["--only", "s3 error", "--faults", "3", "--consumer-module", "tests.chaos.mutants.believer"]
    history = ["--only", "history", "--faults", "8", "--gap", "6"]
    running = {
        "real": Trial(folder, *seed, "--faults", str(_EVERY_KIND), "--gap", "0.9"),
        "mutant": Trial(folder, *seed, *mutant),
    }
    # The others leave it no processor to end its hours in time.
    running["real"].output()
    running["history"] = Trial(folder, *seed[:2], "--rate", "150", *history)
    yield running
    for trial in running.values():
        trial.process.kill()
        trial.process.wait()


def test_faults_of_every_kind_lose_and_double_nothing(trials: dict[str, Trial]) -> None:
    output = trials["real"].output()
    assert trials["real"].process.returncode == 0, output
    assert re.search(rf"^{_EVERY_KIND} faults, [\d,]+ records, \d+ s: 0 lost, 0 doubled$", output, re.MULTILINE)
    felt = {name: int(count) for count, name in re.findall(r"(\d+) ([a-zA-Z][^,\n]*)", output.split("felt: ")[1])}
    assert felt["S3 faults"] > 0, output
    assert felt["starts of consumers"] > schedule.draw_cast(_SEED, 1, "", 400).consumers + 1, output
    assert felt["starts of broker"] > 1, output
    assert felt["waits for credentials"] > 0, output
    assert felt["refused credentials"] > 0, output
    assert felt["logs cut"] > 0, output


def test_a_consumer_that_takes_an_error_for_success_is_found_out(trials: dict[str, Trial]) -> None:
    output = trials["mutant"].output()
    assert trials["mutant"].process.returncode == 1, output
    assert int(re.findall(r": (\d+) lost, 0 doubled$", output, re.MULTILINE)[-1]) > 0
    assert "are in the topic and not in S3" in output
    assert "the verifier ended with code 1" in output
    assert f"make chaos SEED={_SEED} FAULTS=3 ROUND=1" in output


def test_killed_stalled_and_refused_compactors_lose_and_double_nothing(trials: dict[str, Trial]) -> None:
    output = trials["history"].output()
    assert trials["history"].process.returncode == 0, output
    felt = {name: int(count) for count, name in re.findall(r"(\d+) ([a-zA-Z][^,\n]*)", output.split("felt: ")[1])}
    assert felt["partitions of the history"] > 1, output
    assert felt["counts of rows"] > 3, output
    assert felt["starts of compactors"] > 4, output


def test_no_disk_of_the_broker_is_filled_while_it_recovers_its_logs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr(cuts, "answers", lambda _address: next(answers))
    left: list[list[bool]] = []

    def full() -> AbstractContextManager[None]:
        left.append(list(answers))
        return nullcontext()

    broker: Any = SimpleNamespace(running=True, held=nullcontext)
    cutter = cuts.LogCutter(broker, "127.0.0.1:9", tmp_path, "quotes")
    stage: Any = SimpleNamespace(cutter=cutter, broker=broker, volumes={"broker": SimpleNamespace(full=full)})
    FillDisk(0.0, 0.0, "broker").strike(stage)
    # One that does not run recovers nothing, and is not asked.
    broker.running = None
    FillDisk(0.0, 0.0, "broker").strike(stage)
    assert left == [[], []]


def test_rounds_cut_logs_and_set_the_brokers_clock_by_turns() -> None:
    history = {name for name in schedule.KINDS if name.startswith("history")}
    assert set(schedule.KINDS) - set(schedule.kinds(1)) == {"clock broker", *history}
    assert set(schedule.KINDS) - set(schedule.kinds(2)) == {"cut log"}
    assert set(schedule.kinds(4, "history")) == history
    assert schedule.kinds(1, "clock broker") == ["clock broker"]


def test_a_seed_repeats_its_schedule() -> None:
    def schedules(seed: int) -> list[list[Fault]]:
        casts = {number: schedule.draw_cast(seed, number, "", 400) for number in (1, 2)}
        return [schedule.draw(seed, number, 50, cast) for number, cast in casts.items()]

    first, second = schedules(7)
    assert [first, second] == schedules(7)
    assert first not in [second, *schedules(8)]
    plan = _plan("--seed", "7", "--faults", "100", "--round", "2").splitlines()
    assert [line.split(" s  ")[1] for line in plan[2:]] == [str(fault) for fault in second]
