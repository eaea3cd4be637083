"""The last night of a year in half a minute: `make soak` plays the whole week."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.chaos import clock
from tests.soak.plan import night, week
from tests.soak.vitals import Sample, Vitals
from tests.support.stock_market.services import eventually

_ROOT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = os.environ | {"PYTHONPATH": f"{_ROOT / 'scripts'}:{_ROOT}"}


def test_a_night_of_renewals_over_the_end_of_a_year_loses_and_doubles_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.soak", "--night", "--minutes", "0.5", "--logs", str(tmp_path)]
    done = subprocess.run(command, cwd=_ROOT, env=_ENVIRONMENT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(
        r"^14 hours, [\d,]+ records of 3 producers in \d+ objects, \d+ s: 0 lost, 0 doubled", done.stdout, re.M
    )
    assert "verifier: 0 missing, 0 findings" in done.stdout
    last = int(re.findall(r"sequence up to (\d+)", done.stdout)[0])
    assert last > 2**31, done.stdout


def test_a_clock_that_runs_fast_is_seen_by_another_process_and_slows_down_again(tmp_path: Path) -> None:
    shifted = clock.Clock(clock.build(tmp_path), tmp_path / "clock")
    program = "import time; [print(time.time(), time.monotonic(), flush=True) or input() for _ in range(5)]"
    environment = os.environ | shifted.variables
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None

        def look() -> tuple[float, float]:
            wall, steady = map(float, other.stdout.readline().split())  # type: ignore[union-attr]  # both are pipes
            return wall, steady

        def go_on() -> None:
            other.stdin.write("\n")  # type: ignore[union-attr]  # both are pipes
            other.stdin.flush()  # type: ignore[union-attr]  # both are pipes

        first = look()
        assert abs(first[0] - time.time()) < 5
        shifted.jump(1000)
        shifted.run(1000)
        go_on()
        second = look()
        time.sleep(0.2)
        go_on()
        third = look()
        assert 0.9 < (third[0] - second[0]) / (third[1] - second[1]) / 1000 < 1.1
        shifted.run(1)
        go_on()
        fourth = look()
        # The kernel's time is known to some milliseconds, which are as many seconds of a fast clock.
        assert fourth[0] > third[0] - 30
        go_on()
    assert fourth[0] - time.time() > 1000 + 200 - 30


def test_growth_of_memory_files_or_threads_is_found_and_a_single_step_is_none() -> None:
    def life(*quarters: Sample) -> list[Sample]:
        return [each for quarter in (Sample(90_000, 40, 9), *quarters) for each in [quarter] * 10]

    flat = Sample(50_000, 10, 3)
    vitals = Vitals()
    vitals.finish()
    vitals._samples = {
        "steady": life(flat, flat, flat),
        "step": life(flat, Sample(62_000, 18, 9), Sample(62_000, 18, 9)),
        "memory": life(flat, Sample(52_100, 10, 3), Sample(54_200, 10, 3)),
        "files": life(flat, Sample(50_000, 13, 3), Sample(50_000, 16, 3)),
        "threads": life(flat, Sample(50_000, 10, 5), Sample(50_000, 10, 7)),
        "leap": life(flat, flat, Sample(66_500, 10, 3)),
        "short": [flat] * 9,
        "early-0": life(flat, Sample(62_000, 17, 9), Sample(62_000, 17, 9)),
        "early-1": life(flat, Sample(53_000, 13, 6), Sample(62_000, 17, 9)),
        "both-0": life(flat, Sample(50_000, 13, 3), Sample(50_000, 16, 3)),
        "both-1": life(flat, Sample(50_000, 13, 3), Sample(50_000, 16, 3)),
    }
    grown, lines = vitals.judge(growth_mib=2)
    assert sorted(re.findall(r"([\w-]+)(?::| was)", line)[-1] for line in grown) == [
        *("both-0", "both-1", "files", "leap", "memory", "short", "threads"),
    ]
    assert len(lines) == 10


_LEAKING = """
import os, sys, threading, time
held, over = [], threading.Event()
while True:
    if sys.argv[1] == "memory":
        held.append(b"x" * (1 << 20))
    elif sys.argv[1] == "files":
        held.append(os.open("/dev/null", os.O_RDONLY))
    elif sys.argv[1] == "threads":
        threading.Thread(target=over.wait, daemon=True).start()
    print(flush=True)
    time.sleep(0.02)
"""


def test_a_process_that_leaks_memory_files_or_threads_is_found_while_it_runs() -> None:
    leaks = ("nothing", "memory", "files", "threads")
    with ExitStack() as ended:
        vitals = Vitals(period=0.05)
        for leak in leaks:
            command = [sys.executable, "-c", _LEAKING, leak]
            process = ended.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            ended.callback(process.kill)
            assert process.stdout is not None
            # An interpreter that starts grows, too.
            process.stdout.readline()
            vitals.watch(leak, process.pid)
        eventually(lambda: min(map(len, vitals._samples.values())) >= 48, "samples of every process")
        vitals.finish()
    grown, lines = vitals.judge(growth_mib=2)
    assert [line.split(":")[1].strip() for line in grown] == ["memory", "files", "threads"]
    assert len(lines) == len(leaks)


def test_a_plan_leaves_each_thing_time_to_happen() -> None:
    for plan in (week(8), night(0.5)):
        assert plan.offsets_kept < plan.outage < plan.retention < plan.hours
        assert plan.idle_every > plan.producer_ids_kept
        assert min(plan.renew_at) < plan.first_life < plan.hours
        assert not any(plan.outage_at <= hour <= plan.outage_at + plan.outage for hour in plan.renew_at)
    # AWS takes no signature that is older than fifteen minutes; here that is a request's time.
    assert week(8).real_seconds(0.25) > 0.5
