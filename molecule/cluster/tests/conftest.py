"""Each event of the day begins when all is well, and ends with a look at what was stored."""

from __future__ import annotations

from tests.support.day.events import nothing_lost, pauses

__all__ = ["nothing_lost", "pauses"]
