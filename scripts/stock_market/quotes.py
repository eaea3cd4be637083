"""What a record is: the fields of a quote, and the test whether a Kafka record is a valid one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from stock_market.settings import MAX_VALUE_BYTES

_Word = Annotated[str, Meta(min_length=1, max_length=64)]
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Quote(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One quote; the design's contract of a record says what each field means."""

    symbol: _Word
    event_time: Annotated[datetime, Meta(tz=True)]
    open: float
    high: float
    low: float
    close: float
    adj_close: float
    volume: _Count
    close_usd: float
    producer_id: _Word
    sequence: _Count


_DECODER = msgspec.json.Decoder(Quote)
# The decoder knows the calendar, but takes every form of RFC 3339; the table's readers rely on this one.
_TIME_NAME = b'"event_time"'
_TIME = re.compile(rb'"event_time"\s*:\s*"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"')


def flaw(key: bytes | None, value: bytes | None) -> str | None:
    """Why a record is no valid quote, in words for a person; None when it is one."""
    if value is None:
        return "the value is null"
    if len(value) > MAX_VALUE_BYTES:
        return f"the value is longer than {MAX_VALUE_BYTES} bytes"
    if b"\n" in value or b"\r" in value:
        return "the value is not on one line"
    try:
        value.decode()
        quote = _DECODER.decode(value)
    except UnicodeDecodeError:
        return "the value is not UTF-8"
    except msgspec.DecodeError as error:
        return f"the value is no quote: {error}"
    if value.count(_TIME_NAME) != 1 or not _TIME.search(value):
        return "the value is no quote: event_time is not like 2026-01-31T09:30:00.000Z"
    if key is None or key != quote.symbol.encode():
        return "the key is not the symbol"
    return None


def all_valid(keys: Sequence[bytes | None], values: Sequence[bytes | None], joined: bytes) -> bool:
    """Whether `flaw` finds nothing in any record; one pass in C over many records.

    Args:
        keys: the records' keys.
        values: the records' values.
        joined: the values, each on its line, each line ended.
    """
    count = len(values)
    if joined.count(b"\n") != count or b"\r" in joined:
        return False
    if max(map(len, values)) > MAX_VALUE_BYTES:  # type: ignore[arg-type]
        return False
    try:
        quotes = _DECODER.decode_lines(joined)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    if len(quotes) != count or joined.count(_TIME_NAME) != count or len(_TIME.findall(joined)) != count:
        return False
    return all(key == quote.symbol.encode() for key, quote in zip(keys, quotes, strict=True))
