"""The benchmarks: `make bench PART=...`, of which `--help` names the parts.

Prints a table for each part and writes JSON under benchmarks/results/. Not among `all` are `peers` and `first_byte`,
which fetch other people's programs, `scale`, which takes long, `live`, which needs Chromium, `outage`, which takes S3
away for ten minutes, and `profile`, which prints where producer and consumer spend their time. Exit code 0 where
everything could be measured, whether the goals were met or not.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from functools import partial

from benchmarks import curves, deployment, first_byte, history, history_hour, history_queries, live, replay, stream
from benchmarks.figures import ROOT, Figure, machine, table, write
from benchmarks.measured import BenchmarkError
from benchmarks.peers import part as peers
from benchmarks.profiles import profiles
from moto.moto_api._internal.models import moto_api_backend

from kafka_distribution.build import BuildError


def main() -> int:
    """The program; returns the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=__doc__)
    parts = (
        "deployment",
        "history",
        "stream",
        "replay",
        "peers",
        "scale",
        "first_byte",
        "live",
        "outage",
        "profile",
        "all",
    )
    parser.add_argument("--part", choices=(*parts, "all"), default="all", help="default: %(default)s")
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="of the stream's record counts; below 1 it only shows that the benchmark works, default: %(default)s",
    )
    options = parser.parse_args()
    # An end that is asked for ends what has been started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _run(options.part, options.scale)
    except (BenchmarkError, BuildError) as error:
        print(f"There is no measurement: {error}", file=sys.stderr)
        return 1
    return 0


def _run(part: str, scale: float) -> None:
    if part in ("deployment", "all"):
        _show("deployment", deployment.figures)
    if part in ("history", "all"):
        _show("history", partial(_history, scale))
    if part in ("stream", "all"):
        _show("stream", partial(stream.figures, scale))
    if part in ("replay", "all"):
        _show("replay", partial(replay.figures, scale))
    if part == "peers":
        _show_with_tables("peers", partial(peers.figures, scale))
    if part == "scale":
        _show_with_tables("scale", partial(curves.figures, scale))
    if part == "first_byte":
        _show_with_tables("first_byte", partial(first_byte.figures, scale))
    if part == "live":
        _show("live", partial(live.figures, scale))
    if part == "outage":
        _show("outage", partial(stream.outage_figures, scale))
    if part == "profile":
        print(profiles(scale))


def _history(scale: float) -> list[Figure]:
    """A month of raw objects, what the history saves, and an hour made history; each begins with an empty cloud."""
    found: list[Figure] = []
    for measure in (history.figures, history_queries.figures, history_hour.figures):
        moto_api_backend.reset()
        found += measure(scale)
    moto_api_backend.reset()
    return found


def _show_with_tables(part: str, measure: Callable[[], tuple[list[Figure], str]]) -> None:
    """The figures, and below them the tables that belong to them: what each program guarantees, or the curves."""
    said: list[str] = []

    def figures() -> list[Figure]:
        found, about = measure()
        said.append(about)
        return found

    _show(part, figures)
    print(f"\n{said[0]}")


def _show(part: str, measure: Callable[[], list[Figure]]) -> None:
    about = machine()
    figures = measure()
    print(f"\n{about['cpu']}, {about['cores']} cores, {about['memory_gb']} GB; commit {about['commit'][:12]}\n")
    print(table(figures))
    print(f"\nwritten to {write(part, figures, about).relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
