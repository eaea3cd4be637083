"""Each test of the migration begins and ends as an event of the cluster's day does."""

from __future__ import annotations

from tests.support.day.events import nothing_lost, pauses

__all__ = ["nothing_lost", "pauses"]
