"""Judges the history hour by hour: what its files hold, what its manifest says, and what the raw objects hold.

A record is in an hour's history exactly once, or its raw object is still to come into it. Where raw objects of the
hour are gone, the manifest's ranges stand for them, and the files' records count in their place.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NamedTuple

from pyroaring import BitMap64

from stock_market.history.checksum import added, text_of
from stock_market.history.manifest import Log, Manifest
from stock_market.history.naming import Hour, parse_hour
from stock_market_ops.verify.history.published import Published, Try
from stock_market_ops.verify.history.totals import Totals, add, differences
from stock_market_ops.verify.numbers import Numbers, in_words
from stock_market_ops.verify.producers import Producers
from stock_market_ops.verify.reading import Reading
from stock_market_ops.verify.violations import Finding, Findings

LATE_SECONDS = 24 * 3600.0
"""A raw object of an hour that is history must have come into the history by this age."""


@dataclass(slots=True)
class Summary:
    """What the history came to.

    Attributes:
        source: `glue`, `s3` or `none`.
        watermark: the first hour that is read raw, `YYYY-MM-DD HH`.
        hours: how many hours were judged.
        records: in their files.
        files: how many.
        only_here: records whose raw objects are gone.
        pending: raw objects that are still to come into the history, of at most a day's age.
        orphans: folders of tries that nobody reads.
        orphan_bytes: what they hold.
        replaced: hours whose files went while they were read, because a newer revision had taken their place.
        expire_days: after how many days tagged raw objects expire; 0 where none does.
        tagged: raw objects that were tagged.
        summed_up: hours whose sums were compared with their records.
        behind: hours that the view sums up when it is asked, or whose sums are of a try before; where Glue was asked.
    """

    source: str = "none"
    watermark: str = ""
    hours: int = 0
    records: int = 0
    files: int = 0
    only_here: int = 0
    pending: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    replaced: int = 0
    expire_days: int = 0
    tagged: int = 0
    summed_up: int = 0
    behind: int = 0


class Span(NamedTuple):
    """A main object's log and offsets; the end is exclusive."""

    topic: str
    topic_id: str
    partition: int
    start: int
    end: int


@dataclass(slots=True)
class _Side:
    """What one side, raw objects or files, holds of an hour."""

    rows: int = 0
    checksum: int | None = 0
    producers: dict[str, Numbers] = field(default_factory=dict)
    totals: Totals = field(default_factory=dict)

    def add(self, reading: Reading) -> None:
        self.rows += reading.lines
        if self.checksum is not None:
            self.checksum = None if reading.checksum is None else added(self.checksum, reading.checksum)
        for name, counted in reading.producers.items():
            numbers = self.producers.setdefault(name, Numbers())
            numbers.merge(BitMap64.deserialize(counted.numbers), counted.records, counted.examples)
            numbers.total += counted.total
        add(self.totals, reading.totals or {})


@dataclass(slots=True)
class _Open:
    """The hour that is being read."""

    hour: Hour
    found: Try
    raw: _Side = field(default_factory=_Side)
    files: _Side = field(default_factory=_Side)
    sums: _Side = field(default_factory=_Side)
    objects: list[str] = field(default_factory=list)
    covered: dict[Log, int] = field(default_factory=dict)
    replays: int = 0
    replaced: bool = False
    without_sums: bool = False


