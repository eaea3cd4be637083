"""The brokers' log directories: how full their volumes are, and how long they last at the topic's rate.

DescribeLogDirs gives the size of each replica and, since Kafka 3.3 (KIP-827), the volume's total and usable bytes.
"""

from __future__ import annotations

from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import KafkaError

from stock_market_ops.status.report import LogDirView, TopicView

# Kafka's error code of a log directory that failed.
_STORAGE_ERROR = 56


def look(admin: KafkaAdminClient, name: str, topic: TopicView | None) -> list[LogDirView]:
    """Ask the brokers; without an answer, as from one that has just gone, nothing is known of any."""
    try:
        told = admin.describe_log_dirs()
        bound = _most_bytes(admin, name) if topic is not None else None
        record = _record_bytes(admin, name, topic, told) if topic is not None else 0.0
    except KafkaError:
        return []
    rate = topic.records_per_second * record / max(1, len(topic.end_offsets)) if topic is not None else 0.0
    return [
        _view(broker["broker"], directory, _sizes(directory, name), rate, bound)
        for broker in told
        for directory in broker["log_dirs"]
    ]


def _view(broker: int, directory: dict[str, Any], sizes: dict[int, int], rate: float, bound: int | None) -> LogDirView:
    """Describe a directory with the topic's replicas of these `sizes`, of which each grows by `rate` bytes a second."""
    return LogDirView(
        broker=broker,
        path=directory["log_dir"],
        total_bytes=directory["total_bytes"],
        free_bytes=directory["usable_bytes"],
        offline=directory["error_code"] == _STORAGE_ERROR,
        growth_bytes_per_second=rate * len(sizes),
        bytes_to_bound=None if bound is None else sum(max(0, bound - size) for size in sizes.values()),
    )


def _sizes(directory: dict[str, Any], name: str) -> dict[int, int]:
    """Return the bytes of the topic's replicas in a directory, by partition."""
    return {
        partition["partition_index"]: partition["partition_size"]
        for topic in directory["topics"]
        if topic["name"] == name
        for partition in topic["partitions"]
    }


def _record_bytes(admin: KafkaAdminClient, name: str, topic: TopicView, told: list[dict[str, Any]]) -> float:
    """Return what a record takes on a disk: the largest replica of each partition over the records in it."""
    partitions = [TopicPartition(name, partition) for partition in topic.end_offsets]
    first = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
    records = sum(max(0, topic.end_offsets[each.partition] - found.offset) for each, found in first.items())
    largest: dict[int, int] = {}
    for directory in (directory for broker in told for directory in broker["log_dirs"]):
        for partition, size in _sizes(directory, name).items():
            largest[partition] = max(size, largest.get(partition, 0))
    return sum(largest.values()) / records if records else 0.0


def _most_bytes(admin: KafkaAdminClient, name: str) -> int | None:
    """Return the most bytes that a partition takes: its bound and the segment it writes to; None without a bound."""
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    config = admin.describe_configs([resource], config_filter="all")["topic"][name]
    bound = int(config["retention.bytes"]["value"])
    return None if bound < 0 else bound + int(config["segment.bytes"]["value"])
