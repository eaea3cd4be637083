"""What a round needs where hours become history: Glue, Athena, two compactors, and who counts rows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.chaos import lake, topic
from tests.chaos.clock import Clock
from tests.chaos.daemon import Daemon, Supervisor
from tests.chaos.history import reader
from tests.chaos.history.catalog import DATABASE, WORKGROUP, Catalog
from tests.chaos.history.watcher import Watcher
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.faulty_s3 import FaultyS3
from tests.support.stock_market.services import SCRIPTS

RATE = 90
"""How much faster the clocks of the broker and of the compactors run: an hour in 40 s."""
COMPACTORS = 2
_PAUSE_SECONDS = 1.5
_HOUR_SECONDS = 3600
_END_SECONDS = 240.0
_SETTINGS = """\
margin_seconds = 60.0
[s3]
bucket = "{bucket}"
[catalog]
database = "{database}"
workgroup = "{workgroup}"
[kafka]
bootstrap_servers = ["{address}"]
topic = "{topic}"
"""
BROKER = """\
connections.max.idle.ms={patience}0
controller.socket.timeout.ms={patience}
request.timeout.ms={patience}
socket.connection.setup.timeout.ms={patience}
socket.connection.setup.timeout.max.ms={patience}
"""
"""Kafka counts the time that its own connections take by the wall clock."""


def broker_settings() -> str:
    """What a broker on a fast clock needs beside the usual settings."""
    return BROKER.format(patience=30_000 * RATE)


def cloud_command(port: int, *, history: bool) -> list[str]:
    """Module and arguments of a round's AWS: S3 alone, or with Glue and Athena."""
    s3_alone = ["moto.server", "-H", "127.0.0.1", "-p", str(port)]
    return ["tests.chaos.history.cloud", str(port)] if history else s3_alone


class Company:
    """Two compactors that run again and again, as a timer starts them.

    Args:
        bucket: the round's.
        address: the broker.
        topic: the topic.
        clock: the compactors'.
        environment: of their processes.
        folder: for their settings.
    """

    def __init__(
        self, bucket: Bucket, stream: tuple[str, str], clock: Clock, environment: Mapping[str, str], folder: Path
    ) -> None:
        self._bucket = bucket
        self._address, self._topic = stream
        self.clock = clock
        self.gateway = FaultyS3(bucket.endpoint)
        self.catalog = Catalog(bucket)
        config = folder / "history.toml"
        config.write_text(
            _SETTINGS.format(
                bucket=bucket.name,
                database=DATABASE,
                workgroup=WORKGROUP,
                address=self._address,
                topic=self._topic,
            )
        )
        self._command = [sys.executable, "-m", "stock_market.history", "--config", str(config)]
        self._environment = {**environment, **clock.variables, "AWS_ENDPOINT_URL": self.gateway.endpoint}
        self._environment |= {"PYTHONPATH": str(SCRIPTS), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        subprocess.run([*self._command, "--declare"], env=self._environment, check=True, stdout=subprocess.DEVNULL)
        self.compactors: list[Daemon] = []
        self.watcher = Watcher(self.catalog, lambda: bucket.keys("quotes/"), self._sent)

    def start(self, supervisor: Supervisor, broker: Clock, logs: Callable[[], Path]) -> None:
        """Lets hours pass fast, and starts the compactors."""
        for clock in (broker, self.clock):
            clock.run(RATE)
        for number in range(COMPACTORS):
            daemon = Daemon(f"compactor-{number}", self._command, self._environment, logs, _PAUSE_SECONDS)
            self.compactors.append(supervisor.add(daemon))

    def _sent(self) -> int:
        return sum(topic.ends(self._address, self._topic).values())

    def _waits(self) -> str:
        """What is still to become history; nothing where all is."""
        keys = self._bucket.keys("quotes/")
        watermark = reader.shown(self.catalog.view()).watermark
        newest = max((key.split("/")[1][3:] + " " + key.split("/")[2][5:] for key in keys), default="")
        return f"the hour {newest} is not history, which ends before {watermark}" if watermark <= newest else ""

    def rest(self) -> list[str]:
        """With all records stored, lets every hour end and become history; returns what does not."""
        self.gateway.recover()
        self.clock.jump(2 * _HOUR_SECONDS)
        deadline = time.monotonic() + _END_SECONDS
        while (waits := self._waits()) and time.monotonic() < deadline:
            time.sleep(0.5)
        complaints = [waits] if waits else []
        # Late objects are taken in by whole runs.
        runs = {daemon.name: len(daemon.runs) for daemon in self.compactors}
        while not self._ran_well(runs):
            if time.monotonic() > deadline:
                last = self.compactors[0].runs[-1].text()[-800:]
                complaints.append(f"no compactor comes to a good end although nothing hinders it: {last}")
                break
            time.sleep(0.5)
        self.watcher.finish()
        uncounted = [name for name, counts in self.watcher.counts.items() if not counts]
        complaints += [f"the records of {name} could not be counted once" for name in uncounted]
        return complaints + self.watcher.problems

    def _ran_well(self, runs: dict[str, int]) -> bool:
        """Whether a run that began afterwards has ended well."""
        return any(run.process.poll() == 0 for daemon in self.compactors for run in daemon.runs[runs[daemon.name] : -1])

    def compare(self, raw: lake.Lake, stored: Mapping[str, Counter[int]]) -> list[str]:
        """Compares what the view shows with what has to be stored."""
        return reader.compare(self._bucket, self.catalog, raw, stored)

    def counts(self) -> dict[str, int]:
        """What shows that something happened."""
        text = "".join(run.text() for daemon in self.compactors for run in daemon.runs)
        return {
            "starts of compactors": sum(len(daemon.runs) for daemon in self.compactors),
            "partitions of the history": len(self.catalog.partitions()),
            "queries of compactors": text.count("event=query_done "),
            "counts of rows": len(self.watcher.counts),
            "faults of the compactors' AWS": len(self.gateway.met),
        }

    def close(self) -> None:
        """Ends what counts and what stands before AWS."""
        self.watcher.finish()
        self.gateway.close()
