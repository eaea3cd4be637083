"""kafka-python's public way: `KafkaProducer.send()` for each record, with settings for throughput."""

from __future__ import annotations

import json
import sys
from itertools import cycle, islice
from pathlib import Path

from kafka import KafkaProducer

_IN_FLIGHT = 50_000
"""Records between two flushes: `send()` itself knows no bound."""


def main(address: str, topic: str, records: str, quotes: str) -> None:
    """Sends so many records, the file's lines over and over, keyed by their symbol."""
    values = Path(quotes).read_bytes().splitlines()
    pairs = cycle([(json.loads(value)["symbol"].encode(), value) for value in values])
    producer = KafkaProducer(
        bootstrap_servers=[address],
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        linger_ms=20,
        batch_size=256 << 10,
        metrics_enabled=False,
    )
    left = int(records)
    while left:
        chunk = min(left, _IN_FLIGHT)
        for key, value in islice(pairs, chunk):
            producer.send(topic, value, key)
        producer.flush()
        left -= chunk
    producer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
