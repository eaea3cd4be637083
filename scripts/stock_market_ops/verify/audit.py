"""One audit of a bucket, from its listing to its verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stock_market.chain.naming import parse_key
from stock_market.chain.replays import parse_replay
from stock_market.history.naming import TryFolder, hours_prefix, parse_hour, parse_try
from stock_market_ops.verify.bucket import Entry, Listing, Place, take_listing
from stock_market_ops.verify.chains import Chain, Chains
from stock_market_ops.verify.history.coverage import Counts, Coverage
from stock_market_ops.verify.history.expiry import may_expire
from stock_market_ops.verify.history.hours import Hours, Span, Summary
from stock_market_ops.verify.history.published import (
    NONE,
    Catalog,
    Published,
    Selection,
    add_sums,
    catalog_of,
    read_manifests,
)
from stock_market_ops.verify.parallel_reader import Task, read_all
from stock_market_ops.verify.producers import Producers, Verdict
from stock_market_ops.verify.reading import Content, Reading
from stock_market_ops.verify.violations import EnoughError, Findings, Log

GAPS = frozenset({"gap", "begins-late", "cut"})
HOLES = frozenset({"holes"})
_PARQUET = frozenset({Content.HISTORY, Content.SUMS})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how strictly.

    Attributes:
        at_rest: all that was sent is in S3 and nobody writes: nothing may be pending.
        unfinished: producers that were killed: their last records may never have been sent.
        accept_gaps: what retention removed, or a cut of the log hid, before it was read is reported, but no violation.
        accept_holes: offsets without a record, as transactions and compaction leave them, are no violation.
        first: end at the first violation.
        most: the number of findings to keep.
        jobs: the most processes that read.
    """

    at_rest: bool = False
    unfinished: frozenset[str] = frozenset()
    accept_gaps: bool = False
    accept_holes: bool = False
    first: bool = False
    most: int = 20
    jobs: int = 2

    @property
    def accepted(self) -> frozenset[str]:
        """The kinds of findings that are no violations."""
        return (GAPS if self.accept_gaps else frozenset()) | (HOLES if self.accept_holes else frozenset())


@dataclass(slots=True)
class Result:
    """What an audit came to.

    Attributes:
        findings: what is untrue, and what was accepted.
        chains: per partition.
        producers: per producer.
        objects: how many objects were read.
        left_out: how many were not, because they were written after the audit had begun.
        complete: whether everything was judged; False after the first violation where that was enough.
        pending_quarantine: partitions whose last object's quarantine object is still to be written.
        history: what the history came to.
        gone: per partition, what the history holds of main objects that are not there any more.
        may_expire: main objects that may be tagged so that they expire, if nothing is untrue.
    """

    findings: Findings
    chains: dict[Log, Chain] = field(default_factory=dict)
    producers: list[Verdict] = field(default_factory=list)
    objects: int = 0
    left_out: int = 0
    complete: bool = False
    pending_quarantine: set[Log] = field(default_factory=set)
    history: Summary = field(default_factory=Summary)
    gone: dict[Log, Counts] = field(default_factory=dict)
    may_expire: list[str] = field(default_factory=list)


class SeveralTopicsError(Exception):
    """One topic alone cannot be judged; the message is one sentence."""


def _of_topic(key: str, topic: str) -> bool:
    if not topic:
        return True
    replay = parse_replay(key)
    name = parse_key(key if replay is None else replay.main_key)
    return name is not None and name.topic == topic


def run(place: Place, question: Question, watch: Callable[[int, int], None] = lambda _done, _all: None) -> Result:
    """Reads every object under the prefixes and judges them; `watch` hears how many of all packed bytes were read.

    Raises:
        SeveralTopicsError: the history holds other topics beside the one that is asked for.
        botocore's errors: S3 or Glue did not give what was asked for.
    """
    client, catalog = place.client(), catalog_of(place)
    # What is read comes first: what it names stays for hours after it has been replaced.
    selection = Selection() if catalog is None else catalog.select()
    summed = Selection() if catalog is None or selection.source == NONE else catalog.sums.select()
    files = take_listing(client, place.bucket, place.history_prefix)
    # The quarantine last: a quarantine object is written after its main object.
    listings = [take_listing(client, place.bucket, prefix) for prefix in (place.prefix, place.quarantine_prefix)]
    published = read_manifests(client, place, selection, files.entries)
    behind = 0 if summed == Selection() else add_sums(published, place, summed, files.entries)
    coverage = Coverage(one.manifest for one in published.tries.values())
    if place.topic and coverage.topics - {place.topic}:
        raise SeveralTopicsError(
            f"the history in {place.bucket} holds records of {', '.join(sorted(coverage.topics))} side by side: ask"
            " without --topic"
        )
    result = Result(Findings(question.most, question.accepted, question.first))
    quotes, quarantine = (_chosen(listing, listings[0].began, place.topic, question, result) for listing in listings)
    tasks = _tasks(quotes, published, place)
    tasks += [Task(entry.key, Content.QUARANTINE) for entry in quarantine]
    entries = {entry.key: entry for entry in (*quotes, *quarantine, *files.entries)}
    chains, producers = Chains(place, result.findings, coverage), Producers(result.findings)
    hours = Hours(published, result.findings, producers, place.prefix)
    hours.summary.behind = behind
    taker = _Taker(chains, producers, hours, place, catalog)
    done, total = 0, sum(entries[task.key].size for task in tasks)
    try:
        hours.begin()
        readings = read_all(place, client, tasks, total, question.jobs)
        for task, reading in zip(tasks, readings, strict=True):
            done += entries[task.key].size
            watch(done, total)
            if isinstance(reading, str):
                taker.vanished(task)
                continue
            result.objects += task.kind not in _PARQUET
            taker.take(reading, task, entries[task.key].written)
        hours.close()
        chains.judge(at_rest=question.at_rest)
        result.producers = producers.judge(
            {log: chain.last.last_timestamp for log, chain in chains.chains.items() if chain.links},
            at_rest=question.at_rest,
            unfinished=question.unfinished,
            excused=chains.lost() if question.accept_gaps else 0,
        )
        result.may_expire = may_expire(chains, hours.compared)
        result.complete = True
    except EnoughError:
        pass
    result.chains = chains.chains
    result.gone = {log: chains.gone(log) for log in chains.chains}
    result.pending_quarantine = chains.pending_quarantine
    result.history = hours.summary
    return result


