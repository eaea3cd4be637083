"""Sends records to Kafka so that each is there exactly once, with bounded memory, whatever the broker does."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError
from kafka.partitioner import DefaultPartitioner

from stock_market.kafka_client import RECONNECT, connect
from stock_market.logs import Log
from stock_market.service import Backoff, Stop, Systemd
from stock_market.settings import ProducerKafka

_log = Log("publisher")
_FOREVER_MS = 2**31 - 1
_OVERHEAD = 120
"""Bytes that a record in flight costs beside its key and value."""
_GRACE_SECONDS = 2.0
"""How long the broker may take to deal with requests of a connection that is closed."""


class _CachingPartitioner(DefaultPartitioner):  # type: ignore[misc]
    """Java's murmur2 partitioner; the hash of a key, slow in Python, is computed once."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[bytes | None, int], int] = {}

    def partition(self, *record: Any) -> int:
        """The partition of a record, given as (topic, key, key's bytes, value, value's bytes, cluster)."""
        topic, key_bytes, cluster = record[0], record[2], record[5]
        place = (key_bytes, len(cluster.partitions_for_topic(topic)))
        found = self._known.get(place)
        if found is None:
            found = self._known[place] = super().partition(*record)
        return found


@dataclass(slots=True)
class _InFlight:
    """A record that has not been acknowledged yet."""

    key: bytes
    value: bytes
    future: Any

    @property
    def size(self) -> int:
        return len(self.key) + len(self.value) + _OVERHEAD


