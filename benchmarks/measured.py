"""Runs a process on a core of its own and counts what it costs: CPU seconds, user and system, and peak memory.

Memory is VmHWM of proc(5): the largest resident size of each process, added up over the process and its children.
(ru_maxrss would not do: it begins with what the process that forked had.)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_NAP_SECONDS = 0.05


def pin() -> int:
    """Keeps this process and what it starts off the last core, and returns that core, which is for the measured.

    Ends the program where there is only one core.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("The benchmarks need two cores: one for what is measured, one for the broker and S3.")
    os.sched_setaffinity(0, cores[:-1])
    return cores[-1]


class BenchmarkError(Exception):
    """A run that measured nothing; the message says why."""


def _tree(pid: int) -> list[int]:
    """A process and those below it that run; none where it has ended."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="utf-8").split():
                found += _tree(int(child))
    except OSError:
        return []
    return found


def _ticks(pid: int) -> int:
    """A process' user and system time, and that of its children that have ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0
    return sum(map(int, stat.rpartition(")")[2].split()[11:15]))


def _peak_kilobytes(pid: int) -> int:
    """VmHWM; 0 of a process that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


class Measured:
    """A running process, pinned to one core or to some.

    Args:
        cores: their numbers, with commas between.
        command: the program and its arguments.
        log: where its output goes.
        environment: its variables.
    """

    def __init__(self, cores: str, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._log = log
        self._peaks: dict[int, int] = {}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["taskset", "--cpu-list", cores, *command], stdout=output, stderr=output, env=environment
            )
        self._ended_cpu: float | None = None

    def log(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        self._look()
        return self._ended_cpu is None

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its threads and of all processes below it.

        Of a process that runs on after the first one's end nothing is known any more: ask before that end.
        """
        self._look()
        if self._ended_cpu is not None:
            return self._ended_cpu
        return sum(_ticks(pid) for pid in _tree(self._process.pid)) / _TICKS

    def peak_megabytes(self) -> float:
        """The most memory that it has had, as far as it has been looked at."""
        self._look()
        return sum(self._peaks.values()) / 1024

    def _look(self) -> None:
        if self._ended_cpu is not None:
            return
        for pid in _tree(self._process.pid):
            self._peaks[pid] = max(self._peaks.get(pid, 0), _peak_kilobytes(pid))
        pid, code, usage = os.wait4(self._process.pid, os.WNOHANG)
        if pid:
            self._process.returncode = os.waitstatus_to_exitcode(code)
            self._ended_cpu = usage.ru_utime + usage.ru_stime

    def until(self, condition: Callable[[], bool], what: str, seconds: float, nap: float = _NAP_SECONDS) -> None:
        """Waits until the condition holds; looks every `nap` seconds.

        Raises:
            BenchmarkError: the process ended, or the time is over; then it is killed.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.running or time.monotonic() > deadline:
                why = "the process ended" if not self.running else f"{seconds:.0f} s were over"
                self.kill()
                raise BenchmarkError(f"Waited for {what}, but {why}:\n{self.log()[-3000:]}")
            time.sleep(nap)

    def finish(self, seconds: float, number: int | None = None) -> None:
        """Waits for its end, after a signal where one is given.

        Raises:
            BenchmarkError: it goes on for longer and is killed, or ends with an exit code other than 0 (or 143, a
                JVM's for SIGTERM).
        """
        if number is not None and self.running:
            self._process.send_signal(number)
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                self.kill()
                raise BenchmarkError(f"The process does not end within {seconds:.0f} s:\n{self.log()[-3000:]}")
            time.sleep(_NAP_SECONDS)
        if self._process.returncode not in (0, 128 + signal.SIGTERM):
            raise BenchmarkError(f"The process ended with code {self._process.returncode}:\n{self.log()[-3000:]}")

    def kill(self) -> None:
        """Ends it, whatever it does."""
        if self.running:
            self._process.kill()
            while self.running:
                time.sleep(_NAP_SECONDS)
