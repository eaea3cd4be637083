"""Late objects: raw objects of hours below the watermark that their manifests do not name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from stock_market.chain.naming import parse_key
from stock_market.errors import ServiceError
from stock_market.history.compactor.attempt import Attempts, Plan
from stock_market.history.compactor.catalog import Catalog
from stock_market.history.compactor.raw import Listed, Raw
from stock_market.history.manifest import Manifest
from stock_market.history.naming import Hour, TryFolder
from stock_market.history.view import History
from stock_market.logs import Log

_log = Log("history")
_UNTIMED_DAY = "1970-01-01"
"""Where records without a usable timestamp are stored; of these, only replays are quotes."""
_AT_ONCE = 500
"""Late objects that one statement names; Athena takes 256 KiB. The next revision takes more."""


class LostError(ServiceError):
    """What the history has of an hour cannot be told, for its partition or its manifest is missing."""


@dataclass(frozen=True)
class LateHour:
    """An hour with late objects.

    Attributes:
        hour: the hour.
        listed: its raw objects.
        lacking: the keys of those that its history does not have.
        revision: that is read now; None where the hour had no objects before.
        written: its manifest; None where there is no revision.
    """

    hour: Hour
    listed: dict[str, Listed]
    lacking: list[str]
    revision: str | None
    written: Manifest | None

    @property
    def is_whole(self) -> bool:
        """Whether all raw objects that the history was made of are still there."""
        if self.written is None:
            return True
        replays = {one.key for one in self.written.replays}
        lacking = set(self.lacking)
        mains = sum(parse_key(key) is not None and key not in lacking for key in self.listed)
        return replays <= self.listed.keys() and mains == sum(one.objects for one in self.written.ranges)


class Late:
    """Finds late objects: of the last `days`, or of every day."""

    def __init__(
        self,
        raw: Raw,
        catalog: Catalog,
        attempts: Attempts,
        *,
        pool: ThreadPoolExecutor,
        days: int,
        now: Callable[[], datetime],
    ) -> None:
        self._raw = raw
        self._catalog = catalog
        self._attempts = attempts
        self._pool = pool
        self._days = timedelta(days=days)
        self._now = now
        self.problems: list[str] = []

    def hours(self, *, every_day: bool) -> Iterator[LateHour]:
        """The hours with late objects, the oldest first; what cannot be told is among the problems."""
        history = self._catalog.state().history
        first_day = "" if every_day else f"{self._now() - self._days:%Y-%m-%d}"
        for day in self._raw.days():
            if (day >= first_day or day == _UNTIMED_DAY) and history.has(Hour(day, "00")):
                yield from self._in_day(history, day)

    def _in_day(self, history: History, day: str) -> Iterator[LateHour]:
        listed = {hour: found for hour, found in self._raw.day(day).items() if history.has(hour)}
        partitions = self._catalog.partitions(day)
        looks = self._pool.map(lambda hour: self._look(history, hour, listed[hour], partitions), sorted(listed))
        for found in looks:
            if isinstance(found, LateHour):
                yield found
            elif found is not None:
                self.problems.append(str(found))
                _log.error("history_unknown", reason=found)

    def _look(
        self,
        history: History,
        hour: Hour,
        listed: dict[str, Listed],
        partitions: dict[tuple[Hour, str], TryFolder | None],
    ) -> LateHour | ServiceError | None:
        revision, written = history.revision(hour), None
        if revision is not None:
            folder = partitions.get((hour, revision))
            try:
                written = None if folder is None else self._attempts.read_manifest(folder)
            except ServiceError as error:
                return error
            if written is None:
                return LostError(
                    f"the view reads revision {revision} of the hour {hour.text}, but its"
                    f" {'partition' if folder is None else f'manifest in {folder.attempt}'} is missing: bring it back,"
                    " or late objects of the hour stay unread"
                )
        lacking = sorted(listed) if written is None else written.lacks(sorted(listed))
        return LateHour(hour, listed, lacking, revision, written) if lacking else None

    def look(self, history: History, hour: Hour) -> LateHour | None:
        """One hour as it is now; None where nothing is late.

        Raises:
            LostError, ManifestError: it cannot be told.
        """
        found = self._look(history, hour, self._raw.listed(hour), self._catalog.partitions(hour.dt))
        if isinstance(found, ServiceError):
            raise found
        return found

    def plan(self, found: LateHour) -> Plan:
        """How the hour is written again: of all its raw objects where they are all there, else of its history and the
        late ones.

        Raises:
            BrokenHourError, ManifestError, ConflictError: the raw objects are not in order.
            VanishedError: one is gone.
        """
        etags = {key: one.etag for key, one in found.listed.items()}
        if found.is_whole:
            raw = self._raw.read(found.hour, found.listed)
            self._raw.require_unbroken(raw)
            return Plan(found.hour, etags, raw, first=False)
        chosen = {key: found.listed[key] for key in found.lacking[:_AT_ONCE]}
        raw = self._raw.read(found.hour, chosen)
        return Plan(found.hour, etags, raw, found.written, found.revision or "", first=False)
