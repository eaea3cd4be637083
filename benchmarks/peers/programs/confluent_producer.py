"""confluent-kafka's producer with ready-made values, keyed by their symbol as the project's producer keys them.

It runs in .venv/peers. `batch` hands over thousands of records in one call, `single` each by itself.
"""

from __future__ import annotations

import json
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

_CHUNK = 10_000
"""Records in a call of `produce_batch`, and between two calls of `poll` otherwise."""
_ROOM_SECONDS = 0.05
"""How long to wait for room where the queue is full."""


def main(*, address: str, topic: str, records: int, quotes: str, way: str) -> None:
    """Sends that many records, the file's lines over and over, and returns when the broker has acknowledged them.

    Args:
        address: the broker's.
        topic: where they go.
        records: how many.
        quotes: a file of values, one a line.
        way: `batch` or `single`.
    """
    producer = Producer(
        {
            "bootstrap.servers": address,
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "batch.num.messages": 100_000,
            "queue.buffering.max.messages": 500_000,
            "queue.buffering.max.kbytes": 128 << 10,
            "delivery.report.only.error": True,
        }
    )
    values = Path(quotes).read_bytes().splitlines()
    endless = cycle([(json.loads(value)["symbol"].encode(), value) for value in values])
    left = records
    send = _batch if way == "batch" else _single
    while left:
        chunk = list(islice(endless, min(left, _CHUNK)))
        send(producer, topic, chunk)
        left -= len(chunk)
    if producer.flush(120):
        sys.exit("records were not acknowledged within 120 s")


def _failed(error: KafkaError | None, _message: Any) -> None:
    if error is not None:
        raise KafkaException(error)


def _batch(producer: Any, topic: str, chunk: list[tuple[bytes, bytes]]) -> None:
    messages: list[dict[str, Any]] = [{"key": key, "value": value} for key, value in chunk]
    while messages:
        taken = producer.produce_batch(topic, messages, on_delivery=_failed)
        producer.poll(0)
        if taken == len(messages):
            return
        messages = [message for message in messages if "_error" in message]
        for message in messages:
            error = message.pop("_error")
            if error.code() != KafkaError._QUEUE_FULL:
                raise KafkaException(error)
        producer.poll(_ROOM_SECONDS)


def _single(producer: Any, topic: str, chunk: list[tuple[bytes, bytes]]) -> None:
    for key, value in chunk:
        while True:
            try:
                producer.produce(topic, value, key, on_delivery=_failed)
                break
            except BufferError:
                producer.poll(_ROOM_SECONDS)
    producer.poll(0)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
