"""A wall clock that can be set, and made to run faster, while the processes run that look at it."""

from __future__ import annotations

import os
import struct
import subprocess
import threading
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock_shift.c")
_SHIFT = struct.Struct("=qqqq")
_SECONDS, _GAIN, _FROM, _UNTIL = range(0, _SHIFT.size, 8)


def build(folder: Path) -> Path:
    """Compiles the library that processes preload; returns where it is."""
    built = library(folder)
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(built), str(_SOURCE)], check=True)
    return built


def library(folder: Path) -> Path:
    """Where `build` puts the library."""
    return folder / "clock_shift.so"


class Clock:
    """The clock of some processes.

    Args:
        library: what they preload, from `build`.
        path: the file that says by how much this clock is off, made if it is not there; it has to stay while they run.
    """

    def __init__(self, library: Path, path: Path) -> None:
        self._path = path
        self._seconds = 0
        self._lock = threading.Lock()
        if not path.exists():
            path.write_bytes(_SHIFT.pack(0, 0, 0, 0))
        self.variables = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(path)}

    def jump(self, seconds: int) -> None:
        """Sets the clock forward, or back where `seconds` is negative; jumps add up."""
        with self._lock:
            self._seconds += seconds
            self._write(_SECONDS, self._seconds)

    def accelerate(self, rate: int) -> None:
        """Lets the clock run `rate` times as fast from now on; once in a clock's life."""
        # The gain comes last: whoever looks meanwhile sees the clock as it was.
        self._write(_UNTIL, 2**63 - 1)
        self._write(_FROM, self._kernel_now())
        self._write(_GAIN, rate - 1)

    def decelerate(self) -> None:
        """Lets the clock run as it did before, on from where it is now."""
        self._write(_UNTIL, self._kernel_now())

    def _kernel_now(self) -> int:
        """Nanoseconds since 1970 by the kernel's clock, also in a process whose own clock is shifted."""
        self._path.touch()
        return self._path.stat().st_mtime_ns

    def _write(self, place: int, number: int) -> None:
        file = os.open(self._path, os.O_WRONLY)
        try:
            os.pwrite(file, struct.pack("=q", number), place)
        finally:
            os.close(file)