def _tasks(quotes: list[Entry], published: Published, place: Place) -> list[Task]:
    """Raw objects and the history's files, hour by hour, so that an hour's can be compared in bounded memory."""
    by_hour: dict[str, list[Task]] = {}
    for entry in quotes:
        hour = parse_hour(entry.key, place.prefix)
        with_checksum = hour in published.tries
        text = "" if hour is None else hour.text
        by_hour.setdefault(text, []).append(Task(entry.key, with_checksum=with_checksum))
    for hour, one in published.tries.items():
        with_totals = hour in published.sums
        by_hour.setdefault(hour.text, []).extend(
            Task(key, Content.HISTORY, with_totals=with_totals) for key in sorted(one.files)
        )
    for hour, sums in published.sums.items():
        by_hour.setdefault(hour.text, []).extend(Task(key, Content.SUMS) for key in sorted(sums.files))
    return [task for _, tasks in sorted(by_hour.items()) for task in tasks]


def _chosen(listing: Listing, began: float, topic: str, question: Question, result: Result) -> list[Entry]:
    """The objects to read.

    While a consumer writes, a listing of many pages can hold an object and lack the one before it, which was
    written behind the listing's back. What was written before the listing began has no such fellow.
    """
    chosen = [entry for entry in listing.entries if _of_topic(entry.key, topic)]
    if question.at_rest:
        return chosen
    settled = [entry for entry in chosen if entry.written < began]
    result.left_out += len(chosen) - len(settled)
    return settled


@dataclass(frozen=True, slots=True)
class _Taker:
    """Hands what was read to those who judge it."""

    chains: Chains
    producers: Producers
    hours: Hours
    place: Place
    catalog: Catalog | None

    def vanished(self, task: Task) -> None:
        """Takes an object that was listed and could not be read."""
        if task.kind not in _PARQUET:
            self.chains.vanished(task.key)
            return
        folder = self._folder(task)
        if folder is not None:
            is_sums = task.kind is Content.SUMS
            catalog = self.catalog.sums if self.catalog is not None and is_sums else self.catalog
            replaced = catalog is None or catalog.select().folders.get(folder.hour) != folder
            self.hours.vanished(task.key, folder.hour, replaced=replaced, is_sums=is_sums)

    def _folder(self, task: Task) -> TryFolder | None:
        prefix = self.place.history_prefix
        return parse_try(task.key, hours_prefix(prefix) if task.kind is Content.SUMS else prefix)

    def take(self, reading: Reading, task: Task, written: float) -> None:
        """Takes an object."""
        if task.kind in _PARQUET:
            folder = self._folder(task)
            if folder is not None:
                self.hours.add_file(reading, folder.hour, is_sums=task.kind is Content.SUMS)
        elif task.kind is Content.QUARANTINE:
            if self.chains.add_quarantine(reading) is not None:
                self.producers.add_quarantined(reading)
        elif parse_key(reading.key) is None:
            log = self.chains.add_replay(reading)
            if log is not None:
                self.producers.add(reading, log, -1, -1)
                self.hours.add_raw(reading, written, None)
        else:
            log = self.chains.add_main(reading)
            if log is not None:
                first, last = (int(reading.metadata[f"{name}-timestamp"]) for name in ("first", "last"))
                self.producers.add(reading, log, first, last)
                start, end = (int(reading.metadata[f"{name}-offset"]) for name in ("start", "end"))
                self.hours.add_raw(reading, written, Span(log.topic, log.topic_id, log.partition, start, end))
