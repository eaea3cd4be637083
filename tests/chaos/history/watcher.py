"""Counts the records of the views again and again: the number never falls, and is never more than what was sent."""

from __future__ import annotations

import threading
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError
from tests.chaos.history.catalog import Catalog

_PAUSE_SECONDS = 1.0
_COUNTS = {
    "quotes_all": "SELECT count(*) FROM quotes_all",
    "quotes_hours": "SELECT coalesce(sum(records), 0) FROM quotes_hours WHERE day IS NOT NULL",
}


class Watcher:
    """Counts in a thread of its own, until `finish`.

    Args:
        catalog: of the round.
        keys: lists the raw objects.
        sent: how many records the topic has at least, after a count.
    """

    def __init__(self, catalog: Catalog, keys: Callable[[], list[str]], sent: Callable[[], int]) -> None:
        self._catalog = catalog
        self._keys = keys
        self._sent = sent
        self.counts: dict[str, list[int]] = {name: [] for name in _COUNTS}
        self.problems: list[str] = []
        self.failures = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.wait(_PAUSE_SECONDS):
            try:
                self._look()
            except (RuntimeError, BotoCoreError, ClientError, OSError):
                self.failures += 1  # A query that a fault has stopped.

    def _look(self) -> None:
        self._catalog.see(self._keys())
        for name, sql in _COUNTS.items():
            ((text,),) = self._catalog.select(sql)
            count, before = int(text), self.counts[name][-1] if self.counts[name] else 0
            if count < before:
                self.problems.append(f"{name} showed {before} records, and then {count}")
            self.counts[name].append(count)
            sent = self._sent()
            if count > sent:
                self.problems.append(f"{name} showed {count} records, and the topic had {sent} afterwards")

    def finish(self) -> None:
        """Ends the counting."""
        self._over.set()
        self._thread.join(150)
