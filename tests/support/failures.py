"""Writes what failed into a file, for who sees only the end of a run: molecule takes its hosts away after its tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from _pytest.terminal import TerminalReporter

_LINES = 6


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Write what failed, why and where to the file that `STOCK_MARKET_FAILURES` names, if it is set."""
    path = os.environ.get("STOCK_MARKET_FAILURES")
    failed = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    if path and failed:
        Path(path).write_text("\n".join(line for report in failed for line in _told(report)) + "\n", encoding="utf-8")


def _told(report: Any) -> list[str]:
    lines = str(report.longreprtext).splitlines()
    return [str(report.nodeid), *[line for line in lines if line.startswith("E ")][:_LINES], *lines[-1:]]
