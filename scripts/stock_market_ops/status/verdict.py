"""When is all well? The rules of `make status`, as functions of what was seen."""

from __future__ import annotations

from collections.abc import Iterator

from stock_market_ops.common.deployment import Deployment
from stock_market_ops.status.report import (
    HistoryUnitView,
    HistoryView,
    InstanceView,
    KafkaView,
    Report,
    StorageView,
    lag,
    size,
    stored_offsets,
)

# A stream that has no record for this long is not streaming: the slowest sensible rate is far above one a minute.
QUIET_TOPIC_SECONDS = 60.0


# Of a disk: what counts as nearly full, and as full. A broker starts with 128 MiB free (kafka_start_free_mb).
NEARLY_FULL_SHARE = 0.05
FULL_BYTES = 256 << 20
# A volume that is full sooner than this wants somebody's hand now.
MIN_DAYS = 2.0


# The timer runs each hour; a run that catches up takes longer.
MAX_HOURS_BEHIND = 3.0
MAX_RUN_AGE_SECONDS = 2 * 3600.0


def stale_seconds(deployment: Deployment) -> float:
    """Return the age from which the newest object is too old while records wait: two flushes, and half a minute."""
    return 2 * deployment.flush_seconds + 30.0


def problems(deployment: Deployment, report: Report) -> list[str]:
    """Return one sentence for each thing that is not well; empty when all is well."""
    # One dead API is one problem, however many parts met it.
    return list(dict.fromkeys(_problems(deployment, report)))


def _problems(deployment: Deployment, report: Report) -> Iterator[str]:
    for outcome in (
        report.instances,
        report.kafka,
        report.storage,
        report.rows,
        report.disks,
        report.history,
        report.alerts,
        report.migration,
    ):
        if outcome.failure is not None:
            yield outcome.failure
    if report.instances.value is not None:
        yield from _instances(deployment, report.instances.value)
    if report.kafka.value is not None:
        yield from _kafka(deployment, report.kafka.value)
    if report.storage.value is not None:
        yield from _storage(deployment, report.storage.value, report.kafka.value)
    yield from _disks(report)
    if report.history.value is not None:
        yield from _history(report.history.value)
    for alert in report.alerts.value or []:
        yield f"Alert {alert.name}: {alert.summary}; {alert.runbook} says what to do."
    if report.rows.value is not None and report.rows.value.rows == 0:
        yield f"Athena counts no row in dt={report.rows.value.dt}, hour={report.rows.value.hour}, which has objects."


def _instances(deployment: Deployment, seen: list[InstanceView]) -> Iterator[str]:
    now = {instance.instance_id: instance for instance in seen}
    for expected in deployment.instances:
        instance = now.pop(expected.instance_id, None)
        if instance is None or instance.state == "terminated":
            yield f"The instance {expected.name} ({expected.instance_id}) is gone: run `make up`, which creates one."
        elif instance.state != "running":
            yield f"The instance {expected.name} is {instance.state}: start it, then run `make up`."
        elif instance.public_address != expected.public_address:
            yield (
                f"The public address of {expected.name} changed from {expected.public_address or 'none'} to "
                f"{instance.public_address or 'none'}: run `make up`, which tells the broker and its clients."
            )
    for instance in now.values():
        if instance.state not in {"terminated", "shutting-down"}:
            yield (
                f"The instance {instance.name} ({instance.instance_id}, {instance.state}) was not there when `make up` "
                "last ran: run it again."
            )
    if not deployment.instances and not now:
        yield "The deployment has no instances: run `make up`."


def _kafka(deployment: Deployment, kafka: KafkaView) -> Iterator[str]:
    expected = len(deployment.carrying("kafka"))
    if not kafka.brokers:
        yield f"None of the {expected} brokers is in the cluster: see kafka.service."
        return
    if len(kafka.brokers) < expected:
        yield f"{len(kafka.brokers)} of {expected} brokers are in the cluster: see kafka.service on the others."
    if kafka.controllers:
        yield from _controllers(kafka)
    elif kafka.controller_id not in kafka.brokers:
        yield "The cluster has no controller: see zookeeper.service and kafka.service."
    if kafka.offline:
        yield f"{len(kafka.offline)} partitions have no leader: {_some(kafka.offline)}."
    if kafka.under_replicated:
        yield f"{len(kafka.under_replicated)} partitions are under-replicated: {_some(kafka.under_replicated)}."
    if kafka.topic is None:
        yield f"The topic {deployment.topic} does not exist: run `make up`."
        return
    age = kafka.topic.newest_record_age_seconds
    if age is None:
        yield f"The topic {deployment.topic} is empty: see stock-producer.service."
    elif age > QUIET_TOPIC_SECONDS:
        yield f"No record has come into {deployment.topic} for {age:.0f} s: see stock-producer.service."
    if kafka.group is None or kafka.group.members == 0:
        yield f"Nobody is in the consumer group {deployment.consumer_group}: see stock-consumer.service."
    elif kafka.group.members < deployment.consumers:
        yield (
            f"{kafka.group.members} of {deployment.consumers} consumers are in the group "
            f"{deployment.consumer_group}: see stock-consumer.service on their hosts."
        )


