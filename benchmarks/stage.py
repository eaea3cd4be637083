"""What every row of the stream's benchmark stands on: broker, S3, the core for the measured, and settings files."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from benchmarks.figures import ROOT
from benchmarks.kafka_broker import BenchBroker
from benchmarks.measured import Measured, pin
from benchmarks.object_store import CREDENTIALS, ObjectStore

FLUSH_SECONDS = 10
"""How long an object may grow, the same for all that write to S3."""
OBJECT_BYTES = 64 << 20
"""Uncompressed size at which an object is full, the same for all."""
ROUNDS = 3
"""How often each of those that are compared runs."""
TOPIC_RECORDS = 4_000_000
"""In the topic that they fill or drain, at a scale of 1."""


def say(what: str, result: object) -> None:
    """Prints a result as soon as it is there, to standard error."""
    print(f"{time.strftime('%H:%M:%S')} {what}: {result}", file=sys.stderr, flush=True)


class Stage:
    """Broker and S3 on all cores but the last, the measured process on the last.

    Args:
        folder: for everything that the run leaves behind.
        apart: False: all share all cores. A stage of this process that comes after one apart has no such choice.
    """

    def __init__(self, folder: Path, *, apart: bool = True) -> None:
        self.folder = folder
        self.cores = str(pin()) if apart else ",".join(map(str, sorted(os.sched_getaffinity(0))))
        self.broker = BenchBroker(folder)
        self.store = ObjectStore(folder)
        self._numbers = count()
        self._stack = ExitStack()

    def __enter__(self) -> Stage:
        with ExitStack() as stack:
            stack.enter_context(self.broker)
            stack.enter_context(self.store)
            self.reader = self.broker.reader()
            stack.callback(self.reader.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def topic(self, partitions: int) -> str:
        """Makes a topic, which is empty, and returns its name."""
        name = self.name("quotes")
        self.broker.create(name, partitions)
        return name

    def count(self, topic: str) -> int:
        """Records in a topic."""
        return self.broker.count(topic, self.reader)

    def name(self, what: str) -> str:
        """A name that no other run has: for a group, a prefix, a topic or a file."""
        return f"{what}-{next(self._numbers)}"

    def measure(self, name: str, command: list[str], **variables: str) -> Measured:
        """Starts a process on the core for the measured, or on all; it is killed at the end if it still runs."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "KAFKA_"))}
        environment |= CREDENTIALS | {
            "AWS_ENDPOINT_URL": self.store.endpoint,
            "PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT}",
        }
        process = Measured(self.cores, command, self.folder / f"{name}.log", environment | variables)
        self._stack.callback(process.kill)
        return process

    def service(self, program: str, name: str, settings: str, **variables: str) -> Measured:
        """Starts the project's producer or consumer with these settings."""
        config = self.folder / f"{name}.toml"
        config.write_text(settings)
        command = [sys.executable, "-m", f"stock_market.{program}", "--config", str(config)]
        return self.measure(name, command, **variables)
