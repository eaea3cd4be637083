"""Looks into the topic: which of the records whose fate is not known are there."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from kafka import KafkaConsumer, TopicPartition

from stock_market.kafka.batch_builder import Records, join
from stock_market.producer.in_flight import Flight

_POLL_RECORDS = 5000


def _mark(value: bytes) -> bytes:
    """Stands for a value; each is unique by its producer's id and its sequence number."""
    return hashlib.blake2b(value, digest_size=16).digest()


def present(
    reader: KafkaConsumer, topic: str, flights: Sequence[Flight], floor: dict[int, int], tick: Callable[[], None]
) -> set[bytes]:
    """Marks of those records that the topic has.

    Args:
        reader: a consumer without a group; its partitions are changed.
        topic: the topic.
        flights: the records that are looked for.
        floor: for each partition an offset before which none of them can be; is lowered to the log's end.
        tick: called now and then; raises to end the search.
    """
    by_partition: dict[int, list[Flight]] = defaultdict(list)
    for flight in flights:
        by_partition[flight.partition].append(flight)
    found: set[bytes] = set()
    for partition, awaited in by_partition.items():
        wanted = {_mark(value) for flight in awaited for _, value in flight.records().split()}
        place = TopicPartition(topic, partition)
        reader.assign([place])
        end = reader.end_offsets([place])[place]
        # Where the log was cut below it, what is sent from now on gets lower offsets.
        floor[partition] = min(floor.get(partition, 0), end)
        reader.seek(place, floor[partition])
        while reader.position(place) < end:
            tick()
            for records in reader.poll(timeout_ms=500, max_records=_POLL_RECORDS).values():
                found |= wanted.intersection(_mark(record.value) for record in records if record.value is not None)
    return found


def lacking(flights: Sequence[Flight], found: set[bytes]) -> Iterator[Records]:
    """What is still to be sent of these flights by what `present` has found, one batch at a time."""
    for flight in flights:
        records = flight.records()
        pairs = records.split()
        missing = [pair for pair in pairs if _mark(pair[1]) not in found]
        if len(missing) == len(pairs):
            yield records
        elif missing:
            yield join(flight.partition, missing)
