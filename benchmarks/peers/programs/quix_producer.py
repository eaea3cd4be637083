"""Quix Streams' producer with ready-made values, keyed by their symbol; it runs in .venv/quix."""

from __future__ import annotations

import json
import sys
from itertools import cycle, islice
from pathlib import Path

from quixstreams import Application


def main(*, address: str, topic: str, records: int, quotes: str) -> None:
    """Sends that many records, the file's lines over and over, and returns when the broker has acknowledged them.

    Args:
        address: the broker's.
        topic: where they go.
        records: how many.
        quotes: a file of values, one a line.
    """
    application = Application(
        broker_address=address,
        producer_extra_config={
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "batch.num.messages": 100_000,
            "queue.buffering.max.messages": 500_000,
            "queue.buffering.max.kbytes": 128 << 10,
        },
    )
    values = Path(quotes).read_bytes().splitlines()
    pairs = cycle([(json.loads(value)["symbol"].encode(), value) for value in values])
    with application.get_producer() as producer:
        for key, value in islice(pairs, records):
            producer.produce(topic, value, key)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
