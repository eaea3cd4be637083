"""Processes that are started again when they end, as systemd does it."""

from __future__ import annotations

import math
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Run:
    """One life of a process.

    Attributes:
        name: the daemon's name and the number of the run.
        process: the process.
        log: where its output goes.
        killed: whether a fault has ended it with SIGKILL.
        asked: whether it was asked to end, with SIGTERM.
        ended: when it was found to have ended, in seconds of the steady clock; infinite before.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    killed: bool = False
    asked: bool = False
    ended: float = math.inf

    def text(self) -> str:
        """What it has written."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, unless it has ended."""
        self.process.send_signal(number)


class Daemon:
    """A process, and those that follow it; `look` has to be called again and again.

    Args:
        name: its name, unique on the stage.
        command: what to run.
        environment: all its variables.
        log_folder: tells where the output of a run goes.
        restart_seconds: the pause between an end and the next start.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        log_folder: Callable[[], Path],
        restart_seconds: float,
    ) -> None:
        self.name = name
        self.runs: list[Run] = []
        self._command = command
        self._environment = dict(environment)
        self._log_folder = log_folder
        self._restart_seconds = restart_seconds
        self._not_before = 0.0
        self._wanted = False
        self._holds = 0
        self._lock = threading.RLock()

    @property
    def running(self) -> Run | None:
        """The run that has not ended."""
        last = self.runs[-1] if self.runs else None
        return last if last is not None and last.process.poll() is None else None

    def target(self, seconds: float = 15.0) -> Run | None:
        """The run that a fault can strike; waits for one if there is none at the moment."""
        deadline = time.monotonic() + seconds
        while (run := self.running) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return run

    def start(self) -> None:
        """Starts it, now and whenever it has ended."""
        self._wanted = True
        self.look()

    def look(self) -> None:
        """Starts it if it should run and does not."""
        with self._lock:
            now = time.monotonic()
            if self.runs and self.running is None:
                self.runs[-1].ended = min(self.runs[-1].ended, now)
            if not self._wanted or self._holds or self.running is not None:
                return
            if self.runs and self._not_before == 0.0:
                self._not_before = now + self._restart_seconds
            if now < self._not_before:
                return
            self._not_before = 0.0
            self._launch()

    def _launch(self) -> None:
        name = f"{self.name}.{len(self.runs)}"
        log = self._log_folder() / f"{name}.log"
        try:
            output = log.open("wb")
        except OSError:
            self._not_before = time.monotonic() + self._restart_seconds
            return  # The disk of the logs is full; the next look tries again.
        with output:
            process = subprocess.Popen(self._command, stdout=output, stderr=output, env=self._environment)
        self.runs.append(Run(name, process, log))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile it is not started when it ends."""
        with self._lock:
            self._holds += 1
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1

    def kill(self, down_seconds: float) -> None:
        """Kills it with SIGKILL; it starts again when it has been down for so long."""
        run = self.target()
        with self._lock:
            if run is not None:
                run.killed = True
                run.process.kill()
                run.process.wait()
            self._not_before = time.monotonic() + down_seconds

    def ask_to_end(self, down_seconds: float | None = None) -> Run | None:
        """Sends SIGTERM; afterwards it stays down for so long, or for good. Returns the run that was asked."""
        with self._lock:
            run = self.running
            if down_seconds is None:
                self._wanted = False
            else:
                self._not_before = time.monotonic() + down_seconds
            if run is not None:
                run.asked = True
                run.signal(signal.SIGTERM)
            return run

    def end(self) -> None:
        """Kills it for good."""
        with self._lock:
            self._wanted = False
            run = self.running
            if run is not None:
                run.process.kill()
                run.process.wait()


class Supervisor:
    """Looks after daemons, twenty times a second, in a thread of its own."""

    def __init__(self) -> None:
        self.daemons: list[Daemon] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def add(self, daemon: Daemon) -> Daemon:
        """Takes one into care and starts it."""
        daemon.start()
        self.daemons.append(daemon)
        return daemon

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for daemon in list(self.daemons):
                daemon.look()

    def close(self) -> None:
        """Ends all of them, the latest first."""
        self._over.set()
        self._thread.join()
        for daemon in reversed(self.daemons):
            daemon.end()
