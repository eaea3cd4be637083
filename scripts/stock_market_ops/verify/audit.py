"""One audit of a bucket, from its listing to its verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stock_market.chain.naming import parse_key
from stock_market.chain.replays import parse_replay
from stock_market_ops.verify.bucket import Entry, Listing, Place, take_listing
from stock_market_ops.verify.chains import Chain, Chains
from stock_market_ops.verify.parallel_reader import Task, read_all
from stock_market_ops.verify.producers import Producers, Verdict
from stock_market_ops.verify.reading import Reading
from stock_market_ops.verify.violations import EnoughError, Findings, Log

GAPS = frozenset({"gap", "begins-late", "cut"})
HOLES = frozenset({"holes"})


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
    """

    findings: Findings
    chains: dict[Log, Chain] = field(default_factory=dict)
    producers: list[Verdict] = field(default_factory=list)
    objects: int = 0
    left_out: int = 0
    complete: bool = False
    pending_quarantine: set[Log] = field(default_factory=set)


def _of_topic(key: str, topic: str) -> bool:
    if not topic:
        return True
    replay = parse_replay(key)
    name = parse_key(key if replay is None else replay.main_key)
    return name is not None and name.topic == topic


def run(place: Place, question: Question, watch: Callable[[int, int], None] = lambda _done, _all: None) -> Result:
    """Reads every object under both prefixes and judges them.

    Args:
        place: where the objects are.
        question: how strictly.
        watch: hears how many of how many packed bytes have been read.

    Raises:
        botocore's errors: S3 did not give what was asked for.
    """
    client = place.client()
    # The quarantine second: a quarantine object is written after its main object.
    listings = [take_listing(client, place.bucket, prefix) for prefix in (place.prefix, place.quarantine_prefix)]
    result = Result(Findings(question.most, question.accepted, question.first))
    entries = [_chosen(listing, listings[0].began, place.topic, question, result) for listing in listings]
    tasks = [Task(entry.key, quarantine) for quarantine in (False, True) for entry in entries[quarantine]]
    sizes = {entry.key: entry.size for part in entries for entry in part}
    chains, producers = Chains(place, result.findings), Producers(result.findings)
    done, total = 0, sum(sizes.values())
    try:
        readings = read_all(place, client, tasks, total, question.jobs)
        for task, reading in zip(tasks, readings, strict=True):
            done += sizes[task.key]
            watch(done, total)
            if isinstance(reading, str):
                chains.vanished(reading)
                continue
            result.objects += 1
            _take(reading, task, chains, producers)
        chains.judge(at_rest=question.at_rest)
        lost = sum(link.gap_end - link.cut_start for chain in chains.chains.values() for link in chain.links)
        lost += sum(chain.links[0].start for chain in chains.chains.values() if chain.links)
        result.producers = producers.judge(
            {log: chain.last.last_timestamp for log, chain in chains.chains.items() if chain.links},
            at_rest=question.at_rest,
            unfinished=question.unfinished,
            excused=lost if question.accept_gaps else 0,
        )
        result.complete = True
    except EnoughError:
        pass
    result.chains = chains.chains
    result.pending_quarantine = chains.pending_quarantine
    return result


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


def _take(reading: Reading, task: Task, chains: Chains, producers: Producers) -> None:
    if task.quarantine:
        if chains.add_quarantine(reading) is not None:
            producers.add_quarantined(reading)
    elif parse_key(reading.key) is None:
        log = chains.add_replay(reading)
        if log is not None:
            producers.add(reading, log, -1, -1)
    else:
        log = chains.add_main(reading)
        if log is not None:
            first, last = (int(reading.metadata[f"{name}-timestamp"]) for name in ("first", "last"))
            producers.add(reading, log, first, last)
