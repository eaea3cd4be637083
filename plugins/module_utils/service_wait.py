"""Waiting for a service on a host, and saying what its journal says when it does not come."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

from ansible.module_utils.basic import AnsibleModule

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


def wait_or_fail(module: AnsibleModule, attempt: Callable[[], Result], failure: str, unit: str) -> Result:
    """Return what `attempt` returns within the module's `timeout`; else end the module with the unit's journal.

    Args:
        module: has the option `timeout`, in seconds.
        attempt: as for `wait_until`.
        failure: the beginning of the sentence that says what has not happened.
        unit: the systemd unit that the service is.
    """
    timeout = module.params["timeout"]
    try:
        return wait_until(attempt, timeout)
    except NotReadyError as error:
        journal = f"The last lines of {unit}'s journal:\n{journal_tail(unit)}"
        module.fail_json(msg=f"{failure} within {timeout} s: {error}. {journal}")
    raise AssertionError("fail_json has ended the module")


def journal_tail(unit: str) -> str:
    """Return the last lines of a systemd unit's journal."""
    command = ["journalctl", "--no-pager", "--output=cat", f"--lines={JOURNAL_LINES}", f"--unit={unit}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"(the journal can't be read: {error})"
    return (done.stdout or done.stderr).strip()
