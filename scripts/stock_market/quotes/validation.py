"""What a record is: the fields of a quote, and the test whether a Kafka record is a valid one."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from stock_market.kafka.record_block import RecordBlock
from stock_market.settings import MAX_VALUE_BYTES

_Word = Annotated[str, Meta(min_length=1, max_length=64)]
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Quote(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One quote; the design's contract of a record says what each field means."""

    symbol: _Word
    event_time: str
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
_EVENT_TIME = attrgetter("event_time")
_PIECE = 250
"""Lines that are decoded at once: so few that their objects stay in the processor's cache."""
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_STRINGS = 3
_QUOTATION_MARKS = 2 * (len(Quote.__struct_fields__) + _STRINGS)
"""How many a valid quote has at least; more where a field is there twice, or where a string holds one."""
_WORDS = {"float": "a number", "int": "a whole number", "str": "a string", "object": "an object", "array": "an array"}
_PROBLEMS = (
    (r"Expected `object`, got `(\w+)`", "the value is JSON, but {0} instead of an object"),
    (r"Object missing required field `(.+)`", "the field {0} is missing"),
    (r"Object contains unknown field `(.*)`", "the field {0} is unknown"),
    (r"Expected `(\w+)`, got `(\w+)` - at `\$\.(\w+)`", "the field {2} is {1} instead of {0}"),
    (r"Expected `int` >= 0 - at `\$\.(\w+)`", "the field {0} is negative"),
    (r"Expected `int` <= \d+ - at `\$\.(\w+)`", "the field {0} is too large for 64 bits"),
    (r"Expected `str` of length >= 1 - at `\$\.(\w+)`", "the field {0} is empty"),
    (r"Expected `str` of length <= (\d+) - at `\$\.(\w+)`", "the field {1} is longer than {0} characters"),
    (r"Number out of range - at `\$\.(\w+)`|Number out of range", "a number is too large"),
    (r"JSON is malformed: (.+)", "the value is not JSON: {0}"),
    (r"Input data was truncated", "the value is not JSON: it ends too early"),
)
_PATTERNS = [(re.compile(pattern), sentence) for pattern, sentence in _PROBLEMS]


REASONS = ("empty", "too_long", "not_text", "not_json", "field", "key", "timestamp", "unreadable")
"""The kinds of reasons for the quarantine; there are no others, whatever records hold."""
TIMESTAMP, UNREADABLE = REASONS[-2:]
_KINDS = {
    "the value is null": "empty",
    "the value is empty": "empty",
    "the value is longer": "too_long",
    "the value is not UTF-8": "not_text",
    "the value is not on one line": "not_text",
    "the value is not JSON": "not_json",
    "the value is JSON, but": "not_json",
    "the key": "key",
}


def kind_of(flaw: str) -> str:
    """The kind of what `flaw` has said; most is about a field."""
    return next((kind for beginning, kind in _KINDS.items() if flaw.startswith(beginning)), "field")


@lru_cache(maxsize=8192)
def is_time(text: str) -> bool:
    """Whether it is a moment of the calendar, in the one form that the table's readers rely on."""
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text[:-1])
    except ValueError:
        return False
    return True


def _in_words(problem: str) -> str:
    for pattern, sentence in _PATTERNS:
        match = pattern.fullmatch(problem)
        if match:
            return sentence.format(*(_WORDS.get(group, group) for group in match.groups()))
    return f"the value is no quote: {problem}"


def _twice(value: bytes) -> str:
    """A field that the object has more than once; empty when there is none."""
    pairs: list[list[tuple[str, object]]] = []
    json.loads(value, object_pairs_hook=pairs.append)
    name, times = Counter(name for name, _ in pairs[-1]).most_common(1)[0]
    return name if times > 1 else ""


def flaw(key: bytes | None, value: bytes | None) -> str | None:
    """Why a record is no valid quote, in words for a person; None when it is one."""
    if value is None:
        return "the value is null"
    if not value.strip():
        return "the value is empty"
    if len(value) > MAX_VALUE_BYTES:
        return f"the value is longer than {MAX_VALUE_BYTES} bytes: it has {len(value)}"
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return f"the value is not UTF-8: byte {error.start} is 0x{value[error.start]:02x}"
    if b"\n" in value or b"\r" in value:
        return "the value is not on one line"
    try:
        quote = _DECODER.decode(value)
    except msgspec.DecodeError as error:
        return _in_words(str(error))
    if not is_time(quote.event_time):
        return f"the field event_time is not a UTC time like 2026-01-31T09:30:00.000Z: {quote.event_time[:40]!r}"
    if value.count(b'"') != _QUOTATION_MARKS and (twice := _twice(value)):
        return f"the field {twice} is there more than once"
    if key is None:
        return f"the key is null instead of the symbol {quote.symbol}"
    if key != quote.symbol.encode():
        return f"the key {key[:64]!r} is not the symbol {quote.symbol}"
    return None


def valid_lines(block: RecordBlock) -> bytes | None:
    """The values as JSON Lines if `flaw` finds nothing in any record; a few passes in C over many records.

    Returns:
        the lines, each with its end; None when a record has a flaw, or is so rare that only `flaw` can tell.
    """
    count = len(block)
    spans = block.spans
    lengths = spans.value_ends - spans.value_starts
    if lengths.min() < _QUOTATION_MARKS or lengths.max() > MAX_VALUE_BYTES:
        return None
    raw = np.frombuffer(block.buffer, np.uint8)
    # The decoder reads on over lines' ends: so each line has to be of whole objects, and then of one.
    if (raw[spans.value_starts] != ord("{")).any() or (raw[spans.value_ends - 1] != ord("}")).any():
        return None
    joined = block.lines()
    characters = np.frombuffer(joined, np.uint8)
    # Of the control characters, only the lines' ends.
    if np.count_nonzero(characters < ord(" ")) != count:
        return None
    if np.count_nonzero(characters == ord('"')) != count * _QUOTATION_MARKS:
        return None
    try:
        right = _decodes(joined, np.cumsum(lengths + 1)[_PIECE - 1 :: _PIECE].tolist(), block.keys())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return joined if right else None


def _decodes(joined: bytes, ends: list[int], keys: list[bytes | None]) -> bool:
    """Decodes lines piece by piece, each up to one of the `ends`: whether each is a quote with its key and a time.

    Raises:
        msgspec.DecodeError: there is a line that is none.
    """
    view = memoryview(joined)
    found = start = 0
    for end in (*ends, len(joined)):
        quotes = _DECODER.decode_lines(view[start:end])
        symbols = [quote.symbol.encode() for quote in quotes]
        if symbols != keys[found : found + len(quotes)] or not all(map(is_time, set(map(_EVENT_TIME, quotes)))):
            return False
        found += len(quotes)
        start = end
    return found == len(keys)