def _controllers(kafka: KafkaView) -> Iterator[str]:
    away = [str(node) for node, follows in sorted(kafka.controllers.items()) if not follows]
    if kafka.controller_id not in kafka.controllers:
        yield "No controller leads the others: see kafka-controller.service."
    elif away:
        yield f"The controllers {_some(away)} do not follow the others: see kafka-controller.service on their hosts."


def _disks(report: Report) -> Iterator[str]:
    kafka = report.kafka.value
    keeper = "The controllers" if kafka is not None and kafka.controllers else "ZooKeeper"
    for disk in report.disks.value or []:
        if disk.failure:
            yield f"How full the disk of {disk.host} is cannot be told: {disk.failure}."
            continue
        left = f"{size(disk.free_bytes)} of {size(disk.total_bytes)} free on {disk.mount}"
        if disk.free_bytes < FULL_BYTES:
            yield (
                f"The disk of {disk.host} is full, {left}: delete what is no data of Kafka, or enlarge the volume; "
                f"{keeper}, "
                "Kafka and the stream go on by themselves once there is room."
            )
        elif disk.free_share < NEARLY_FULL_SHARE:
            yield (
                f"The disk of {disk.host} is nearly full, {left}: lower retention.bytes in kafka_topics_definitions or "
                "stock_producer_rate, or enlarge the volume."
            )
    for log in kafka.log_dirs if kafka is not None else []:
        days = log.days_left
        if log.offline:
            yield f"Broker {log.broker} lost its log directory {log.path}: see kafka.service and its disk."
        elif days is not None and days < MIN_DAYS:
            yield (
                f"The volume of broker {log.broker} is full in {days:.1f} days at this rate, before retention.bytes "
                f"holds: lower it "
                "in kafka_topics_definitions or stock_producer_rate, or enlarge the volume."
            )


def _history(history: HistoryView) -> Iterator[str]:
    for unit in history.units:
        yield from _history_unit(unit)
    if history.units and history.hours_behind > MAX_HOURS_BEHIND:
        yield (
            f"The history is {history.hours_behind:.0f} hours behind: `make compact` catches up, or says which hour it "
            "can't take and why."
        )


def _history_unit(unit: HistoryUnitView) -> Iterator[str]:
    log = f"make ssh HOST={unit.host} COMMAND='sudo journalctl -n 30 -u stock-history'"
    if unit.failure:
        yield f"The state of the history's timer on {unit.host} is unknown: {unit.failure}."
    elif unit.timer != "active":
        yield f"stock-history.timer on {unit.host} is {unit.timer}: run `make up`, which starts it."
    elif unit.service == "failed":
        yield f"The history's last run on {unit.host} failed ({unit.result}, exit code {unit.exit_code}): read {log}."
    elif unit.service == "inactive" and (unit.last_run_age_seconds or 0.0) > MAX_RUN_AGE_SECONDS:
        yield f"The history's last run on {unit.host} was {unit.last_run_age_seconds or 0:.0f} s ago: read {log}."


def _storage(deployment: Deployment, storage: StorageView, kafka: KafkaView | None) -> Iterator[str]:
    if kafka is None or kafka.topic is None:
        return
    waiting = lag(kafka.topic.end_offsets, stored_offsets(kafka.group, storage))
    limit = stale_seconds(deployment)
    if waiting and storage.newest_age_seconds > limit:
        yield (
            f"{waiting:,} records wait and the newest object is {storage.newest_age_seconds:.0f} s old (limit "
            f"{limit:.0f} s): see stock-consumer.service."
        )
    ahead = [
        partition
        for partition, end in sorted(storage.end_offsets.items())
        if end > kafka.topic.end_offsets.get(partition, 0)
    ]
    if ahead:
        yield (
            f"S3 holds offsets beyond the end of partition {_some([str(partition) for partition in ahead])}: the topic "
            "was created again, or another cluster's data is in this bucket."
        )


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
