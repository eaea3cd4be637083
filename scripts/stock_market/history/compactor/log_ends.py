"""Where Kafka's logs stand at the end of an hour."""

from __future__ import annotations

import time
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stock_market.kafka import connections, security
from stock_market.kafka.client import PATIENCE, identity, partitions
from stock_market.logs import Log, library_hushed
from stock_market.service import Stop
from stock_market.settings import HistoryKafka

_log = Log("history")
_KAFKA_MS = 10_000
_ATTEMPTS = 2
_PAUSE_SECONDS = 1.0


class LogEnds(NamedTuple):
    """The topic's logs at a moment.

    Attributes:
        topic_id: the topic's id.
        needed: by partition, the offset that S3's objects have to reach so that they hold all before the moment.
        starts: by partition, the first offset that Kafka still has.
    """

    topic_id: str
    needed: dict[int, int]
    starts: dict[int, int]


class KafkaLogs:
    """Asks Kafka; a broker that does not answer is asked twice, and then not again in this run."""

    def __init__(self, kafka: HistoryKafka, stop: Stop) -> None:
        self.topic = kafka.topic
        self._kafka = kafka
        self._stop = stop
        self._consumer: KafkaConsumer | None = None
        self._silent = False

    def at(self, moment_ms: int) -> LogEnds | None:
        """The logs at a moment, in milliseconds since 1970; None where Kafka does not tell."""
        for attempt in range(_ATTEMPTS):
            if self._silent or self._stop.requested:
                return None
            began = time.monotonic()
            try:
                found = self._ask(moment_ms)
                if found is not None:
                    return found
                reason = f"Kafka knows no topic {self.topic}"
            except KafkaError as error:
                reason = security.explain(error, self._kafka, began)
            _log.warning("kafka_retry", attempt=attempt + 1, error=reason)
            self._stop.wait(_PAUSE_SECONDS)
        self._silent = True
        _log.warning(
            "kafka_silent",
            error=reason,
            advice="without Kafka, an hour is over once each partition has an object in a later hour",
        )
        return None

    def _ask(self, moment_ms: int) -> LogEnds | None:
        if self._consumer is None:
            connections.mend()
            with library_hushed("kafka"):
                self._consumer = KafkaConsumer(
                    client_id=self._kafka.client_id,
                    group_id=None,
                    enable_auto_commit=False,
                    allow_auto_create_topics=False,
                    **(PATIENCE | security.options(self._kafka)),
                )
        consumer = self._consumer
        known = [TopicPartition(self.topic, number) for number in partitions(consumer, self.topic)]
        log = identity(consumer, self.topic)
        if not known or log is None:
            return None
        found = consumer.offsets_for_times(dict.fromkeys(known, moment_ms), timeout_ms=_KAFKA_MS)
        # The ends after the times: a record that came in between lies before the end.
        ends = consumer.end_offsets(known, timeout_ms=_KAFKA_MS)
        starts = consumer.beginning_offsets(known, timeout_ms=_KAFKA_MS)
        return LogEnds(
            log.topic_id,
            {one.partition: ends[one] if found[one] is None else found[one].offset for one in known},
            {one.partition: starts[one] for one in known},
        )

    def close(self) -> None:
        """Ends the connections."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=2000)
