"""What the manifests of the history say of raw objects, so that a chain whose objects are gone is still closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyroaring import BitMap64

from stock_market.history.manifest import Log as LogName
from stock_market.history.manifest import Manifest, Replay
from stock_market.history.naming import Hour
from stock_market_ops.verify.numbers import absent, ranges
from stock_market_ops.verify.violations import Log

_MOST = 20


class Counts(NamedTuple):
    """Main objects, the quotes in them, and the records of their ranges that are in the quarantine."""

    objects: int = 0
    records: int = 0
    quarantined: int = 0


class Named(NamedTuple):
    """A main object that names quarantined records: its hour, log and start, and how many."""

    hour: Hour
    log: LogName
    start: int
    records: int


def _name(log: Log) -> LogName:
    return LogName(log.topic, log.topic_id, log.partition)


class Coverage:
    """The ranges of raw main objects that are in the history, by the manifests of the tries that are read."""

    def __init__(self, manifests: Iterable[Manifest] = ()) -> None:
        self._offsets: dict[LogName, BitMap64] = defaultdict(BitMap64)
        self._counts: dict[LogName, Counts] = defaultdict(Counts)
        self._quarantined: dict[tuple[LogName, int], Named] = {}
        self.replays: list[Replay] = []
        """The replay objects that are in the history."""
        for manifest in manifests:
            self.replays += manifest.replays
            for one in manifest.ranges:
                self._offsets[one.log].add_range(one.start, one.end)
                before = self._counts[one.log]
                self._counts[one.log] = Counts(
                    before.objects + one.objects,
                    before.records + one.records,
                    before.quarantined + one.quarantined,
                )
            for named in manifest.quarantined_objects:
                log = LogName(named.topic, named.topic_id, named.partition)
                self._quarantined[log, named.start] = Named(manifest.folder.hour, log, named.start, named.count)

    @property
    def topics(self) -> set[str]:
        """The topics whose records are in the history."""
        return {log.topic for log in self._offsets}

    def has(self, log: Log, offset: int) -> bool:
        """Whether the history holds the records of the main object with this offset in its range."""
        return offset in self._offsets.get(_name(log), ())

    def uncovered(self, log: Log, start: int, end: int) -> list[tuple[int, int]]:
        """The stretches of start to end - 1 that are in no range, the first twenty: first offset, and the one after."""
        found = self._offsets.get(_name(log), BitMap64())
        return [(first, last + 1) for first, last in ranges(found, start, end, _MOST)]

    def before(self, log: Log, end: int) -> int:
        """How many of the offsets below `end` are in no range."""
        return absent(self._offsets.get(_name(log), BitMap64()), end)

    def counts(self, log: Log) -> Counts:
        """All that the history holds of a log."""
        return self._counts.get(_name(log), Counts())

    def quarantined(self, log: Log, start: int) -> int:
        """How many records of the main object with this start are in the quarantine, by its hour's manifest."""
        found = self._quarantined.get((_name(log), start))
        return 0 if found is None else found.records

    def all_quarantined(self) -> Iterator[Named]:
        """Every main object that names quarantined records."""
        yield from self._quarantined.values()
