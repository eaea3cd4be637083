"""A look that is taken again and again in a thread of its own, whose newest outcome can be read at any time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_LONGEST_LOOK_SECONDS = 20.0
_IDLE_SECONDS = 0.2


class Repeated(threading.Thread, Generic[T]):
    """Keeps the newest value, and why there is no newer one.

    Args:
        name: of the thread.
        look: returns the value; its errors are kept as a sentence.
        explain: makes the sentence.
        seconds: between the starts of two looks.
        wanted: whether anybody wants to know now; while nobody does, no look is taken.

    Attributes:
        failure: why the newest look gave no value; empty where it did.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[], T],
        explain: Callable[[Exception], str],
        seconds: float,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._look = look
        self._explain = explain
        self._seconds = seconds
        self._wanted = wanted
        self._stop_requested = threading.Event()
        self._found: tuple[float, T] | None = None
        self.failure = ""

    @property
    def value(self) -> T | None:
        """The newest value; None before there is one, and where it is from before a pause in which nobody asked."""
        found = self._found
        return found[1] if found and time.monotonic() - found[0] < 2 * self._seconds + _LONGEST_LOOK_SECONDS else None

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stop_requested.set()

    def run(self) -> None:
        """Look until the end is asked for."""
        while not self._stop_requested.is_set():
            began = time.monotonic()
            if self._wanted():
                try:
                    self._found = began, self._look()
                    self.failure = ""
                except Exception as error:  # the page says of every part what became of it
                    self.failure = self._explain(error)
                self._stop_requested.wait(max(0.05, self._seconds - (time.monotonic() - began)))
            else:
                self._stop_requested.wait(_IDLE_SECONDS)