class Hours:
    """Takes raw objects and files in the order of their hours."""

    def __init__(self, published: Published, findings: Findings, producers: Producers, prefix: str) -> None:
        self._published = published
        self._findings = findings
        self._producers = producers
        self._prefix = prefix
        self._open: _Open | None = None
        self.summary = Summary(published.source, published.watermark)
        self.summary.orphans = len(published.orphans)
        self.summary.orphan_bytes = sum(published.orphans.values())
        self.compared: list[str] = []
        """Main objects without a tag whose hour's history was compared with them."""

    def begin(self) -> None:
        """Tells what is untrue before a file is read."""
        for flaw in self._published.flaws:
            self._finding(flaw.kind, flaw.sentence, flaw.hour)
        for hour, one in sorted(self._published.tries.items()):
            named = {file.key: file.size for file in one.manifest.files}
            for key in sorted(named.keys() | one.files.keys()):
                self._compare_file(hour, key, named.get(key), one)

    def _compare_file(self, hour: Hour, key: str, size: int | None, one: Try) -> None:
        held = one.files.get(key)
        if held is None:
            words = f"{key} is not there, but the manifest of the hour {hour.text} names it: its records cannot be read"
        elif size is None:
            words = f"{key} is read as part of the hour {hour.text}, but its manifest does not name it"
        elif held.size != size:
            words = f"{key} has {held.size} bytes, but the manifest of the hour {hour.text} says {size}"
        else:
            return
        self._finding("history-files", words, hour, key)

    def _finding(self, kind: str, sentence: str, hour: Hour | None, key: str = "", producer_id: str = "") -> None:
        self._findings.add(
            Finding(kind, sentence, key=key, producer_id=producer_id, hour="" if hour is None else hour.text)
        )

    def add_raw(self, reading: Reading, written: float, span: Span | None) -> None:
        """Takes a raw object.

        Args:
            reading: the object.
            written: when, in seconds since 1970.
            span: a main object's offsets; None for a replay.
        """
        hour = parse_hour(reading.key, self._prefix)
        if hour is None or hour.text >= self._published.watermark:
            return
        found = self._published.tries.get(hour)
        if found is None:
            if reading.lines:
                self._late(reading.key, hour, written)
            return
        if found.manifest.lacks([reading.key]):
            self._late(reading.key, hour, written)
            return
        at = self._enter(hour, found)
        at.raw.add(reading)
        if span is None:
            at.replays += 1
            return
        log = Log(span.topic, span.topic_id, span.partition)
        at.covered[log] = at.covered.get(log, 0) + span.end - span.start
        if not reading.tags:
            at.objects.append(reading.key)

    def _late(self, key: str, hour: Hour, written: float) -> None:
        age = time.time() - written
        if age < LATE_SECONDS:
            self.summary.pending += 1
            return
        words = f"is {age / 3600:,.0f} hours old and not in the history of {hour.text}, which is read in its place"
        self._finding("history-late", f"{key} {words}", hour, key)

    def add_file(self, reading: Reading, hour: Hour, *, is_sums: bool) -> None:
        """Takes a file of the history, or of the hours summed up."""
        at = self._enter(hour, self._published.tries[hour])
        (at.sums if is_sums else at.files).add(reading)
        self.summary.files += not is_sums
        if reading.flaw:
            self._unread(at, reading.key, reading.flaw, is_sums=is_sums)

    def vanished(self, key: str, hour: Hour, *, replaced: bool, is_sums: bool) -> None:
        """Takes the key of a file that was listed and could not be read; `replaced` where it is not read any more."""
        at = self._enter(hour, self._published.tries[hour])
        if not replaced:
            self._unread(at, key, "was listed and is not there any more", is_sums=is_sums)
        elif is_sums:
            at.without_sums = True
        else:
            at.replaced = True

    def _unread(self, at: _Open, key: str, words: str, *, is_sums: bool) -> None:
        at.without_sums = True
        self._finding("sums-files" if is_sums else "history-files", f"{key} {words}", at.hour, key)

    def _enter(self, hour: Hour, found: Try) -> _Open:
        if self._open is not None and self._open.hour != hour:
            self.close()
        if self._open is None:
            self._open = _Open(hour, found)
        return self._open

    def close(self) -> None:
        """Judges the hour of which everything has been taken."""
        at = self._open
        if at is None:
            return
        if at.replaced:
            self.summary.replaced += 1
        else:
            self._judge(at, at.found.manifest)
        self._open = None

    def _judge(self, at: _Open, manifest: Manifest) -> None:
        self.summary.hours += 1
        self.summary.records += at.files.rows
        whole = self._is_whole(at, manifest)
        self._compare("its manifest", at, manifest.rows, int(manifest.checksum, 16))
        self._compare_producers(at, manifest)
        if whole:
            self._compare("the raw objects", at, at.raw.rows, at.raw.checksum)
        else:
            self.summary.only_here += max(0, manifest.rows - at.raw.rows)
            self._complement(at)
        for name, numbers in sorted(at.files.producers.items()):
            if numbers.doubles:
                examples = in_words([(number, number) for number in numbers.examples], more=numbers.doubles > 3)
                words = f"holds {numbers.doubles} records of producer {name} twice: sequence {examples}"
                self._finding("history-double", f"the history of {at.hour.text} {words}", at.hour, producer_id=name)
        self.compared += at.objects
        if at.hour in self._published.sums and not at.without_sums:
            self.summary.summed_up += 1
            self._compare_sums(at)

    def _compare_sums(self, at: _Open) -> None:
        for name in sorted(at.files.producers.keys() | at.sums.producers.keys()):
            true, said = (side.producers.get(name, Numbers()) for side in (at.files, at.sums))
            if (true.records, true.seen) != (said.records, said.seen):
                first = min(true.seen ^ said.seen, default=None)
                where = "" if first is None else f", the first difference at sequence {first}"
                words = f"say {said.records} records of producer {name}, and it has {true.records}{where}"
                self._finding("sums-numbers", f"the sums of {at.hour.text} {words}", at.hour, producer_id=name)
        found = list(differences(at.files.totals, at.sums.totals))
        if found:
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            words = f"the sums of {at.hour.text} are not those of its records: {found[0]}{more}"
            self._finding("sums-values", words, at.hour)

    def _is_whole(self, at: _Open, manifest: Manifest) -> bool:
        """Whether all raw objects that the manifest stands for were read."""
        wanted: dict[Log, int] = {}
        for one in manifest.ranges:
            wanted[one.log] = wanted.get(one.log, 0) + one.end - one.start
        return at.covered == wanted and at.replays == len(manifest.replays)

    def _compare(self, other: str, at: _Open, rows: int, checksum: int | None) -> None:
        if rows != at.files.rows:
            words = f"the history of {at.hour.text} holds {at.files.rows} records, {other} {rows}"
            self._finding("history-count", words, at.hour)
        elif None not in (checksum, at.files.checksum) and checksum != at.files.checksum:
            sums = f"{text_of(at.files.checksum or 0)} instead of {text_of(checksum or 0)}"
            words = f"holds other records than {other}: their checksum is {sums}"
            self._finding("history-checksum", f"the history of {at.hour.text} {words}", at.hour)

    def _compare_producers(self, at: _Open, manifest: Manifest) -> None:
        said = {one.producer_id: (one.records, one.min, one.max, int(one.sum)) for one in manifest.producers}
        for name in sorted(said.keys() | at.files.producers.keys()):
            numbers = at.files.producers.get(name, Numbers())
            seen = numbers.seen
            held = (numbers.records, seen.min() if seen else 0, seen.max() if seen else 0, numbers.total)
            if held != said.get(name, (0, 0, 0, 0)):
                words = f"of producer {name} as its manifest says ({_words(said.get(name))}), but {_words(held)}"
                sentence = f"the history of {at.hour.text} does not hold the records {words}"
                self._finding("history-count", sentence, at.hour, producer_id=name)

    def _complement(self, at: _Open) -> None:
        """Lets the files' records count whose raw objects are gone."""
        for name, numbers in at.raw.producers.items():
            lacking = numbers.seen - at.files.producers.get(name, Numbers()).seen
            if lacking:
                words = f"lacks {len(lacking)} records of producer {name} that its raw objects hold: sequence"
                self._finding("history-count", f"the history of {at.hour.text} {words} {lacking.min()}", at.hour,
                              producer_id=name)  # fmt: skip
        for name, numbers in at.files.producers.items():
            only = numbers.seen - at.raw.producers.get(name, Numbers()).seen
            if only:
                self._producers.add_history(f"the history of {at.hour.text}", name, only, at.hour.end_ms)


def _words(held: tuple[int, int, int, int] | None) -> str:
    if held is None or not held[0]:
        return "none"
    return f"{held[0]} from {held[1]} to {held[2]}, whose sum is {held[3]}"
