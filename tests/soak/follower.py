"""Reads the topic as it grows, with kafka-python's public consumer, before Kafka's retention removes it again."""

from __future__ import annotations

import threading
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from tests.chaos.topic import Entry


class Follower:
    """Collects every record, in a thread of its own.

    Args:
        client: kafka-python's options for a client that may read the topic.
        topic: the topic, which exists.
        partitions: how many it has.

    Attributes:
        entries: the records of each partition, in the order of the offsets.
    """

    def __init__(self, client: dict[str, Any], topic: str, partitions: int) -> None:
        self.entries: dict[int, list[Entry]] = {number: [] for number in range(partitions)}
        self._places = [TopicPartition(topic, number) for number in range(partitions)]
        self._reader = KafkaConsumer(**client, group_id=None, auto_offset_reset="earliest", metadata_max_age_ms=2000)
        self._reader.assign(self._places)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._over.is_set():
            try:
                self._poll()
            except KafkaError:
                self._over.wait(0.2)

    def _poll(self) -> None:
        for place, records in self._reader.poll(timeout_ms=200, max_records=10_000).items():
            self.entries[place.partition] += [Entry(r.offset, r.timestamp, r.key, r.value) for r in records]

    def finish(self) -> tuple[dict[int, int], dict[int, int]]:
        """Reads to the ends of the logs; returns where each log begins by now, and where it ends."""
        self._over.set()
        self._thread.join(30)
        starts, ends = (
            {place.partition: offset for place, offset in bounds.items()}
            for bounds in (self._reader.beginning_offsets(self._places), self._reader.end_offsets(self._places))
        )
        while any(self._reader.position(place) < ends[place.partition] for place in self._places):
            self._poll()
        self._reader.close()
        return starts, ends
