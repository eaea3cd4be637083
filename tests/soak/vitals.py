"""What processes hold: memory, file descriptors, threads; sampled while they run, and judged for growth."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from statistics import median_high
from typing import NamedTuple

_PERIOD_SECONDS = 0.5
_MOST_FILES, _MOST_THREADS = 6, 3
"""Connections to S3 and threads for uploads come one by one, when they are needed at once."""
_MOST_SHARE = 0.05
_FEW = 8


class Sample(NamedTuple):
    """What a process holds at a moment; memory is what it has in RAM, in KiB."""

    memory: int
    files: int
    threads: int


def sample(pid: int) -> Sample | None:
    """What a process holds now; None when it has ended."""
    folder = Path(f"/proc/{pid}")
    try:
        status = (folder / "status").read_text()
        files = sum(1 for _ in (folder / "fd").iterdir())
    except OSError:
        return None
    found = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.MULTILINE))
    return Sample(int(found["VmRSS"]), files, int(found["Threads"])) if "VmRSS" in found else None


class Vitals:
    """Samples processes in a thread of its own.

    Args:
        period: seconds between two samples of a process.
    """

    def __init__(self, period: float = _PERIOD_SECONDS) -> None:
        self._period = period
        self._pids: dict[str, int] = {}
        self._samples: dict[str, list[Sample]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def watch(self, name: str, pid: int) -> None:
        """Takes a process into the samples, from now on; one of the same name is forgotten."""
        self._samples[name] = []
        self._pids[name] = pid

    def _watch(self) -> None:
        while not self._over.wait(self._period):
            for name, pid in list(self._pids.items()):
                found = sample(pid)
                if found is not None:
                    self._samples[name].append(found)

    def finish(self) -> None:
        """Takes no more samples."""
        self._over.set()
        self._thread.join()

    def judge(self, growth_mib: int) -> tuple[list[str], list[str]]:
        """What has grown from the second quarter of a process's life to the last, and one line for each process.

        Medians are compared: what is held for a moment only does not count.

        Args:
            growth_mib: by how many MiB, beside a twentieth, its memory may grow.
        """
        grown, lines = [], []
        for name, samples in self._samples.items():
            quarter = len(samples) // 4
            if quarter < _FEW:
                grown.append(f"{name} was sampled {len(samples)} times only, which says nothing of growth")
                continue
            before, after = (
                Sample(*map(median_high, zip(*part, strict=True)))
                for part in (samples[quarter : 2 * quarter], samples[-quarter:])
            )
            words = (
                f"{name}: {before.memory / 1024:.1f} to {after.memory / 1024:.1f} MiB,"
                f" {before.files} to {after.files} files, {before.threads} to {after.threads} threads"
            )
            lines.append(words)
            if (
                after.memory > before.memory * (1 + _MOST_SHARE) + (growth_mib << 10)
                or after.files > before.files + _MOST_FILES
                or after.threads > before.threads + _MOST_THREADS
            ):
                grown.append(f"grown: {words}")
        return grown, lines
