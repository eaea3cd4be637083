"""A week in minutes: `python -m tests.soak --minutes 6`, as root; `make soak` runs it.

The clock of every process runs some thousand times as fast, by a preloaded library; so this program starts itself
again with that library, in a namespace in which whatever it starts ends with it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from tests.chaos import clock
from tests.soak import plan
from tests.soak.stage import Stage
from tests.soak.verdict import judge

_FOLDER = "STOCK_MARKET_SOAK_FOLDER"
_SHOWN = 20
_PHASES = ("start", "hours", "rest", "verdict")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=6.0, help="how long it takes, beside start and verdict")
    parser.add_argument("--night", action="store_true", help="a year's last night instead of its last week")
    parser.add_argument("--logs", type=Path, default=Path(".state/soak"), help="where the logs of a bad one are kept")
    arguments = parser.parse_args()
    if not 0.3 <= arguments.minutes <= 60:
        parser.error("--minutes must be from 0.3 to 60")
    if not arguments.night and arguments.minutes < 4:
        parser.error("--minutes must be at least 4 for a week: AWS takes no signature that is older than 15 minutes")
    if os.geteuid() != 0:
        parser.error("a namespace for the processes needs root")
    return arguments


def _start_again() -> None:
    """Runs this program with the shifted clock."""
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    shifted = clock.Clock(clock.build(folder), folder / "clock")
    os.environ[_FOLDER] = str(folder)
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    sys.stdout.flush()
    command += ["env", *(f"{name}={value}" for name, value in shifted.variables.items())]
    os.execvp(command[0], [*command, sys.executable, "-m", "tests.soak", *sys.argv[1:]])


def _start_seconds(start_hour: float) -> int:
    """How far the clock has to be set so that it is this hour of the last day of a year, at least 40 days from now."""
    now = time.time()
    year = datetime.fromtimestamp(now + 40 * 86_400, UTC).year
    begin = datetime(year, 12, 31, tzinfo=UTC).timestamp() + start_hour * plan.HOUR_SECONDS
    return int(begin - now)


def main() -> int:
    """The program; returns the exit code: 0 when nothing was lost, doubled or grown."""
    arguments = _arguments()
    if _FOLDER not in os.environ:
        _start_again()
    folder = Path(os.environ[_FOLDER])
    what = (plan.night if arguments.night else plan.week)(arguments.minutes)
    shifted = clock.Clock(clock.library(folder), folder / "clock")
    shifted.jump(_start_seconds(what.start_hour))
    marks, well = [time.monotonic()], False
    stage = Stage(what, shifted, folder)
    try:
        print(f"{what.hours:g} hours from {datetime.now(UTC):%Y-%m-%d %H:%M}, {what.rate} times as fast", flush=True)
        for phase in (stage.play, stage.rest):
            marks.append(time.monotonic())
            phase()
        marks.append(time.monotonic())
        verdict, lines = judge(stage)
        marks.append(time.monotonic())
        lengths = [
            f"{name} {after - before:.0f} s" for name, (before, after) in zip(_PHASES, pairwise(marks), strict=True)
        ]
        for line in [*lines, f"time: {', '.join(lengths)}"]:
            print(f"  {line}")
        for problem in verdict.problems[:_SHOWN]:
            print(f"  PROBLEM: {problem}")
        print(
            f"{stage.hours:.0f} hours, {verdict.records:,} records of {verdict.producers} producers in"
            f" {verdict.objects:,} objects, {marks[-1] - marks[0]:.0f} s: {verdict.lost} lost,"
            f" {verdict.doubled} doubled, {len(verdict.problems)} problems"
        )
        well = verdict.well
        return 0 if well else 1
    finally:
        stage.close()
        if not well:
            arguments.logs.mkdir(parents=True, exist_ok=True)
            for path in [*folder.glob("*.log"), *folder.glob("kafka/*.log")]:
                shutil.copy(path, arguments.logs)
            print(f"the logs are in {arguments.logs}")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
