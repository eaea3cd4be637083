"""Sends prebuilt record batches to a broker, whatever is in them: many quotes quickly, or what no producer sends."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_encoding import array, string
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import (
    API_PRODUCE,
    ERROR_NOT_LEADER,
    Connection,
)
from tests.support.stock_market.fetched import batch

# In KRaft a broker may have told of a topic before it leads its partitions.
_PATIENCE_SECONDS = 60.0


def send(address: str, topic: str, batches: Sequence[tuple[int, bytes]]) -> None:
    """Sends batches, each to its partition, in the order given; returns when all are acknowledged."""
    host, _, port = address.rpartition(":")
    with Connection(host, int(port), 30) as connection:
        for partition, data in batches:
            entry = struct.pack(">ii", partition, len(data)) + data
            body = string(None) + struct.pack(">hi", -1, 30_000) + array([string(topic) + array([entry])])
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while (error := _sent(connection, body)) == ERROR_NOT_LEADER and time.monotonic() < deadline:
                time.sleep(0.1)
            assert error == 0, f"the broker answered a batch with error {error}"


def _sent(connection: Connection, body: bytes) -> int:
    """Sends a request with one batch; returns Kafka's error code."""
    answer = connection.request(API_PRODUCE, 7, body)
    answer.count()
    answer.string()
    answer.count()
    answer.number("i")
    return answer.number("h")


def compressed(
    records: Sequence[tuple[bytes | None, bytes | None]], per_batch: int, compression: int = 3
) -> list[bytes]:
    """Records as batches of `per_batch` each; compression 3 is lz4."""
    chunks = (records[first : first + per_batch] for first in range(0, len(records), per_batch))
    return [batch(0, list(chunk), compression=compression) for chunk in chunks]