class Publisher:
    """An idempotent producer whose records in flight are bounded, and which gets over fatal errors.

    kafka-python repeats a batch until it is acknowledged, for as long as it takes. Should it give one up all the same
    (an error that it calls fatal), a new producer is made, the topic is read to see which of the records in flight are
    there, and the others are sent again.

    Args:
        settings: the broker's addresses, the topic and the bounds.
        stop: ends waiting.
        systemd: hears how it goes.
    """

    def __init__(self, settings: ProducerKafka, stop: Stop, systemd: Systemd) -> None:
        self._settings = settings
        self._stop = stop
        self._systemd = systemd
        self._producer: KafkaProducer | None = None
        self._in_flight: deque[_InFlight] = deque()
        self._bytes = 0
        self._floor: dict[int, int] = {}
        self.acknowledged = 0
        self.recoveries = 0

    @property
    def in_flight_records(self) -> int:
        """Records that have not been acknowledged yet."""
        return len(self._in_flight)

    @property
    def in_flight_bytes(self) -> int:
        """What they hold in memory, about."""
        return self._bytes

    @property
    def full(self) -> bool:
        """Whether no further record may be sent for now."""
        return self._bytes >= self._settings.in_flight_bytes or len(self._in_flight) >= self._settings.in_flight_records

    def open(self) -> bool:
        """Connects and waits for the topic; False when the service was asked to end before."""
        ends = connect("topic", self._ends, self._stop, self._systemd)
        if ends is None:
            return False
        self._floor = ends
        self._producer = connect("producer", self._make_producer, self._stop, self._systemd)
        return self._producer is not None

    def _ends(self) -> dict[int, int]:
        """Where each partition's log ends before this producer has sent anything."""
        with self._reader() as reader:
            places = [TopicPartition(self._settings.topic, number) for number in self._partitions(reader)]
            return {place.partition: end for place, end in reader.end_offsets(places).items()}

    def _partitions(self, reader: KafkaConsumer) -> set[int]:
        found: set[int] = reader.partitions_for_topic(self._settings.topic)
        if not found:
            raise UnknownTopicOrPartitionError(f"there is no topic {self._settings.topic} yet")
        return found

    def _reader(self) -> KafkaConsumer:
        settings = self._settings
        return KafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers,
            client_id=f"{settings.client_id}-check",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            **RECONNECT,
        )

    def _make_producer(self) -> KafkaProducer:
        settings = self._settings
        producer = KafkaProducer(
            bootstrap_servers=settings.bootstrap_servers,
            client_id=settings.client_id,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=settings.linger_ms,
            batch_size=settings.batch_bytes,
            delivery_timeout_ms=_FOREVER_MS,
            max_block_ms=10_000,
            allow_auto_create_topics=False,
            partitioner=_CachingPartitioner(),
            **RECONNECT,
        )
        try:
            producer.partitions_for(settings.topic)
        except KafkaError:
            producer.close(timeout=0)
            raise
        return producer

    def send(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Hands records to the producer's network thread; the caller looks at `full` before."""
        for key, value in records:
            flight = _InFlight(key, value, self._dispatch(key, value))
            self._in_flight.append(flight)
            self._bytes += flight.size

    def _dispatch(self, key: bytes, value: bytes) -> Any:
        return self._producer.send(self._settings.topic, key=key, value=value)  # type: ignore[union-attr]

    def settle(self) -> None:
        """Lets go of what has been acknowledged, and gets over what has failed."""
        flights = self._in_flight
        while flights and flights[0].future.is_done:
            if flights[0].future.failed():
                self._recover(flights[0].future.exception)
                return
            flight = flights.popleft()
            self._bytes -= flight.size
            self.acknowledged += 1
            where = flight.future.value
            self._floor[where.partition] = where.offset + 1

    def _recover(self, error: Exception) -> None:
        """Goes on with a new producer; each record in flight is sent again only if the topic does not have it."""
        self.recoveries += 1
        _log.error("producer_failed", error=error, in_flight=len(self._in_flight), recoveries=self.recoveries)
        self._systemd.status(f"getting over an error: {error}")
        self._abort()
        pauses = Backoff(first=_GRACE_SECONDS, limit=30.0)
        while not self._stop.expired:
            # What the old producer sent last may still be on its way through the broker.
            self._stop.pause(pauses.pause())
            self._systemd.alive()
            try:
                self._resume()
            except KafkaError as problem:
                _log.warning("recovery_retry", attempt=pauses.attempts, error=problem)
                self._abort()
            else:
                return

    def _abort(self) -> None:
        """Ends the producer at once, so that it sends nothing more."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=0)
        except KafkaError:
            producer._sender.force_close()  # `close` gives up before its end when records are unsent.
        producer._sender.join(10)

    def _resume(self) -> None:
        missing = [flight for flight in self._in_flight if not self._confirmed(flight)]
        present = self._present({flight.value for flight in missing})
        lost = [flight for flight in missing if flight.value not in present]
        self._producer = self._make_producer()
        self.acknowledged += len(self._in_flight) - len(lost)
        self._in_flight = deque(lost)
        self._bytes = sum(flight.size for flight in lost)
        for flight in lost:
            flight.future = self._dispatch(flight.key, flight.value)
        _log.info("producer_recovered", found_in_topic=len(present), sent_again=len(lost))

    @staticmethod
    def _confirmed(flight: _InFlight) -> bool:
        return bool(flight.future.is_done and not flight.future.failed())

    def _present(self, values: set[bytes]) -> set[bytes]:
        """Which of these values, each unique by its producer id and sequence, the topic has."""
        found: set[bytes] = set()
        with self._reader() as reader:
            places = [TopicPartition(self._settings.topic, number) for number in self._partitions(reader)]
            reader.assign(places)
            ends = reader.end_offsets(places)
            for place in places:
                reader.seek(place, min(self._floor.get(place.partition, 0), ends[place]))
            while any(reader.position(place) < ends[place] for place in places):
                self._systemd.alive()
                if self._stop.expired:
                    raise KafkaTimeoutError("the service has to end")
                for records in reader.poll(timeout_ms=500, max_records=5000).values():
                    found.update(record.value for record in records if record.value in values)
        return found

    def close(self) -> int:
        """Sends what is held, within the service's time; returns how many records were not acknowledged."""
        while self._in_flight and not self._stop.expired:
            self.settle()
            time.sleep(0.01)
        self._abort()
        return len(self._in_flight)
