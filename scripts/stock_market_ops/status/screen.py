"""The one screen of `make status`."""

from __future__ import annotations

from collections.abc import Iterator

from stock_market_ops.common import tables
from stock_market_ops.common.deployment import Deployment
from stock_market_ops.status.report import (
    DiskView,
    HistoryView,
    KafkaView,
    MigrationView,
    Report,
    StorageView,
    lag,
    size,
    stored_offsets,
)

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
    yield from _migration(report.migration.value)
    yield from _kafka(deployment, report.kafka.value, report.storage.value, report.migration.value)
    yield from _disks(report)
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
        of = "" if rows.objects is None else f"the newest {rows.objects} objects of "
        yield _line("rows", f"{rows.rows:,} in {of}Athena's newest hour, {rows.dt} {rows.hour}h UTC{newest}")
    yield _line("history", _history(report.history.value))
    yield from _alerts(deployment, report)
    yield ""
    if not problems:
        yield "All is well."
        return
    yield "Not well:"
    for problem in problems:
        yield f"  - {problem}"


def _kafka(
    deployment: Deployment, kafka: KafkaView | None, storage: StorageView | None, migration: MigrationView | None
) -> Iterator[str]:
    if kafka is None:
        yield _line("brokers", "unknown")
        return
    addresses = ", ".join(f"{broker} at {address}" for broker, address in sorted(kafka.brokers.items()))
    # Brokers that write to both name one of themselves at random.
    known = kafka.controllers or migration is None or migration.stage == "controllers"
    controller = f"controller {kafka.controller_id}" if known else "the controller is not known to the brokers"
    yield _line("brokers", f"{addresses}; {controller}, cluster {kafka.cluster_id}")
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


def _migration(migration: MigrationView | None) -> Iterator[str]:
    if migration is None:
        return
    for label, hosts in (("brokers", migration.brokers), ("controllers", migration.controllers)):
        found = ", ".join(f"{name} {mode}" for name, mode in sorted(hosts.items())) or "none"
        begin = f"from ZooKeeper to controllers, step {migration.stage}; " if label == "brokers" else ""
        yield _line("migration" if begin else "", f"{begin}{label}: {found}")
    yield _line("", "`make migrate STEP=plan` says how to go on")


def _disks(report: Report) -> Iterator[str]:
    label = "disk"
    for disk in report.disks.value or []:
        yield _line(label, _disk(disk))
        label = ""
    for log in report.kafka.value.log_dirs if report.kafka.value else []:
        days = log.days_left
        growth = log.growth_bytes_per_second * 86400
        if days is not None:
            lasts = f"full in {days:,.1f} days"
        elif log.bytes_to_bound is not None:
            lasts = f"retention.bytes holds it after {size(log.bytes_to_bound)} more"
        else:
            lasts = "nothing grows"
        free = size(log.free_bytes) if log.free_bytes >= 0 else "unknown"
        yield _line(label, f"broker {log.broker} in {log.path}: {free} free, grows by {size(growth)} a day, {lasts}")
        label = ""


def _history(history: HistoryView | None) -> str:
    if history is None:
        return "unknown"
    until = f"up to {history.watermark}h UTC" if history.watermark else "none yet"
    behind = f"{history.hours_behind:.1f} hours behind" if history.hours_behind else "no hour waits"
    ages = [unit.last_run_age_seconds for unit in history.units if unit.last_run_age_seconds is not None]
    last = f"last run {ago(min(ages))}" if ages else "no run yet"
    return f"{until}, {behind}; {last}" if history.units else f"{until}, {behind}; no instance carries stock_history"


def _alerts(deployment: Deployment, report: Report) -> Iterator[str]:
    watched = deployment.carrying("monitoring")
    if not watched:
        return
    alerts = report.alerts.value
    if alerts is None:
        yield _line("alerts", "unknown")
        return
    names = ", ".join(sorted({alert.name for alert in alerts}))
    firing = f"{len(alerts)} firing: {names}" if alerts else "none firing"
    yield _line("alerts", f"{firing}; Prometheus on {', '.join(instance.name for instance in watched)}")


def _disk(disk: DiskView) -> str:
    if disk.failure:
        return f"{disk.host}: unknown"
    used = disk.total_bytes - disk.free_bytes
    return (
        f"{disk.host} on {disk.mount}: {size(used)} of {size(disk.total_bytes)} used, {size(disk.free_bytes)} free "
        f"({disk.free_share:.0%})"
    )


def ago(seconds: float) -> str:
    """Say how long ago, in the unit that fits."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.1f} s ago"
