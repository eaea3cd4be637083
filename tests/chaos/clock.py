"""A wall clock that can be set, and made to run faster, while the processes run that look at it."""

from __future__ import annotations

import os
import struct
import subprocess
import threading
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock_shift.c")
_SHIFT = struct.Struct("=qqqq")


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
        self._lock = threading.Lock()
        if not path.exists():
            path.write_bytes(_SHIFT.pack(0, 0, 0, 0))
        self._version, self._nanoseconds, self._gain, self._from = _SHIFT.unpack(path.read_bytes())
        self.variables = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(path)}

    def jump(self, seconds: int) -> None:
        """Sets the clock forward, or back where `seconds` is negative; jumps add up."""
        with self._lock:
            self._nanoseconds += seconds * 1_000_000_000
            self._write()

    def run(self, rate: int) -> None:
        """Lets the clock run `rate` times as fast as the machine's from now on; 1 is as it did at first."""
        with self._lock:
            now = self._kernel_now()
            self._nanoseconds += (now - self._from) * self._gain
            self._gain, self._from = rate - 1, now
            self._write()

    def _kernel_now(self) -> int:
        """Nanoseconds since 1970 by the kernel's clock, also in a process whose own clock is shifted."""
        self._path.touch()
        return self._path.stat().st_mtime_ns

    def _write(self) -> None:
        whole = _SHIFT.pack(self._version + 2, self._nanoseconds, self._gain, self._from)
        file = os.open(self._path, os.O_WRONLY)
        try:
            os.pwrite(file, struct.pack("=q", self._version + 1), 0)
            os.pwrite(file, whole[8:], 8)
            os.pwrite(file, whole[:8], 0)
        finally:
            os.close(file)
        self._version += 2
