"""The names and the metadata of replay objects: quarantined records that have become quotes after all.

A replay object lies beside its main object and is named after it, with a number; the first is 0. It is written once,
with `If-None-Match: *`, and names the offsets of the quarantined records that it carries. So the number is the turn:
who wants to replay reads the ones before, takes what none of them carries, and writes the next; who comes second gets
412, and looks again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_NAME = re.compile(r"(?P<main>.+)\+replay-(?P<number>0|[1-9]\d{0,8})\.json\.gz")
_MAX_BYTES = 1400
"""S3 allows 2 KB of metadata an object; the other fields take some."""


class Replay(NamedTuple):
    """A replay object; `number` counts those of its main object from 0 on."""

    key: str
    main_key: str
    number: int


def replay_key(main_key: str, number: int) -> str:
    """Key of a main object's replay of this number."""
    return f"{main_key.removesuffix('.json.gz')}+replay-{number}.json.gz"


def parse_replay(key: str) -> Replay | None:
    """What a replay object's key names; None for a key of another form."""
    match = _NAME.fullmatch(key)
    return Replay(key, f"{match['main']}.json.gz", int(match["number"])) if match else None


class OffsetText:
    """Ascending offsets as text, `3-5,9`, as long as the metadata can hold it."""

    def __init__(self) -> None:
        self.text = ""
        self._done = ""
        self._first = self._last = -2

    def add(self, offset: int) -> bool:
        """Takes an offset above the ones before; False, and nothing is changed, when there is no room for it."""
        follows = offset == self._last + 1
        done = self._done if follows else f"{self.text}," if self.text else ""
        first = self._first if follows else offset
        text = f"{done}{first}-{offset}" if follows else f"{done}{offset}"
        if len(text) > _MAX_BYTES:
            return False
        self.text, self._done, self._first, self._last = text, done, first, offset
        return True


def read_offsets(metadata: Mapping[str, str]) -> list[tuple[int, int]]:
    """The stretches (first, last) of offsets that a replay object's metadata names.

    Raises:
        ValueError: it names none, or not in ascending order.
    """
    stretches: list[tuple[int, int]] = []
    before = -1
    for part in metadata.get("replayed-offsets", "").split(","):
        first, _, last = part.partition("-")
        stretch = (int(first), int(last or first))
        if stretch[0] <= before or stretch[1] < stretch[0]:
            raise ValueError(f"the offsets {part} are not above the ones before")
        before = stretch[1]
        stretches.append(stretch)
    return stretches
