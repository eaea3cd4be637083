"""Reads a whole topic with kafka-python's public consumer, which knows nothing of the services."""

from __future__ import annotations

from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import UnknownTopicOrPartitionError


class Entry(NamedTuple):
    """A record as Kafka has it; `timestamp` in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def _places(reader: KafkaConsumer, topic: str) -> list[TopicPartition]:
    numbers = reader.partitions_for_topic(topic)
    if not numbers:
        raise UnknownTopicOrPartitionError(f"the broker does not know the topic {topic}")
    return [TopicPartition(topic, number) for number in numbers]


def ends(address: str, topic: str) -> dict[int, int]:
    """Where each partition's log ends."""
    reader = KafkaConsumer(bootstrap_servers=address, group_id=None)
    try:
        places = _places(reader, topic)
        return {place.partition: end for place, end in reader.end_offsets(places).items()}
    finally:
        reader.close()


def read(address: str, topic: str) -> dict[int, list[Entry]]:
    """Every record of every partition, in the order of the offsets."""
    reader = KafkaConsumer(bootstrap_servers=address, group_id=None, auto_offset_reset="earliest")
    try:
        places = _places(reader, topic)
        reader.assign(places)
        last = reader.end_offsets(places)
        found: dict[int, list[Entry]] = {place.partition: [] for place in places}
        while any(reader.position(place) < last[place] for place in places):
            for place, records in reader.poll(timeout_ms=500, max_records=10_000).items():
                found[place.partition] += [Entry(r.offset, r.timestamp, r.key, r.value) for r in records]
        return found
    finally:
        reader.close()
