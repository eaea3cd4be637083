"""The producer as it is after years: its sequence and Kafka's own numbering are about to pass 2^31.

It is the real program; only where its counters begin is another number. Kafka numbers the records of an idempotent
producer in each partition with 31 bits, and goes on with 0 after 2^31 - 1.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from kafka import KafkaProducer, TopicPartition

from stock_market.producer import service as producer
from stock_market.producer import source
from stock_market.producer.publisher import Publisher
from stock_market.producer.source import SimulatedSource, Source
from stock_market.settings import ProducerSettings

FIRST_SEQUENCE = 2**31 - 1000
FIRST_KAFKA_SEQUENCE = 2**31 - 300

_make_source = source.make_source
_make_producer = Publisher._make_producer
_close = Publisher.close


def _late_source(settings: ProducerSettings, producer_id: str) -> Source:
    made = _make_source(settings, producer_id)
    assert isinstance(made, SimulatedSource)
    made.produced = FIRST_SEQUENCE
    return made


def _late_producer(publisher: Publisher, **options: Any) -> KafkaProducer:
    made = _make_producer(publisher, **options)
    topic = publisher._settings.topic
    for partition in made.partitions_for(topic):
        made._transaction_manager.set_sequence_number(TopicPartition(topic, partition), FIRST_KAFKA_SEQUENCE)
    return made


def _last_close(publisher: Publisher) -> int:
    manager = publisher._producer._transaction_manager  # type: ignore[union-attr]  # the publisher is open
    numbers = {place.partition: number for place, number in manager._sequence_numbers.items()}
    print(f"kafka_sequences {numbers}", flush=True)
    return _close(publisher)


if __name__ == "__main__":
    producer.make_source = _late_source  # type: ignore[attr-defined]  # a part is replaced on purpose
    Publisher._make_producer = _late_producer  # type: ignore[assignment,method-assign]  # a part is replaced on purpose
    Publisher.close = _last_close  # type: ignore[assignment,method-assign]  # a part is replaced on purpose
    code = producer.main()
    sys.stdout.flush()
    os._exit(code)
