"""Quotes and blocks of records, made up for the tests of the live page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import NamedTuple

from stock_market.kafka.record_block import RecordBlock

NOON = 1_790_000_400
"""A moment in seconds since 1970, at the start of a minute and of an hour's sixth."""
HOSTILE = "<img src=x onerror=alert(1)>"


class Record(NamedTuple):
    """What a reader of Kafka hands out."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def moment(milliseconds: int) -> str:
    """A quote's event time."""
    text = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def value(symbol: str, close: float, at: int = NOON * 1000, sequence: int = 0, **changed: object) -> bytes:
    """A record's value: a quote at `at`, in milliseconds since 1970, that opened a quarter below its close."""
    quote: dict[str, object] = {
        "symbol": symbol,
        "event_time": moment(at),
        "open": close - 0.25,
        "high": close + 0.5,
        "low": close - 0.5,
        "close": close,
        "adj_close": close,
        "volume": 10,
        "close_usd": close,
        "producer_id": "p",
        "sequence": sequence,
    }
    return json.dumps(quote | changed, separators=(",", ":"), ensure_ascii=False).encode()


def block(*values: tuple[str, bytes | None]) -> RecordBlock:
    """Records of one partition, each given by its symbol and its value."""
    found = [Record(at, NOON * 1000, symbol.encode(), one) for at, (symbol, one) in enumerate(values)]
    return RecordBlock.of_records(found)
