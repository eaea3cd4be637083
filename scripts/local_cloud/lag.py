"""How long the local cloud's lists and checks lag behind a change, as those of AWS do."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

# AWS names no limit; seconds are usual. This long shows a program that does not expect it, and costs `make` little.
SECONDS = 2.0
# How long a new instance is not known. amazon.aws.ec2_instance then looks again after 15 s, so only tests have it so.
NEW_INSTANCE_SECONDS = 0.0

clock: Callable[[], float] = time.monotonic

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """What was true a moment ago; each entry is forgotten after `seconds`, by default SECONDS."""

    def __init__(self, seconds: Callable[[], float] = lambda: SECONDS) -> None:
        self._seconds = seconds
        self._held: dict[Key, tuple[float, Value]] = {}

    def put(self, key: Key, value: Value) -> None:
        """Remember a value; an older one of the same key that is still remembered stays."""
        if self.get(key) is None:
            self._held[key] = (clock() + self._seconds(), value)

    def get(self, key: Key) -> Value | None:
        """The value that is remembered for a key, if any."""
        return dict(self.items()).get(key)

    def items(self) -> list[tuple[Key, Value]]:
        """All that is remembered."""
        now = clock()
        for key, (end, _) in list(self._held.items()):
            if end <= now:
                self._held.pop(key, None)
        return [(key, value) for key, (_, value) in list(self._held.items())]
