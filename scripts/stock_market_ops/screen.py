"""The one screen of `make status`."""

from __future__ import annotations

from collections.abc import Iterator

from stock_market_ops import tables
from stock_market_ops.deployment import Deployment
from stock_market_ops.report import KafkaView, Report, StorageView, lag, stored_offsets

_LABEL_WIDTH = 11


def render(deployment: Deployment, report: Report, problems: list[str]) -> str:
    """Lay out everything that was seen, and what is not well at the end, where the eye rests."""
    return "\n".join(_lines(deployment, report, problems)) + "\n"


def _line(label: str, text: str) -> str:
    return f"{label:<{_LABEL_WIDTH}}{text}"


def _lines(deployment: Deployment, report: Report, problems: list[str]) -> Iterator[str]:
    yield _line("deployment", f"{deployment.deployment} in {deployment.region} {deployment.endpoint_url}".rstrip())
    for instance in report.instances.value or []:
        yield _line(
            "instance",
            f"{instance.name} {instance.state}, public {instance.public_address or '-'}, private "
            f"{instance.private_address or '-'}, {instance.instance_id}: {', '.join(instance.services) or '-'}",
        )
    if report.instances.value is None:
        yield _line("instance", "unknown")
    yield from _kafka(deployment, report.kafka.value, report.storage.value)
    storage = report.storage.value
    if storage is None:
        yield _line("storage", "unknown")
    else:
        rate = "" if storage.records_per_second is None else f", {storage.records_per_second:,.1f} records/s lately"
        yield _line("storage", f"newest object {ago(storage.newest_age_seconds)}, {size(storage.newest_bytes)}{rate}")
        yield _line("", f"s3://{deployment.data_bucket}/{storage.newest_key}")
    rows = report.rows.value
    if rows is None:
        yield _line("rows", "unknown")
    else:
        newest = f", newest event_time {rows.newest_event_time}" if rows.newest_event_time else ""
        yield _line("rows", f"{rows.rows:,} in Athena's newest hour, {rows.dt} {rows.hour}h UTC{newest}")
    yield ""
    if not problems:
        yield "All is well."
        return
    yield "Not well:"
    for problem in problems:
        yield f"  - {problem}"


def _kafka(deployment: Deployment, kafka: KafkaView | None, storage: StorageView | None) -> Iterator[str]:
    if kafka is None:
        yield _line("brokers", "unknown")
        return
    addresses = ", ".join(f"{broker} at {address}" for broker, address in sorted(kafka.brokers.items()))
    yield _line("brokers", f"{addresses}; controller {kafka.controller_id}, cluster {kafka.cluster_id}")
    yield _line(
        "",
        f"{kafka.partitions} partitions, {len(kafka.under_replicated)} under-replicated, {len(kafka.offline)} offline",
    )
    topic = kafka.topic
    if topic is None:
        yield _line("topic", f"{deployment.topic} does not exist")
        return
    age = topic.newest_record_age_seconds
    newest = "empty" if age is None else f"newest record {ago(age)}"
    yield _line(
        "topic",
        f"{deployment.topic}: {len(topic.end_offsets)} partitions, {topic.records_per_second:,.1f} records/s, {newest}",
    )
    committed = kafka.group.committed if kafka.group else {}
    stored = stored_offsets(kafka.group, storage)
    in_group = f"{kafka.group.state}, members {kafka.group.members}" if kafka.group else "unknown to the brokers"
    yield _line(
        "consumer",
        f"group {deployment.consumer_group}: {in_group}; records behind: {lag(topic.end_offsets, committed):,} by what "
        f"is committed, {lag(topic.end_offsets, stored):,} by what is in S3",
    )
    rows = [
        {"partition": partition, "end": end, "committed": committed.get(partition), "in S3": stored.get(partition)}
        for partition, end in sorted(topic.end_offsets.items())
    ]
    for line in tables.render(["partition", "end", "committed", "in S3"], rows, most_rows=12).splitlines():
        yield _line("", line)


def ago(seconds: float) -> str:
    """Say how long ago, in the unit that fits."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.1f} s ago"


def size(count: int) -> str:
    """Say how many bytes, in the unit that fits."""
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"
