"""What processes hold: memory, file descriptors, threads; sampled while they run, and judged for growth."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from statistics import median_high
from typing import NamedTuple

_PERIOD_SECONDS = 0.5
_STEADY_FILES = _STEADY_THREADS = 1
"""By how many they may rise in each of two quarters."""
_STEP = 8
"""How many times as much they may rise once: connections to S3 and threads come one by one, when they are needed at
once, and what the allocator of memory took for a backlog it keeps."""
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

    def write(self, path: Path) -> None:
        """Writes all samples, a line for each, in the order of the names."""
        lines = [
            f"{name} {number * self._period:g} s: {found.memory} KiB, {found.files} files, {found.threads} threads\n"
            for name, samples in self._samples.items()
            for number, found in enumerate(samples)
        ]
        path.write_text("".join(lines))

    def judge(self, growth_mib: int) -> tuple[list[str], list[str]]:
        """What grows over the last three quarters of a process's life, and one line for each process.

        The quarters' medians are compared. What rises in each of two quarters grows; a single step does only where it
        is eight times as large, for a process that waits for others takes more once, and keeps it. No growth is what
        another of the same program (`consumer-0`, `consumer-1`) held a quarter before: it got its work earlier.

        Args:
            growth_mib: by how many MiB its memory may rise in each of two quarters.
        """
        grown, lines = [], []
        found: dict[str, list[Sample]] = {}
        allowed = Sample(growth_mib << 10, _STEADY_FILES, _STEADY_THREADS)
        for name, samples in self._samples.items():
            quarter = len(samples) // 4
            if quarter < _FEW:
                grown.append(f"{name} was sampled {len(samples)} times only, which says nothing of growth")
                continue
            parts = (samples[first * quarter : (first + 1) * quarter] for first in (1, 2, 3))
            medians = [Sample(*map(median_high, zip(*part, strict=True))) for part in parts]
            found[name] = medians
        for name, medians in found.items():
            memory = [f"{each.memory / 1024:.1f}" for each in medians]
            files, threads = ([str(each[number]) for each in medians] for number in (1, 2))
            words = f"{name}: {', '.join(memory)} MiB, {', '.join(files)} files, {', '.join(threads)} threads"
            lines.append(words)
            before = [other[1] for peer, other in found.items() if peer != name and _program(peer) == _program(name)]
            reached = [max(held) for held in zip(Sample(0, 0, 0), *before, strict=True)]
            if any(map(_grows, *medians, allowed, reached)):
                grown.append(f"grown: {words}")
        return grown, lines


def _program(name: str) -> str:
    return name.rstrip("0123456789").rstrip("-")


def _grows(second: int, third: int, last: int, allowed: int, reached: int) -> bool:
    if last <= reached + allowed:
        return False
    return min(third - second, last - third) > allowed or last - second > allowed * _STEP
