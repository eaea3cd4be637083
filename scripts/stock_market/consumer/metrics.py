"""The consumer's metrics: their definitions, and where their values come from."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stock_market.chain.partition import PartitionWriter
from stock_market.chain.request_times import BOUNDS, OPERATIONS, OUTCOMES, RequestTimes
from stock_market.chain.totals import RECORD_BOUNDS, Totals
from stock_market.consumer.log_bounds import LogBounds
from stock_market.metrics.definition import Definitions, Metric, Values
from stock_market.quotes.validation import REASONS
from stock_market.service import Every
from stock_market.settings import ConsumerSettings

_LOOK_SECONDS = 1.0
_ASK_SECONDS = 5.0
_ASK_MS = 500
MAX_PARTITIONS = 512
_OTHERS = "others"

_defined = Definitions("stock_consumer_")
_RECORDS = _defined.counter("records_total", "records", "Records that were read, stored or not yet, valid or not.")
_BYTES = _defined.counter("bytes_total", "bytes", "Bytes of these records as lines, before compression.")
_LAG = _defined.gauge(
    "lag_records",
    "records",
    "Records of the log that were not read yet, of each partition that this process reads.",
    topic="the settings' topic",
    partition=f"the {MAX_PARTITIONS} lowest partitions; the sum of all higher ones is under {_OTHERS}",
)
_HELD_RECORDS = _defined.gauge("held_records", "records", "Records that were read and are not in S3 yet.")
_HELD_BYTES = _defined.gauge("held_bytes", "bytes", "Bytes of these records as lines, before compression.")
_HELD_OLDEST = _defined.gauge(
    "held_oldest_seconds", "seconds", "Time since the oldest of them was read; 0 where there is none."
)
_OBJECTS = _defined.counter("objects_total", "objects", "Objects that were stored in S3, without the quarantine's.")
_OBJECT_BYTES = _defined.counter("object_bytes_total", "bytes", "Bytes of these objects, compressed.")
_LAST = _defined.gauge(
    "last_object_timestamp_seconds",
    "seconds since 1970",
    "When this process last stored an object. Absent before the first.",
)
_FLUSH = _defined.gauge(
    "flush_interval_seconds", "seconds", "How long an object grows at most before it is stored, by the settings."
)
_REQUESTS = _defined.histogram(
    "s3_request_seconds",
    "seconds",
    "Time of each attempt of a request to S3. Throttled is 429 or 503; credentials are missing, not accepted, or signed"
    " by a wrong clock; refused is another 4xx, failed another 5xx. An object that exists already, or does not, is an"
    " answer.",
    BOUNDS,
    operation=OPERATIONS,
    outcome=OUTCOMES,
)
_QUARANTINED = _defined.counter(
    "quarantined_records_total", "records", "Records that were stored in the quarantine.", reason=REASONS
)
_RECORD_SECONDS = _defined.histogram(
    "record_to_object_seconds",
    "seconds",
    "From a record's Kafka timestamp to the moment at which its object is stored. It counts records, quarantined ones"
    " too. The timestamp is taken as the middle of its second, so a value is off by half a second at most; records that"
    " arrive together are of one second if the first and the last are. Records without a valid timestamp are not"
    " counted.",
    RECORD_BOUNDS,
)
_CREDENTIALS = _defined.counter(
    "credential_failures_total",
    "requests",
    "Attempts of requests to S3 that failed because credentials are missing or not accepted, or the clock is wrong.",
)
_PARTITIONS = _defined.gauge("assigned_partitions", "partitions", "Partitions that the group gave this process.")
METRICS = tuple(_defined.metrics)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the main loop last saw of its partitions; `since` by the monotonic clock, infinite where nothing is held."""

    partitions: int = 0
    records: int = 0
    bytes: int = 0
    since: float = float("inf")
    lag: Mapping[tuple[str, ...], int] = field(default_factory=dict)


class ConsumerReadings:
    """Values for the listener's thread. The main loop's objects change, so that loop looks at them once a second, where
    there is a listener.
    """

    def __init__(self, settings: ConsumerSettings, totals: Totals, requests: RequestTimes) -> None:
        self._settings = settings
        self._totals = totals
        self._requests = requests
        self._look = Every(_LOOK_SECONDS)
        self._ask = Every(_ASK_SECONDS)
        self._ends: dict[TopicPartition, int] = {}
        self._seen = _Seen()

    def look(
        self,
        consumer: KafkaConsumer,
        bounds: LogBounds,
        writers: Mapping[TopicPartition, PartitionWriter],
        leaving: Collection[PartitionWriter],
    ) -> None:
        """Looks at the partitions when it is time; called often."""
        if self._settings.metrics is None or not self._look.due():
            return
        held = [segment for writer in (*writers.values(), *leaving) for segment in writer.held]
        assigned = consumer.assignment()
        self._learn_ends(consumer, bounds, writers.keys() & assigned)
        self._seen = _Seen(
            len(assigned),
            sum(segment.records for segment in held),
            sum(segment.plain_bytes for segment in held),
            min((segment.opened for segment in held), default=float("inf")),
            self._lag(writers),
        )

    def _learn_ends(self, consumer: KafkaConsumer, bounds: LogBounds, reading: Collection[TopicPartition]) -> None:
        """Where the logs end: each fetch says it. Of others, as while S3 lags, the brokers are asked."""
        paused = consumer.paused()
        self._ends = {where: end for where, end in self._ends.items() if where in reading}
        try:
            fetched = {where: consumer.highwater(where) for where in reading if where not in paused}
            self._ends |= {where: end for where, end in fetched.items() if end is not None}
            unknown = [where for where in reading if fetched.get(where) is None]
            if unknown and self._ask.due():
                self._ends |= bounds.ends(unknown, _ASK_MS)
        except KafkaError:
            return  # The main loop meets it, too, and tells it; the last known ends stay.

    def _lag(self, writers: Mapping[TopicPartition, PartitionWriter]) -> dict[tuple[str, ...], int]:
        found: dict[tuple[str, ...], int] = {}
        for place, (where, writer) in enumerate(sorted(writers.items())):
            end = self._ends.get(where)
            if end is not None:
                partition = str(where.partition) if place < MAX_PARTITIONS else _OTHERS
                labels = (where.topic, partition)
                found[labels] = found.get(labels, 0) + max(0, end - writer.position)
        return found

    def read(self) -> Mapping[Metric, Values]:
        """The values of this moment, for any thread."""
        totals, seen = self._totals, self._seen
        found: dict[Metric, Values] = {
            _RECORDS: totals.records,
            _BYTES: totals.bytes,
            _LAG: seen.lag,
            _HELD_RECORDS: seen.records,
            _HELD_BYTES: seen.bytes,
            _HELD_OLDEST: max(0.0, time.monotonic() - seen.since),
            _OBJECTS: totals.objects,
            _OBJECT_BYTES: totals.object_bytes,
            _FLUSH: self._settings.cut.seconds,
            _REQUESTS: self._requests.snapshot(),
            _QUARANTINED: {(reason,): totals.reasons[reason] for reason in REASONS},
            _RECORD_SECONDS: totals.record_seconds.snapshot(),
            _CREDENTIALS: self._requests.credential_failures,
            _PARTITIONS: seen.partitions,
        }
        if totals.last_object:
            found[_LAST] = totals.last_object
        return found
