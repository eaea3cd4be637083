"""The producer's metrics: their definitions, and where their values come from."""

from __future__ import annotations

from collections.abc import Mapping

from stock_market.kafka.error_counts import REASONS
from stock_market.metrics.definition import Definitions, Metric, Readings, Values
from stock_market.producer.publisher import ACKNOWLEDGE_BOUNDS, Publisher
from stock_market.settings import ProducerSettings

_defined = Definitions("stock_producer_")
_RECORDS = _defined.counter("records_total", "records", "Records that the brokers have acknowledged.")
_BYTES = _defined.counter("bytes_total", "bytes", "Bytes of these records in their batches, before compression.")
_ERRORS = _defined.counter(
    "errors_total",
    "errors",
    "Errors that the producer got over or tries to: refused connections and logins, batches that were given up, and"
    " failed attempts to go on after them. What kafka-python repeats by itself is not counted.",
    reason=REASONS,
)
_BUFFERED_RECORDS = _defined.gauge("buffered_records", "records", "Records that wait for their acknowledgement.")
_BUFFERED_BYTES = _defined.gauge("buffered_bytes", "bytes", "Memory that these records hold, about.")
_TARGET = _defined.gauge(
    "target_records_per_second",
    "records per second",
    "The rate that the settings ask for. Absent where rows are sent by their own clock.",
)
_LAST = _defined.gauge(
    "last_acknowledged_timestamp_seconds",
    "seconds since 1970",
    "When the brokers last acknowledged a record. Absent before the first.",
)
_ACKNOWLEDGE = _defined.histogram(
    "acknowledge_seconds",
    "seconds",
    "From the hand-over of a batch to its acknowledgement. It counts batches.",
    ACKNOWLEDGE_BOUNDS,
)
_INFO = _defined.info(
    "info",
    "What the producer is: the value is always 1.",
    producer_id="one for each start of the process",
    mode=("simulate", "replay"),
    topic="the settings' topic",
)
METRICS = tuple(_defined.metrics)


def readings(publisher: Publisher, settings: ProducerSettings, producer_id: str, *, paced: bool) -> Readings:
    """What gives the values of the moment at which it is called, in any thread.

    `paced` says whether it sends at the rate in the settings.
    """

    def read() -> Mapping[Metric, Values]:
        found: dict[Metric, Values] = {
            _RECORDS: publisher.acknowledged,
            _BYTES: publisher.acknowledged_bytes,
            _ERRORS: {(reason,): count for reason, count in publisher.errors.counts().items()},
            _BUFFERED_RECORDS: publisher.in_flight_records,
            _BUFFERED_BYTES: publisher.in_flight_bytes,
            _ACKNOWLEDGE: publisher.acknowledge_seconds.snapshot(),
            _INFO: {(producer_id, settings.mode, settings.kafka.topic): 1},
        }
        if paced:
            found[_TARGET] = settings.rate
        if publisher.last_acknowledged:
            found[_LAST] = publisher.last_acknowledged
        return found

    return read
