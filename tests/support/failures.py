"""Writes what failed into a file, for who sees only the end of a run: molecule takes its hosts away after its tests."""

from __future__ import annotations

import os
from pathlib import Path

from _pytest.terminal import TerminalReporter

_LINES = 12


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Write each failure's name and last lines to the file that `STOCK_MARKET_FAILURES` names, if it is set."""
    path = os.environ.get("STOCK_MARKET_FAILURES")
    failed = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    if path and failed:
        told = (f"{report.nodeid}\n" + "\n".join(report.longreprtext.splitlines()[-_LINES:]) for report in failed)
        Path(path).write_text("\n\n".join(told) + "\n", encoding="utf-8")
