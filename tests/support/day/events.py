"""What every event of a day under load begins and ends with."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.support.day.pauses import Pauses
from tests.support.day.running import login, make, well_within

MOST_AT_A_KILL, MOST_AT_A_RESTART = 12.0, 2.0
"""The longest pauses in acknowledged writes that are allowed, in seconds."""


@pytest.fixture(scope="session")
def pauses() -> Iterator[Pauses]:
    """Writes all day long."""
    running = Pauses(login())
    time.sleep(5)
    yield running
    running.close()


@pytest.fixture(autouse=True)
def nothing_lost(pauses: Pauses, request: pytest.FixtureRequest) -> Iterator[None]:
    """Begins each event when all is well, and ends it with a look at S3: nothing lost so far, nothing doubled."""
    well_within(120, "all is well before the event")
    pauses.longest()
    yield
    well_within(180, f"all is well after {request.node.name}")
    done = make("verify")
    assert done.returncode == 0, done.stdout + done.stderr


def told(pauses: Pauses, event: str) -> float:
    """The longest pause of an event, which is printed."""
    found = float(pauses.longest())
    print(f"\n{event}: longest pause in acknowledged writes {found:.2f} s")
    return found
