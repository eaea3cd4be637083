"""What a benchmark hands over: figures with their goals, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

_BAR_BLOCKS = 24
ROOT = Path(__file__).resolve().parents[1]
"""The checkout that is measured."""


@dataclass(frozen=True)
class Figure:
    """Something measured once or several times, beside its goal.

    Attributes:
        what: names it in the table.
        values: one for each time, in the order of measuring.
        unit: of the values and of the goal.
        goal: what the median is to reach; None where it is only reported.
        at_least: whether more is better.
        unanswered: whether what was measured failed after these values; it has missed its goal then.
    """

    what: str
    values: tuple[float, ...]
    unit: str
    goal: float | None = None
    at_least: bool = False
    unanswered: bool = False

    @property
    def verdict(self) -> str:
        """`met`, `missed`, `no answer`, or nothing where there is no goal."""
        if self.unanswered:
            return "no answer"
        if self.goal is None:
            return ""
        middle = median(self.values)
        return "met" if (middle >= self.goal if self.at_least else middle <= self.goal) else "missed"


def at_most(what: str, value: float, goal: float, unit: str) -> Figure:
    """A figure measured once, of which less is better."""
    return Figure(what, (value,), unit, goal)


def ratios(over: list[float], under: list[float]) -> tuple[float, ...]:
    """The ratio of two figures that were measured in turn, round by round."""
    return tuple(one / other for one, other in zip(over, under, strict=True))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(figures: list[Figure]) -> str:
    """The table of `make bench`, which is Markdown too."""
    rows = []
    for figure in figures:
        goal = "" if figure.goal is None else f"{'>=' if figure.at_least else '<='} {_number(figure.goal)}"
        several = len(figure.values) > 1
        span = f"{_number(min(figure.values))} to {_number(max(figure.values))}" if several else ""
        rows.append([figure.what, _number(median(figure.values)), span, figure.unit, goal, figure.verdict])
    headers = ["figure", "median", "least to most", "unit", "goal", ""]
    align = ("left", "right", "right", "left", "right", "left")
    return tabulate(rows, headers=headers, disable_numparse=True, colalign=align, tablefmt="github")


def bar(share: float) -> str:
    """A bar for a table, of 24 blocks where `share` is 1; none where it rounds to nothing."""
    return "█" * round(_BAR_BLOCKS * share)


def machine() -> dict[str, Any]:
    """What the figures depend on beside the code."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30, 1),
        "system": platform.system() + " " + platform.release(),
        "python": platform.python_version(),
        "load_average_at_start": os.getloadavg()[0],
        "commit": commit.stdout.strip(),
    }


def write(part: str, figures: list[Figure], about: dict[str, Any]) -> Path:
    """Writes `benchmarks/results/<UTC time>-<part>.json` and returns its path."""
    results = ROOT / "benchmarks" / "results"
    results.mkdir(exist_ok=True)
    content = {
        "part": part,
        "machine": about | {"load_average_at_end": os.getloadavg()[0]},
        "figures": [
            {
                "what": figure.what,
                "median": median(figure.values),
                "values": figure.values,
                "unit": figure.unit,
                "goal": figure.goal,
                "better": "more" if figure.at_least else "less",
                "verdict": figure.verdict,
            }
            for figure in figures
        ],
    }
    path = results / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{part}.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path
