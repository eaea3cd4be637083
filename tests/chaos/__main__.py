"""Fault trials: `python -m tests.chaos --seed 123 --faults 500`, as root; `make chaos` runs it."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

from tests.chaos import schedule
from tests.chaos.trial import Outcome, play

_ISOLATED = "STOCK_MARKET_CHAOS_ISOLATED"
_PER_ROUND = 50
_SHOWN = 20


def _isolate() -> None:
    """Runs this program again, with mounts and processes of its own: when it ends, however it ends, so do they."""
    if os.environ.get(_ISOLATED):
        return
    os.environ[_ISOLATED] = "yes"
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    sys.stdout.flush()
    os.execvp(command[0], [*command, sys.executable, "-m", "tests.chaos", *sys.argv[1:]])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeats a schedule; without it one is drawn")
    parser.add_argument("--faults", type=int, default=500, help="how many, in rounds of 50 (default 500)")
    parser.add_argument("--round", type=int, help="plays this round of the schedule only, from 1 on")
    parser.add_argument("--only", default="", metavar="KIND", help="only kinds of faults whose name begins so")
    parser.add_argument(
        "--gap",
        type=float,
        default=schedule.GAP_SECONDS,
        metavar="SECONDS",
        help="from one fault to the next, on the average (default %(default)s)",
    )
    parser.add_argument("--rate", type=float, default=1200.0, help="records per second of each producer (default 1200)")
    parser.add_argument("--plan", action="store_true", help="prints the schedule and plays nothing")
    parser.add_argument(
        "--consumer-module",
        default="stock_market.consumer",
        metavar="MODULE",
        help="plays another consumer; those of tests.chaos.mutants show that the verdict can be bad",
    )
    parser.add_argument("--logs", type=Path, default=Path(".state/chaos"), help="where logs of a bad round are kept")
    arguments = parser.parse_args()
    if arguments.faults < 1:
        parser.error("--faults must be at least 1")
    if arguments.gap <= 0 or arguments.rate <= 0:
        parser.error("--gap and --rate must be more than 0")
    if arguments.round is not None and not 1 <= arguments.round <= -(-arguments.faults // _PER_ROUND):
        parser.error("--round must be one of the schedule's rounds")
    if not any(name.startswith(arguments.only) for name in schedule.KINDS):
        parser.error(f"--only must begin one of these kinds: {', '.join(schedule.KINDS)}")
    if os.geteuid() != 0:
        parser.error("small disks are mounted and filled, which needs root")
    return arguments


def _show(outcome: Outcome) -> None:
    verdict = outcome.verdict
    felt = ", ".join(f"{count} {name}" for name, count in outcome.counts.items())
    print(f"  felt: {felt}")
    for note, times in Counter(outcome.notes).items():
        print(f"  note: {note}" + (f" ({times} times)" if times > 1 else ""))
    for problem in verdict.problems[:_SHOWN]:
        print(f"  PROBLEM: {problem}")
    if len(verdict.problems) > _SHOWN:
        print(f"  and {len(verdict.problems) - _SHOWN} more problems")
    print(
        f"  verdict after {outcome.seconds:.0f} s: {verdict.records:,} records of {verdict.producers} producers in"
        f" {verdict.objects:,} objects, {verdict.quarantined} in quarantine, {verdict.acknowledged:,} acknowledged ones"
        f" looked for: {verdict.lost} lost, {verdict.doubled} doubled, {len(verdict.problems)} problems",
        flush=True,
    )


def main() -> int:
    """The program; returns the exit code: 0 when nothing was lost or doubled, 1 otherwise."""
    arguments = _arguments()
    seed = random.randrange(1_000_000) if arguments.seed is None else arguments.seed
    sizes = [min(_PER_ROUND, arguments.faults - first) for first in range(0, arguments.faults, _PER_ROUND)]
    begun, struck, records, lost, doubled, bad = time.monotonic(), 0, 0, 0, 0, []
    print(f"seed {seed}, {arguments.faults} faults in {len(sizes)} rounds")
    for number, size in enumerate(sizes, start=1):
        if arguments.round not in {None, number}:
            continue
        cast = schedule.draw_cast(seed, number, arguments.consumer_module, arguments.rate, arguments.only)
        faults = schedule.draw(seed, number, size, cast, only=arguments.only, gap_seconds=arguments.gap)
        membership = "static" if cast.static else "dynamic"
        history = ", hours become history" if cast.history else ""
        print(f"round {number}, seed {seed}: {size} faults, {membership} membership{history}")
        for fault in faults:
            print(f"  {fault.at:6.1f} s  {fault}")
        sys.stdout.flush()
        if arguments.plan:
            continue
        outcome = play(cast, faults, arguments.logs / f"{seed}-{number}")
        _show(outcome)
        struck += size
        records += outcome.verdict.records
        lost += outcome.verdict.lost
        doubled += outcome.verdict.doubled
        if not outcome.verdict.well:
            bad.append(number)
    if arguments.plan:
        return 0
    print(f"{struck} faults, {records:,} records, {time.monotonic() - begun:.0f} s: {lost} lost, {doubled} doubled")
    for number in bad:
        print(
            f"round {number} is bad; its logs are in {arguments.logs / f'{seed}-{number}'}; the same schedule again:"
            f" make chaos SEED={seed} FAULTS={arguments.faults} ROUND={number}"
        )
    return 1 if bad else 0


if __name__ == "__main__":
    _isolate()
    sys.exit(main())
