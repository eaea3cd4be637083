"""What both services share: the signals that end them, growing pauses, and their word to systemd."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType


class Stop:
    """Set by SIGTERM or SIGINT; afterwards `remaining()` counts down the seconds left to finish."""

    def __init__(self, grace_seconds: float = 25.0) -> None:
        self._event = threading.Event()
        self._grace = grace_seconds
        self._deadline = float("inf")

    def install(self) -> None:
        """Listens to SIGTERM and SIGINT; a second one changes nothing."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        # Not from here: where the signal meets the main thread in wait(), it holds the event's lock, and would wait for
        # itself for good.
        threading.Thread(target=self.request, name="stop", daemon=True).start()

    def request(self) -> None:
        """Asks for the end, as a signal does."""
        if not self._event.is_set():
            self._deadline = time.monotonic() + self._grace
            self._event.set()

    @property
    def requested(self) -> bool:
        """Whether the end has been asked for."""
        return self._event.is_set()

    @property
    def expired(self) -> bool:
        """Whether the seconds to finish in are over."""
        return time.monotonic() >= self._deadline

    def remaining(self) -> float:
        """Seconds left to finish in; infinite as long as nobody asked for the end."""
        return max(0.0, self._deadline - time.monotonic())

    def wait(self, seconds: float) -> bool:
        """Sleeps, but no longer than until the end is asked for; tells whether it was."""
        return self._event.wait(seconds)

    def pause(self, seconds: float) -> None:
        """Sleeps between two attempts: until the end is asked for; and once it is, in short naps until it has to be."""
        if self.requested:
            time.sleep(min(seconds, 1.0, self.remaining()))
        else:
            self._event.wait(seconds)


class Backoff:
    """Growing pauses between attempts: doubling from `first` to `limit` seconds, each shortened by up to a quarter
    so that many clients do not come back at the same moment."""

    def __init__(self, first: float = 0.5, limit: float = 30.0) -> None:
        self._first = first
        self._limit = limit
        self._next = first
        self.attempts = 0

    def pause(self) -> float:
        """The seconds to wait before the next attempt."""
        seconds = self._next
        self._next = min(self._limit, self._next * 2)
        self.attempts += 1
        return seconds * random.uniform(0.75, 1.0)

    def reset(self) -> None:
        """After a success: the next failure starts with the shortest pause again."""
        self._next = self._first
        self.attempts = 0


class Systemd:
    """Readiness, status line and watchdog over NOTIFY_SOCKET (sd_notify(3)); silent where systemd is not there."""

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        variables = os.environ if environ is None else environ
        self._address = variables.get("NOTIFY_SOCKET", "")
        self._ready = False
        self._status = ""
        self._watchdog = int(variables.get("WATCHDOG_USEC", "0")) / 2_000_000
        self._fed = 0.0

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.sendall(message.encode())

    def ready(self) -> None:
        """The service does its work; only the first call says so."""
        if not self._ready:
            self._ready = True
            self._send("READY=1")

    def status(self, text: str) -> None:
        """The line that `systemctl status` shows."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """The service finishes what it holds."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feeds the watchdog, where there is one, at most every half of its interval."""
        if self._watchdog and time.monotonic() - self._fed >= self._watchdog:
            self._fed = time.monotonic()
            self._send("WATCHDOG=1")


class Every:
    """Tells once per interval that it is time, and how many seconds have really passed since the last time."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last = clock()

    def due(self) -> float:
        """Seconds since the last time when it is time again, else 0."""
        passed = self._clock() - self._last
        if passed < self._seconds:
            return 0.0
        self._last += passed
        return passed
