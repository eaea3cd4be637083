"""A wall clock that can be set while the processes run that look at it."""

from __future__ import annotations

import os
import struct
import subprocess
import threading
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock_shift.c")


def build(folder: Path) -> Path:
    """Compiles the library that processes preload; returns where it is."""
    library = folder / "clock_shift.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE)], check=True)
    return library


class Clock:
    """The clock of some processes.

    Args:
        library: what they preload, from `build`.
        path: the file that holds the seconds by which this clock is off; it has to stay while they run.
    """

    def __init__(self, library: Path, path: Path) -> None:
        self._path = path
        self._seconds = 0
        self._lock = threading.Lock()
        path.write_bytes(bytes(8))
        self.variables = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(path)}

    def jump(self, seconds: int) -> None:
        """Sets the clock forward, or back where `seconds` is negative; jumps add up."""
        with self._lock:
            self._seconds += seconds
            file = os.open(self._path, os.O_WRONLY)
            try:
                os.pwrite(file, struct.pack("=q", self._seconds), 0)
            finally:
                os.close(file)
