"""An audit's result as tables for a person, and as one JSON document for a program."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from stock_market_ops.common import tables
from stock_market_ops.verify.audit import Result
from stock_market_ops.verify.bucket import Place
from stock_market_ops.verify.history.hours import Summary
from stock_market_ops.verify.producers import Verdict
from stock_market_ops.verify.violations import Finding, Log


class PartitionRow(msgspec.Struct):
    """One partition of one log.

    Attributes:
        log: the topic's name and id, the cluster's id, and the partition.
        objects: how many objects.
        records: quotes in them.
        quarantined: records in their quarantine objects.
        replayed: quarantined records that became quotes.
        holes: offsets without a record.
        first: first offset.
        end: the one after the last.
        violations: findings about it.
        gone: objects that are not there any more, and whose records the history holds.
        old_names: objects whose names, of the form before the topic's id stood in them, do not tell the log.
    """

    log: Log
    objects: int
    records: int
    quarantined: int
    replayed: int
    holes: int
    first: int
    end: int
    violations: int
    gone: int
    old_names: int


class ProducerRow(Verdict):
    """One producer, with the number of its violations."""

    violations: int


class Report(msgspec.Struct):
    """The whole answer of `make verify FORMAT=json`.

    Attributes:
        true: whether no violation was found and all was judged.
        violations: how many were found.
        records: quotes in all objects, replayed ones included.
        missing, doubles, pending: sums over the producers.
        objects: how many objects were read.
        left_out: objects that were written after the audit had begun, and not read.
        history: what the history came to.
        findings: the first violations.
        accepted: the first findings that were told to be no violations.
    """

    bucket: str
    true: bool
    violations: int
    records: int
    missing: int
    doubles: int
    pending: int
    objects: int
    left_out: int
    history: Summary
    partitions: list[PartitionRow]
    producers: list[ProducerRow]
    findings: list[Finding]
    accepted: list[Finding]


def make(place: Place, result: Result) -> Report:
    """Puts a result into rows."""
    findings = result.findings
    partitions = [
        PartitionRow(
            log=log,
            objects=len(chain.links),
            records=sum(link.records for link in chain.links) + result.gone[log].records,
            quarantined=sum(link.quarantined for link in chain.links) + result.gone[log].quarantined,
            replayed=chain.replayed,
            holes=chain.holes,
            first=min((link.start for link in chain.links), default=0),
            end=max((link.end for link in chain.links), default=0),
            violations=findings.by_log[log],
            gone=result.gone[log].objects,
            old_names=chain.old_names,
        )
        for log, chain in sorted(result.chains.items())
    ]
    producers = [
        ProducerRow(**msgspec.structs.asdict(row), violations=findings.by_producer[row.producer_id])
        for row in result.producers
    ]
    return Report(
        bucket=place.bucket,
        true=not findings.violations and result.complete,
        violations=findings.violations,
        records=sum(row.records + row.replayed for row in partitions),
        missing=sum(row.missing for row in producers),
        doubles=sum(row.doubles for row in producers),
        pending=sum(row.pending for row in producers),
        objects=result.objects,
        left_out=result.left_out,
        history=result.history,
        partitions=partitions,
        producers=producers,
        findings=findings.kept,
        accepted=findings.accepted_kept,
    )


def render(report: Report, most_rows: int = 70) -> str:
    """Lays the report out for a person; what is untrue stands at the end, where the eye rests."""
    return "\n".join(_lines(report, most_rows)) + "\n"


def _verdict(violations: int) -> str:
    return f"{violations:,} violations" if violations > 1 else "1 violation" if violations else "true"


def _lines(report: Report, most_rows: int) -> Iterator[str]:
    several = len({(row.log.cluster_id, row.log.topic_id) for row in report.partitions}) > 1
    columns = ["topic", "partition", "objects", "records", "quarantined", "replayed", "first", "end", "verdict"]
    if any(row.gone for row in report.partitions):
        columns.insert(3, "gone")
    rows: list[dict[str, tables.Value]] = []
    for row in report.partitions:
        cells: dict[str, tables.Value] = {name: getattr(row, name) for name in columns[2:-1]}
        place: dict[str, tables.Value] = {
            "topic": row.log.topic,
            "partition": row.log.partition,
            "log": row.log.topic_id,
        }
        rows.append({**place, **cells, "verdict": _verdict(row.violations)})
    yield tables.render([*columns[:2], "log", *columns[2:]] if several else columns, rows, most_rows)
    yield ""
    names = ["producer_id", "records", "newest", "missing", "pending", "quarantined", "doubles"]
    found: list[dict[str, tables.Value]] = [
        {name: getattr(row, name) for name in names} | {"verdict": _verdict(row.violations)} for row in report.producers
    ]
    yield tables.render([*names, "verdict"], found, most_rows)
    yield ""
    yield from _of_history(report.history)
    if report.accepted:
        yield "Accepted, as asked:"
        yield from (f"  - {finding.sentence}" for finding in report.accepted)
        yield ""
    old_names = sum(row.old_names for row in report.partitions)
    if old_names:
        yield f"Names of the old form, without the topic's id: {old_names:,} objects; their metadata tells the log."
    if report.left_out:
        yield f"Not looked at, because they were written meanwhile: {report.left_out:,} objects."
    if report.pending:
        words = "the partitions are not level yet; with --at-rest they are missing"
        yield f"Pending: {report.pending:,} records, for {words}."
    if not report.findings:
        yield f"All is true: {report.records:,} records in {report.objects:,} objects, 0 missing, 0 doubled."
        return
    yield f"Not true ({report.violations:,}):"
    yield from (f"  - {finding.sentence}" for finding in report.findings)
    if report.violations > len(report.findings):
        yield f"  ... and {report.violations - len(report.findings):,} more"


def _of_history(history: Summary) -> Iterator[str]:
    if history.source == "none":
        return
    until = history.watermark or "nothing"
    counts = f"{history.records:,} records of {history.hours:,} hours in {history.files:,} files"
    yield f"History up to {until}: {counts}."
    if history.source == "s3":
        yield "Without Glue, the newest whole try of each hour was read; what the view reads is not known."
    if history.summed_up or history.behind:
        later = f"; {history.behind:,} are summed up when they are asked for" if history.behind else ""
        yield f"Summed up, and compared with their records: {history.summed_up:,} hours{later}."
    if history.only_here:
        yield f"Only in the history, as their raw objects are gone: {history.only_here:,} records."
    if history.pending:
        yield f"Still to come into the history of its hour: {history.pending:,} objects of at most a day's age."
    if history.orphans:
        size = history.orphan_bytes / 1e6
        yield f"Read by nobody, and removed by the compactor in time: {history.orphans:,} folders of {size:,.1f} MB."
    if history.replaced:
        yield f"Replaced while they were read, and not judged: {history.replaced:,} hours."
    if history.expire_days:
        words = f"{history.expire_days} days after they were written"
        yield f"Raw objects whose history is true expire {words}; tagged now: {history.tagged:,}."
    yield ""
