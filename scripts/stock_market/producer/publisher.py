"""Sends records to Kafka so that each is there exactly once, with bounded memory, whatever the broker does."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from stock_market.kafka import compared, security
from stock_market.kafka.batch_builder import Records
from stock_market.kafka.client import PATIENCE, connect, partitions
from stock_market.kafka.connection_errors import Outages
from stock_market.kafka.error_counts import ErrorCounts
from stock_market.logs import Log
from stock_market.metrics.histogram import Histogram
from stock_market.producer import batch_writer
from stock_market.producer.batch_writer import BatchWriter
from stock_market.producer.in_flight import Flight
from stock_market.producer.record_writer import RecordWriter
from stock_market.producer.recovery import lacking, present
from stock_market.service import Backoff, Every, Stop, Systemd
from stock_market.settings import ProducerKafka

_log = Log("publisher")
_FOREVER_MS = 2**31 - 1
_REQUEST_BYTES = 4 << 20
_GRACE_SECONDS = 2.0
"""How long a broker that answers again may take to deal with requests of a connection that is closed."""
_QUIET_SECONDS = 5.0
"""How long the answers to requests on their way are waited for, once a batch has been given up."""
_LATENCIES = 20_000
ACKNOWLEDGE_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_T = TypeVar("_T")


class Publisher:
    """An idempotent producer whose records in flight are bounded, and which gets over fatal errors.

    kafka-python repeats a batch, under the same sequence number, until it is acknowledged, for as long as it takes.
    Should it give one up all the same (an error that it calls fatal), a new producer is made, the topic is read to see
    which of the records in flight are there, and the others are sent again, in their order.

    Attributes:
        acknowledged: how many records the broker has acknowledged; this and the following numbers never fall.
        acknowledged_bytes: of these, before compression.
        last_acknowledged: when that last happened, in seconds since 1970; 0 before.
        acknowledge_seconds: from the hand-over of each batch to its acknowledgement.
        errors: what has gone wrong.
        recoveries: how many fatal errors have been got over.
        latencies: seconds from the hand-over of a batch to its acknowledgement, of the newest batches.
    """

    def __init__(self, settings: ProducerKafka, stop: Stop, systemd: Systemd) -> None:
        self._settings = settings
        self._stop = stop
        self._systemd = systemd
        self._outages = Outages(settings, systemd)
        self._producer: KafkaProducer | None = None
        self._writer: BatchWriter | RecordWriter | None = None
        self._partitions = 0
        self._metadata_look = Every(30.0)
        self._in_flight: deque[Flight] = deque()
        self._newest: list[Flight] = []
        self._records = 0
        self._bytes = 0
        self._floor: dict[int, int] = {}
        self._pauses = Backoff(first=_GRACE_SECONDS, limit=30.0)
        self.acknowledged = self.acknowledged_bytes = 0
        self.last_acknowledged = 0.0
        self.acknowledge_seconds = Histogram(ACKNOWLEDGE_BOUNDS)
        self.errors = ErrorCounts()
        self.recoveries = 0
        self.latencies: deque[float] = deque(maxlen=_LATENCIES)

    @property
    def in_flight_records(self) -> int:
        """Records that have not been acknowledged yet."""
        return self._records

    @property
    def in_flight_bytes(self) -> int:
        """What they hold in memory, about."""
        return self._bytes

    @property
    def waiting(self) -> bool:
        """Whether something of the last hand-over is still on its way: what comes now would queue behind it."""
        return not all(flight.done for flight in self._newest)

    @property
    def full(self) -> bool:
        """Whether no further record may be sent for now."""
        return self._bytes >= self._settings.in_flight_bytes or self._records >= self._settings.in_flight_records

    def open(self) -> bool:
        """Connects and waits for the topic; False when the service was asked to end before."""
        ends = connect("topic", self._counted(self._ends), self._settings, self._stop, self._systemd)
        if ends is None:
            return False
        self._floor = ends
        make = self._counted(self._make_producer)
        self._producer = connect("producer", make, self._settings, self._stop, self._systemd)
        return self._producer is not None

    def _counted(self, call: Callable[[], _T]) -> Callable[[], _T]:
        """The same call, whose errors are counted."""

        def counted() -> _T:
            try:
                return call()
            except KafkaError as error:
                self.errors.note(error)
                raise

        return counted

    @property
    def partitions(self) -> int:
        """How many partitions the topic has, as far as is known."""
        if self._producer is not None and (not self._partitions or self._metadata_look.due()):
            try:
                self._partitions = len(self._producer.partitions_for(self._settings.topic))
            except KafkaError as error:
                self.errors.note(error)
                _log.warning("partitions_unknown", topic=self._settings.topic, error=self._explain(error))
        return self._partitions

    def _ends(self) -> dict[int, int]:
        """Where each partition's log ends before this producer has sent anything."""
        with self._reader() as reader:
            numbers = partitions(reader, self._settings.topic)
            if not numbers:
                raise UnknownTopicOrPartitionError(f"there is no topic {self._settings.topic} yet")
            places = [TopicPartition(self._settings.topic, number) for number in numbers]
            return {place.partition: end for place, end in reader.end_offsets(places).items()}

    def _reader(self, **options: Any) -> KafkaConsumer:
        settings = self._settings
        return KafkaConsumer(
            client_id=f"{settings.client_id}-check",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            **PATIENCE,
            **security.options(settings),
            **options,
        )

    def _make_producer(self, **options: Any) -> KafkaProducer:
        settings = self._settings
        producer = KafkaProducer(
            client_id=settings.client_id,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=settings.linger_ms,
            batch_size=settings.batch_bytes,
            max_request_size=_REQUEST_BYTES,
            delivery_timeout_ms=_FOREVER_MS,
            max_block_ms=10_000,
            allow_auto_create_topics=False,
            **PATIENCE,
            **security.options(settings),
            **options,
        )
        try:
            self._partitions = len(producer.partitions_for(settings.topic))
        except KafkaError:
            batch_writer.abort(producer)
            raise
        return producer

    def send(self, batches: list[Records]) -> None:
        """Hands records to the producer's network thread; the caller looks at `full` before."""
        if self._writer is None:
            self._writer = self._make_writer()
        self._newest = self._writer.write(batches)
        for flight in self._newest:
            self._in_flight.append(flight)
            self._records += flight.count
            self._bytes += flight.size

    def _make_writer(self) -> BatchWriter | RecordWriter:
        if self._settings.writer == "batches" and compared.fits():
            return BatchWriter(self._producer, self._settings.topic)
        return RecordWriter(self._producer, self._settings.topic)

    def settle(self) -> None:
        """Lets go of what has been acknowledged, and gets over what has failed."""
        flights = self._in_flight
        self._outages.look()
        while flights and flights[0].done:
            flight = flights[0]
            if flight.error is not None:
                self._recover(flight.error)
                return
            flights.popleft()
            self._let_go(flight)
            self._note_acknowledged(flight.count, flight.plain_bytes)
            self.acknowledge_seconds.add(flight.seconds)
            self._floor[flight.partition] = flight.next_offset
            self.latencies.append(flight.seconds)
            self._pauses.reset()
            self._outages.over()

    def _let_go(self, flight: Flight) -> None:
        self._records -= flight.count
        self._bytes -= flight.size

    def _note_acknowledged(self, records: int, plain_bytes: int) -> None:
        if records:
            self.acknowledged += records
            self.acknowledged_bytes += plain_bytes
            self.last_acknowledged = time.time()

    def _recover(self, error: Exception) -> None:
        """Goes on with a new producer; each record in flight is sent again only if the topic does not have it."""
        self.recoveries += 1
        self.errors.note(error)
        reason = self._explain(error)
        _log.error("producer_failed", error=reason, in_flight=self._records, recoveries=self.recoveries)
        self._systemd.status(f"getting over an error: {reason}")
        self._wait_for_answers()
        self._abort()
        while not self._stop.expired:
            self._stop.pause(self._pauses.pause())
            self._systemd.alive()
            began = time.monotonic()
            try:
                self._resume()
            except KafkaError as problem:
                self.errors.note(problem)
                _log.warning("recovery_retry", attempt=self._pauses.attempts, error=self._explain(problem, began))
                self._abort()
            else:
                return

    def _explain(self, error: Exception, since: float = math.inf) -> str:
        return security.explain(error, self._settings, since) if isinstance(error, KafkaError) else str(error)

    def _wait_for_answers(self) -> None:
        """Waits until the fate of every batch is known, or for some seconds."""
        deadline = time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < deadline and not self._stop.expired:
            if all(flight.done for flight in self._in_flight):
                return
            time.sleep(0.01)

    def _abort(self) -> None:
        """Ends the producer at once, so that it sends nothing more."""
        producer, self._producer, self._writer = self._producer, None, None
        if producer is not None:
            batch_writer.abort(producer)

    def _resume(self) -> None:
        unknown = [flight for flight in self._in_flight if not flight.confirmed]
        with self._reader() as reader:
            reader.partitions_for_topic(self._settings.topic)
            # The broker answers; now it has time for what it got last from the old producer, before the topic is read.
            self._stop.pause(_GRACE_SECONDS)
            try:
                found = present(reader, self._settings.topic, unknown, self._floor, self._tick)
            except TopicAuthorizationFailedError as error:
                raise security.UnreadableError(self._settings) from error
        self._producer = self._make_producer()
        records_before = self._records
        bytes_before = sum(flight.plain_bytes for flight in self._in_flight)
        for flight in self._in_flight:
            self._let_go(flight)
        self._in_flight.clear()
        for records in lacking(unknown, found):
            self.send([records])
        bytes_now = sum(flight.plain_bytes for flight in self._in_flight)
        self._note_acknowledged(records_before - self._records, bytes_before - bytes_now)
        _log.info("producer_recovered", found_in_topic=len(found), sent_again=self._records)

    def _tick(self) -> None:
        self._systemd.alive()
        if self._stop.expired:
            raise KafkaTimeoutError("the service has to end")

    def close(self) -> int:
        """Sends what is held, within the service's time; returns how many records were not acknowledged."""
        while self._in_flight and not self._stop.expired:
            self.settle()
            time.sleep(0.01)
        self._abort()
        return self._records
