"""Records that are no quotes, each kind for a reason of its own, and each record unlike every other."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.support.stock_market.services import quote

_Record = tuple[bytes | None, bytes | None]


def _without(field: str, tag: str) -> _Record:
    key, value = quote(0, producer_id=tag)
    fields = json.loads(value)
    del fields[field]
    return key, json.dumps(fields).encode()


_KINDS: dict[str, Callable[[str], _Record]] = {
    "no UTF-8": lambda tag: (b"HSI", b"\xff\xfe" + tag.encode()),
    "no JSON": lambda tag: (b"HSI", f"rubbish {tag}".encode()),
    "no object": lambda tag: (b"HSI", json.dumps([tag]).encode()),
    "a missing field": lambda tag: _without("volume", tag),
    "a wrong type": lambda tag: quote(0, producer_id=tag, open="dear"),
    "too long": lambda tag: quote(0, producer_id=tag + "x" * 2100),
    "another symbol's key": lambda tag: (b"N225", quote(0, producer_id=tag)[1]),
    "two lines": lambda tag: (b"HSI", quote(0, producer_id=tag)[1].replace(b", ", b",\n")),
    "no such day": lambda tag: quote(0, producer_id=tag, event_time="2026-02-30T09:30:00.000Z"),
    "no value": lambda tag: (tag.encode(), None),
}
KINDS = tuple(_KINDS)


def record(kind: str, tag: str) -> _Record:
    """Key and value of a record of this kind; `tag`, at most 40 letters, makes it unlike others."""
    return _KINDS[kind](tag)
