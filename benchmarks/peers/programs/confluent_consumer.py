"""confluent-kafka's consumer in a plain loop: values as lines into one growing gzip object, S3, then the commit.

It runs in .venv/peers and is at least once: what was uploaded and not yet committed is uploaded again after a crash.
It looks at no value.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import zlib
from collections.abc import Callable
from itertools import count
from typing import Any

import boto3
from confluent_kafka import Consumer, KafkaException
from isal import isal_zlib

_GZIP = 31
_MESSAGES = 20_000
_COMPRESSORS: dict[str, Callable[[], Any]] = {
    "zlib": lambda: zlib.compressobj(1, zlib.DEFLATED, _GZIP),
    "isal": lambda: isal_zlib.compressobj(2, isal_zlib.DEFLATED, _GZIP),
}
"""zlib's fastest level, which Python brings; and the consumer's own library and level."""


def main(
    *, address: str, topic: str, group: str, bucket: str, prefix: str, seconds: float, full: int, library: str
) -> None:
    """Drains the topic until SIGTERM.

    Args:
        address: the broker's.
        topic: what it reads, from the beginning.
        group: whose offsets it commits.
        bucket: where the objects go.
        prefix: what their keys start with.
        seconds: how long an object may grow.
        full: uncompressed bytes at which an object is uploaded earlier.
        library: `zlib` or `isal`.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.min.bytes": 1 << 20,
            "fetch.max.bytes": 50 << 20,
            "fetch.message.max.bytes": 8 << 20,
            "socket.receive.buffer.bytes": 1 << 20,
            "queued.max.messages.kbytes": 64 << 10,
        }
    )
    client = boto3.client("s3", region_name=os.environ["AWS_REGION"])
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    consumer.subscribe([topic], on_assign=lambda *_: print("reading", flush=True))
    keys = (f"{prefix}{number:08d}.jsonl.gz" for number in count())
    compressor, packed, plain, due = _COMPRESSORS[library](), bytearray(), 0, 0.0
    while not stop:
        lines = _lines(consumer.consume(num_messages=_MESSAGES, timeout=0.1))
        if lines:
            due = due or time.monotonic() + seconds
            packed += compressor.compress(lines)
            plain += len(lines)
        if plain >= full or (plain and time.monotonic() >= due):
            packed += compressor.flush()
            client.put_object(Bucket=bucket, Key=next(keys), Body=bytes(packed))
            consumer.commit(asynchronous=False)
            compressor, packed, plain, due = _COMPRESSORS[library](), bytearray(), 0, 0.0
    consumer.close()


def _lines(messages: list[Any]) -> bytes:
    """The messages' values, each with its end."""
    values = []
    for message in messages:
        if message.error() is not None:
            raise KafkaException(message.error())
        values.append(message.value())
    if values:
        values.append(b"")
    return b"\n".join(values)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
