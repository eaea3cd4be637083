"""The chains of objects: do the objects of each partition follow each other, and does each hold what it says?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pyroaring import BitMap64

from stock_market.chain.naming import ObjectInfo, ObjectName, identity_in, object_key, parse_key
from stock_market.chain.replays import parse_replay, read_offsets
from stock_market.errors import ConflictError
from stock_market.hours import hour_of
from stock_market_ops.verify.bucket import Place
from stock_market_ops.verify.history.coverage import Counts, Coverage
from stock_market_ops.verify.reading import Reading
from stock_market_ops.verify.violations import Finding, Findings, Log


class Link(NamedTuple):
    """What is kept of a main object once it has been read."""

    key: str
    start: int
    end: int
    gap_end: int
    records: int
    quarantined: int
    last_timestamp: int
    cut_start: int


@dataclass(slots=True)
class Chain:
    """One partition's objects and what they add up to."""

    links: list[Link] = field(default_factory=list)
    replayed: int = 0
    holes: int = 0
    old_names: int = 0

    @property
    def last(self) -> Link:
        """The object that reaches furthest."""
        return max(self.links, key=lambda link: (link.end, link.start))


class _Quarantined(NamedTuple):
    log: Log
    start: int
    end: int
    lines: int
    offsets: tuple[int, int]


class _Replayed(NamedTuple):
    key: str
    number: int
    log: Log
    offsets: list[tuple[int, int]]


