"""Waiting for a service on a host, and saying what its journal says when it does not come."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

JOURNAL_LINES = 25


class NotReadyError(Exception):
    """What is still missing, in a few words."""


def wait_until(attempt: Callable[[], Result], timeout: float, pause: float = 0.5) -> Result:
    """Call `attempt` until it neither raises NotReadyError nor OSError; after `timeout` seconds raise NotReadyError."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return attempt()
        except (NotReadyError, OSError) as error:
            if time.monotonic() + pause >= deadline:
                raise NotReadyError(str(error)) from error
        time.sleep(pause)


def journal_tail(unit: str, lines: int = JOURNAL_LINES) -> str:
    """Return the last lines of a systemd unit's journal."""
    command = ["journalctl", "--no-pager", "--output=cat", f"--lines={lines}", f"--unit={unit}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"(the journal can't be read: {error})"
    return (done.stdout or done.stderr).strip()