class Chains:
    """Collects objects in any order, and judges their chains at the end."""

    def __init__(self, place: Place, findings: Findings, coverage: Coverage) -> None:
        self._place = place
        self._findings = findings
        self._coverage = coverage
        self.chains: dict[Log, Chain] = {}
        self._main: dict[str, tuple[Log, Link]] = {}
        self._quarantined: dict[str, _Quarantined] = {}
        self._replays: dict[str, list[_Replayed]] = {}
        self.pending_quarantine: set[Log] = set()

    def _violation(self, kind: str, key: str, words: str, log: Log | None = None, *span: int) -> None:
        start, end = span or (None, None)
        self._findings.add(Finding(kind, f"{key} {words}", key=key, log=log, start=start, end=end))

    def _info(self, reading: Reading) -> tuple[ObjectInfo, Log] | None:
        name = parse_key(reading.key)
        if name is None:
            return None
        try:
            info = ObjectInfo.from_metadata(reading.key, reading.metadata)
        except ConflictError:
            self._violation("metadata", reading.key, "does not say in its metadata which offsets it holds")
            return None
        log = Log(name.topic, name.partition, info.identity.cluster_id, info.identity.topic_id)
        if name.log not in ("", log.topic_id):
            self._violation("key", reading.key, f"says in its metadata that it is of the topic id {log.topic_id}", log)
        if info.start != name.start:
            self._violation("key", reading.key, f"says in its metadata that it starts at offset {info.start}", log)
        if info.end <= info.start:
            self._violation("range", reading.key, f"says that it ends at offset {info.end}, not after its start", log)
        return info, log

    def _content(self, reading: Reading, log: Log, count: int, span: tuple[int, int]) -> None:
        where = f"(offsets {span[0]} to {span[1] - 1})"
        if reading.flaw:
            self._violation("content", reading.key, f"{reading.flaw} {where}", log, *span)
        if reading.lines != count:
            words = f"holds {reading.lines} records {where}, but its metadata promises {count}"
            self._violation("count", reading.key, words, log, *span)
        if reading.sha256 != reading.metadata.get("sha256"):
            self._violation(
                "checksum", reading.key, f"does not hold the bytes that its checksum was made of {where}", log, *span
            )

    def add_main(self, reading: Reading) -> Log | None:
        """Takes a main object; returns its partition, None when it does not tell."""
        found = self._info(reading)
        if found is None:
            return None
        info, log = found
        self._content(reading, log, info.records, (info.start, info.end))
        self._hour(info, log)
        gap_end = info.start if info.gap_end is None else info.gap_end
        if not info.start <= gap_end < max(info.end, info.start + 1):
            self._violation(
                "range", info.key, f"names a gap up to offset {gap_end}, which is not within its range", log
            )
            gap_end = info.start
        cut_start = info.start if info.cut_start is None else info.cut_start
        if info.cut_start is not None and not 0 <= cut_start < info.start:
            self._violation(
                "range", info.key, f"names a cut from offset {cut_start} on, which is not before its start", log
            )
            cut_start = info.start
        link = Link(
            info.key, info.start, info.end, gap_end, info.records, info.quarantined, info.last_timestamp, cut_start
        )
        self._room(link, log)
        chain = self.chains.setdefault(log, Chain())
        chain.links.append(link)
        name = parse_key(info.key)
        chain.old_names += name is not None and not name.log
        self._main[link.key] = (log, link)
        return log

    def _hour(self, info: ObjectInfo, log: Log) -> None:
        name = ObjectName(log.topic, log.topic_id, log.partition, info.start)
        expected = object_key(self._place.prefix, name, info.first_timestamp)
        if expected.rpartition("/")[0] != info.key.rpartition("/")[0]:
            hour = expected.removeprefix(self._place.prefix).rpartition("/")[0]
            self._violation("hour", info.key, f"begins with a record of {hour} and lies in another hour", log)
        if hour_of(info.first_timestamp) != hour_of(info.last_timestamp):
            self._violation("hour", info.key, "spans more than one hour of Kafka's timestamps", log)

    def _room(self, link: Link, log: Log) -> None:
        empty = link.end - link.gap_end - link.records - link.quarantined
        if empty < 0:
            words = f"promises {link.records} records and {link.quarantined} quarantined in the offsets"
            self._violation("range", link.key, f"{words} {link.gap_end} to {link.end - 1}, which are fewer", log)
        elif empty > 0:
            self.chains.setdefault(log, Chain()).holes += empty
            words = f"accounts for all but {empty} of the offsets {link.gap_end} to {link.end - 1}"
            self._violation(
                "holes", link.key, f"{words}: transactions or compaction leave such holes, nothing else may", log
            )

    def add_quarantine(self, reading: Reading) -> Log | None:
        """Takes a quarantine object; returns its partition, None when it does not tell."""
        if parse_key(reading.key) is None:
            self._violation("key", reading.key, "lies in the quarantine and is not named like an object of it")
            return None
        found = self._info(reading)
        if found is None:
            return None
        info, log = found
        self._content(reading, log, info.records, (info.start, info.end))
        main_key = self._place.main_key(reading.key)
        if reading.metadata.get("main-object") != main_key:
            self._violation("metadata", reading.key, f"does not name {main_key} as its main object", log)
        self._quarantined[main_key] = _Quarantined(log, info.start, info.end, reading.lines, reading.offsets)
        return log

    def add_replay(self, reading: Reading) -> Log | None:
        """Takes a replay object; returns its partition, None when it does not tell."""
        name = parse_replay(reading.key)
        main = None if name is None else parse_key(name.main_key)
        if name is None or main is None:
            self._violation("key", reading.key, "lies among the objects of the chain and is not named like one")
            return None
        metadata = reading.metadata
        log = None
        try:
            identity = identity_in(metadata)
            log = Log(main.topic, main.partition, identity.cluster_id, identity.topic_id)
            offsets = read_offsets(metadata)
        except (KeyError, ValueError):
            self._violation(
                "metadata", reading.key, "does not say in its metadata which offsets of which log it replays", log
            )
            return None
        count = sum(last - first + 1 for first, last in offsets)
        self._content(reading, log, count, (offsets[0][0], offsets[-1][1] + 1))
        self._replays.setdefault(name.main_key, []).append(_Replayed(reading.key, name.number, log, offsets))
        self.chains.setdefault(log, Chain()).replayed += reading.lines
        return log

    def vanished(self, key: str) -> None:
        """Takes the key of an object that was listed and could not be read."""
        name = parse_key(key)
        if name is not None and self._coverage.has(Log(name.topic, name.partition, "", name.log), name.start):
            return  # It expired meanwhile.
        self._violation(
            "vanished", key, "was listed and is not there any more: objects are never deleted by the pipeline"
        )

    def gone(self, log: Log) -> Counts:
        """What the history holds of the log's main objects that are not there any more."""
        held = self._coverage.counts(log)
        links = [link for link in self.chains[log].links if self._coverage.has(log, link.start)]
        return Counts(
            max(0, held.objects - len(links)),
            max(0, held.records - sum(link.records for link in links)),
            max(0, held.quarantined - sum(link.quarantined for link in links)),
        )

    def lost(self) -> int:
        """How many offsets are in no object because they were lost before they were read, or hidden by a cut."""
        lost = sum(link.gap_end - link.cut_start for chain in self.chains.values() for link in chain.links)
        return lost + sum(
            self._coverage.before(log, chain.links[0].start) for log, chain in self.chains.items() if chain.links
        )

    def judge(self, *, at_rest: bool) -> None:
        """Judges the chains; `at_rest` when no consumer can still be about to write a quarantine object."""
        for log, chain in sorted(self.chains.items()):
            chain.links.sort(key=lambda link: (link.start, link.end))
            self._follow(log, chain.links)
        for key, (log, link) in self._main.items():
            quarantined = self._quarantined.get(key)
            if quarantined is not None:
                self._belongs(log, link, quarantined)
            elif link.quarantined:
                if not at_rest and link == self.chains[log].last:
                    self.pending_quarantine.add(log)
                    continue
                words = f"names {link.quarantined} quarantined records of the offsets {link.start} to {link.end - 1}"
                quarantine_key = self._place.quarantine_key(key)
                self._violation(
                    "quarantine-missing", key, f"{words}, but {quarantine_key} is not there", log, link.start, link.end
                )
        self._judge_gone()
        for key, orphan in self._quarantined.items():
            if key not in self._main and not self._coverage.quarantined(orphan.log, orphan.start):
                words = f"(offsets {orphan.start} to {orphan.end - 1}) belongs to {key}, which is not there"
                self._violation(
                    "quarantine-orphan", self._place.quarantine_key(key), words, orphan.log, orphan.start, orphan.end
                )
        self._add_gone_replays()
        for key, replays in self._replays.items():
            self._judge_replays(key, sorted(replays, key=lambda replay: replay.number))

    def _add_gone_replays(self) -> None:
        """Takes the replays that only the history has."""
        there = {one.key for replays in self._replays.values() for one in replays}
        for gone in self._coverage.replays:
            found = parse_replay(gone.key)
            main = None if found is None else parse_key(found.main_key)
            if found is None or main is None or gone.key in there or self._place.topic not in ("", main.topic):
                continue
            logs = [log for log in self.chains if (log.topic, log.partition) == (main.topic, main.partition)]
            log = next((log for log in logs if log.topic_id == main.log), Log(main.topic, main.partition, "", main.log))
            self.chains.setdefault(log, Chain()).replayed += gone.records
            offsets = read_offsets({"replayed-offsets": gone.offsets})
            self._replays.setdefault(found.main_key, []).append(_Replayed(gone.key, found.number, log, offsets))

    def _judge_gone(self) -> None:
        """Judges the quarantine objects whose main objects only the manifests of the history know."""
        there = {(main.topic, main.topic_id, main.partition, link.start) for main, link in self._main.values()}
        found = {(one.log.topic, one.log.topic_id, one.log.partition, one.start): one
                 for one in self._quarantined.values()}  # fmt: skip
        for named in self._coverage.all_quarantined():
            place = (*named.log, named.start)
            if place in there or self._place.topic not in ("", named.log.topic):
                continue
            one = found.get(place)
            if one is not None and one.lines == named.records:
                continue
            log = Log(named.log.topic, named.log.partition, "" if one is None else one.log.cluster_id,
                      named.log.topic_id)  # fmt: skip
            words = f"names {named.records} quarantined records of {log} from offset {named.start} on"
            kind, lines = ("quarantine-missing", "none") if one is None else ("quarantine-count", str(one.lines))
            sentence = f"the history of {named.hour.text} {words}, but the quarantine has {lines}"
            self._findings.add(Finding(kind, sentence, log=log, hour=named.hour.text, start=named.start))

    def _follow(self, log: Log, links: list[Link]) -> None:
        reached, before = (links[0].start, links[0]) if links else (0, None)
        if links:
            for start, end in self._coverage.uncovered(log, 0, links[0].start):
                words = f"is the first object of {log}: nothing says where the offsets {start} to {end - 1} are"
                self._violation("begins-late", links[0].key, words, log, start, end)
        for link in links:
            if before is not None and link.start > reached:
                words = f"ends at offset {reached} and {link.key} starts at {link.start}"
                for start, end in self._coverage.uncovered(log, reached, link.start):
                    lost = f"the offsets {start} to {end - 1} of {log} are in no object"
                    self._violation("hole", before.key, f"{words}: {lost}", log, start, end)
            elif before is not None and link is not before and link.start < reached:
                words = f"starts at offset {link.start}, but {before.key} holds the offsets up to {reached - 1}"
                last = min(link.end, reached) - 1
                self._violation(
                    "overlap", link.key, f"{words}: both stand for {link.start} to {last}", log, link.start, last + 1
                )
            if link.gap_end > link.start:
                words = (
                    f"records a gap: Kafka's retention removed the offsets {link.start} to {link.gap_end - 1} of {log}"
                )
                self._violation("gap", link.key, f"{words} before they were read", log, link.start, link.gap_end)
            if link.cut_start < link.start:
                words = f"records that the log was cut at offset {link.cut_start}: what {log} has now in the offsets"
                rest = f"{link.cut_start} to {link.start - 1} is in no object, whose offsets hold what was there before"
                self._violation("cut", link.key, f"{words} {rest}", log, link.cut_start, link.start)
            if before is None or link.end >= reached:
                reached, before = link.end, link

    def _belongs(self, log: Log, link: Link, found: _Quarantined) -> None:
        key = self._place.quarantine_key(link.key)
        if (found.log, found.start, found.end) != (log, link.start, link.end):
            words = f"says offsets {found.start} to {found.end - 1}, but {link.key} {link.start} to {link.end - 1}"
            self._violation("quarantine-range", key, f"{words}, or is of another log", log, link.start, link.end)
        if found.lines != link.quarantined:
            words = f"holds {found.lines} records of the offsets {link.start} to {link.end - 1}"
            self._violation(
                "quarantine-count", key, f"{words}, but {link.key} names {link.quarantined}", log, link.start, link.end
            )
        if found.lines and not (link.start <= found.offsets[0] and found.offsets[1] < link.end):
            words = f"holds offsets {found.offsets[0]} to {found.offsets[1]}, outside of {link.start} to {link.end - 1}"
            self._violation("quarantine-range", key, words, log, link.start, link.end)

    def _judge_replays(self, main_key: str, replays: list[_Replayed]) -> None:
        done = BitMap64()
        main, name = self._main.get(main_key), parse_key(main_key)
        for position, replay in enumerate(replays):
            if replay.number != position:
                self._violation(
                    "replay-hole", replay.key, f"is there, but replay {position} of {main_key} is not", replay.log
                )
            known = self._coverage.quarantined(replay.log, name.start) if main is None and name is not None else 0
            if not known and (main is None or replay.log != main[0]):
                self._violation("replay-orphan", replay.key, f"belongs to {main_key}, which is not there", replay.log)
                continue
            fresh = BitMap64()
            for first, last in replay.offsets:
                fresh.add_range(first, last + 1)
            again = done & fresh
            if again:
                words = f"replays offset {again.min()} that a replay before it has replayed"
                self._violation("replay-double", replay.key, words, replay.log, again.min(), again.max() + 1)
            done |= fresh
        if main is None or not done:
            return
        log, link = main
        if len(done) > link.quarantined or done.min() < link.start or done.max() >= link.end:
            words = f"and its fellows replay {len(done)} of the {link.quarantined} quarantined records of {main_key}"
            self._violation(
                "replay-range", replays[-1].key, f"{words}, or offsets outside of it", log, link.start, link.end
            )
