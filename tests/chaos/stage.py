"""All that a round needs: ZooKeeper, a broker, S3 with its gateway, producers, consumers, disks and clocks."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import KafkaError
from tests.chaos import clock, topic
from tests.chaos.cast import Cast
from tests.chaos.cuts import LogCutter
from tests.chaos.daemon import Daemon, Supervisor
from tests.chaos.history import company
from tests.chaos.templates import CONSUMER, PRODUCER
from tests.chaos.verdict import ProducerEnd
from tests.chaos.volume import Volume
from tests.chaos.witness import Witness
from tests.support.stock_market.broker import (
    BROKER_MAIN,
    ZOOKEEPER_MAIN,
    answers,
    broker_settings,
    distribution,
    free_port,
    java_command,
    wait_for_port,
    zookeeper_settings,
)
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.faulty_s3 import FaultyS3
from tests.support.stock_market.instance_metadata import InstanceMetadata

_ROOT = Path(__file__).resolve().parents[2]
_EXIT_CONFLICT = 3
_RETENTION_MS = 7 * 24 * 3_600_000
_ZOOKEEPER_SESSION_MS = 4000
"""Long enough for a broker that starts on a busy machine; the last of two settings counts."""
_TRANSACTION_LOG = b"ZKLG"
"""The first bytes of a transaction log of ZooKeeper."""
_START_SECONDS = 240.0
_FINISH_SECONDS = 60.0
_DRAIN_SECONDS = 300.0
_SERVICE_RESTART = 0.5
_SERVER_RESTART = 1.5
CREDENTIAL_SECONDS = 6.0
"""How long the consumers' credentials live; Amazon's live for hours."""
_MARKS = {
    "waits for credentials": "event=credentials_missing ",
    "objects met": "event=object_exists ",
    "S3 retries": "event=s3_retry ",
    "partitions started": "event=partition_started ",
    "cuts told": "event=log_cut_back ",
    "producer recoveries": "event=producer_recovered ",
}


class RestError(Exception):
    """The stage does not come to rest although nothing is broken any more; the message says what does not."""


class Stage:
    """One round's stage, in a folder of its own; `close` ends all of it."""

    def __init__(self, cast: Cast, folder: Path) -> None:
        self.cast = cast
        self.folder = folder
        self.topic = f"quotes-{uuid.uuid4().hex[:10]}"
        self.notes: list[str] = []
        self.company: company.Company | None = None
        self._ended = ExitStack()
        self._guests = 0
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        library = clock.build(self.folder)
        self.clocks = {
            name: clock.Clock(library, self.folder / f"{name}.clock")
            for name in ("broker", "consumers", "producers", "compactors")
        }
        sizes = {"broker": 256, "zookeeper": 32, "logs": 64}
        self.volumes = {name: Volume(self.folder / name, size) for name, size in sizes.items()}
        for volume in self.volumes.values():
            self._ended.callback(volume.unmount)
        self._plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.supervisor = Supervisor()
        self._ended.callback(self.supervisor.close)
        self._start_s3()
        self._start_kafka()
        self.witness = Witness(self.address, self.topic, self.cast.partitions, rate=50.0)
        self._ended.callback(self.witness.close)
        self.producers = [self._producer(number) for number in range(self.cast.producers)]
        self.consumers = [self._consumer(f"consumer-{number}", number) for number in range(self.cast.consumers)]
        self.guests: list[Daemon] = []
        if self.cast.history:
            self._start_history()
        complete = self.cast.partitions
        self._until(lambda: len(self._stored()) == complete, "the first objects do not come", _START_SECONDS)

    def _start_s3(self) -> None:
        port = free_port()
        command = [sys.executable, "-m", *company.cloud_command(port, history=self.cast.history)]
        with (self.folder / "s3.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        self._ended.callback(process.wait)
        self._ended.callback(process.terminate)
        wait_for_port(port, _START_SECONDS)
        self.bucket = Bucket(f"http://127.0.0.1:{port}", f"chaos-{uuid.uuid4().hex[:12]}")
        self.metadata = InstanceMetadata(CREDENTIAL_SECONDS)
        self._ended.callback(self.metadata.go)
        self.gateway = FaultyS3(self.bucket.endpoint, self.metadata.refusal)
        self._ended.callback(self.gateway.close)

    def _start_kafka(self) -> None:
        home = distribution()
        zookeeper_port, port = free_port(), free_port()
        self.address = f"127.0.0.1:{port}"
        zoo, server = self.folder / "zoo.cfg", self.folder / "server.properties"
        zoo.write_text(zookeeper_settings(zookeeper_port, self.volumes["zookeeper"].path))
        settings = broker_settings(port, zookeeper_port, self.volumes["broker"].path / "data")
        settings += company.broker_settings() if self.cast.history else ""
        server.write_text(f"{settings}zookeeper.session.timeout.ms={_ZOOKEEPER_SESSION_MS}\n")
        environment = self._plain | self.clocks["broker"].variables
        self.zookeeper = self._daemon("zookeeper", java_command(home, ZOOKEEPER_MAIN, zoo, "64m"), environment)
        wait_for_port(zookeeper_port, _START_SECONDS)
        self.broker = self._daemon("broker", java_command(home, BROKER_MAIN, server, "256m"), environment)
        self.cutter = LogCutter(self.broker, self.address, self.volumes["broker"].path / "data", self.topic)
        self._until(lambda: answers(self.address), "the broker does not answer", _START_SECONDS)
        options = {"num_partitions": self.cast.partitions, "replication_factor": 1, "configs": {}}
        with KafkaAdminClient(bootstrap_servers=self.address) as admin:
            admin.create_topics({self.topic: options}, wait_for_metadata=True)

    def _start_history(self) -> None:
        own, stream = self.clocks["compactors"], (self.address, self.topic)
        self.company = company.Company(self.bucket, stream, own, self._plain, self.folder)
        self._ended.callback(self.company.close)
        self.company.start(self.supervisor, self.clocks["broker"], lambda: self.folder)

    def _daemon(self, name: str, command: list[str], environment: dict[str, str]) -> Daemon:
        server = name in {"zookeeper", "broker"}
        folder = self.folder if server else self.volumes["logs"].path
        restart = _SERVER_RESTART if server else _SERVICE_RESTART
        return self.supervisor.add(Daemon(name, command, environment, lambda: folder, restart))

    def _service(self, name: str, module: str, settings: str, of: str) -> Daemon:
        config = self.folder / f"{name}.toml"
        config.write_text(settings)
        environment = self._plain | self.clocks[of].variables
        environment |= self.metadata.variables(self.folder) | {
            "PYTHONPATH": f"{_ROOT / 'scripts'}:{_ROOT}",
            "AWS_ENDPOINT_URL": self.gateway.endpoint,
        }
        return self._daemon(name, [sys.executable, "-m", module, "--config", str(config)], environment)

    def _producer(self, number: int) -> Daemon:
        settings = PRODUCER.format(
            rate=self.cast.rate,
            number=number + 1,
            address=self.address,
            topic=self.topic,
            in_flight=self.cast.in_flight,
        )
        return self._service(f"producer-{number}", "stock_market.producer", settings, "producers")

    def _consumer(self, name: str, number: int) -> Daemon:
        # Each cuts otherwise, so that no two of them cut the same object.
        settings = CONSUMER.format(
            address=self.address,
            topic=self.topic,
            instance=name if self.cast.static else "",
            session=self.cast.session_seconds,
            bucket=self.bucket.name,
            seconds=0.6 + 0.27 * number,
            records=500 + 173 * number,
        )
        return self._service(name, self.cast.consumer_module, settings, "consumers")

    def join(self) -> Daemon:
        """One more consumer in the group."""
        self._guests += 1
        guest = self._consumer(f"guest-{self._guests}", self.cast.consumers + self._guests % 3)
        self.guests.append(guest)
        return guest

    def _until(self, condition: Callable[[], bool], complaint: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise RestError(f"{complaint}, waited {seconds:g} s")
            time.sleep(0.1)

    def write_to_zookeeper(self, seconds: float) -> None:
        """Meanwhile has the broker write one small change after the other to ZooKeeper, which is idle otherwise."""
        deadline = time.monotonic() + seconds
        change = ConfigResource("TOPIC", self.topic, {"retention.ms": str(_RETENTION_MS)})
        while time.monotonic() < deadline:
            try:
                with KafkaAdminClient(bootstrap_servers=self.address, request_timeout_ms=2000) as admin:
                    while time.monotonic() < deadline:
                        admin.alter_configs([change], raise_on_unknown=False)
            except KafkaError:
                time.sleep(0.2)

    def remove_empty_transaction_logs(self) -> None:
        """Does what an operator has to do when ZooKeeper could not even write the head of a new log (ZOOKEEPER-1621).

        ZooKeeper does not start again before such a file is gone; no transaction is in it.
        """
        if self.zookeeper.running is None:
            for log in self.volumes["zookeeper"].path.glob("version-2/log.*"):
                with log.open("rb") as file:
                    head = file.read(len(_TRANSACTION_LOG))
                if head != _TRANSACTION_LOG:
                    log.unlink()

    def rest(self) -> None:
        """With every fault over, lets all that is on its way arrive, and ends the services.

        Raises:
            RestError: something does not arrive, or does not end as it should.
        """
        self.gateway.recover()
        self._wait_for_broker()
        if not self.witness.finish(60):
            raise RestError(f"the witness's records are not acknowledged: {self.witness.failures}")
        complaints = self._end_well(self.producers)
        last = topic.ends(self.address, self.topic)
        expected = {partition: end for partition, end in last.items() if end}
        try:
            self._drain(expected)
        except RestError as error:
            complaints.append(str(error))
        complaints += self._end_well(self.consumers)
        if self.company is not None:
            complaints += self.company.rest() + self._end_well(self.company.compactors)
        if complaints:
            raise RestError("; ".join(complaints))

    def _drain(self, ends: dict[int, int]) -> None:
        """Waits until the objects reach the topic's ends, or the group says that they do: then no more objects come.

        Raises:
            RestError: they do not reach them.
        """
        complaint = f"the objects do not reach the topic's ends {ends}"
        with KafkaAdminClient(bootstrap_servers=self.address) as admin:
            self._until(lambda: self._stored() == ends or self._committed(admin) == ends, complaint, _DRAIN_SECONDS)
        if self._stored() != ends:
            raise RestError(f"{complaint}, but the group has committed them")

    def _committed(self, admin: KafkaAdminClient) -> dict[int, int]:
        """The group's offsets, where it has committed any."""
        group = f"group-{self.topic}"
        found = admin.list_group_offsets({group: None})[group]
        return {place.partition: committed.offset for place, committed in found.items() if committed.offset > 0}

    def _wait_for_broker(self) -> None:
        try:
            self._until(lambda: answers(self.address), "the broker does not answer", _START_SECONDS)
        except RestError:
            for daemon in (self.broker, self.zookeeper):
                if daemon.running is not None:
                    daemon.running.signal(signal.SIGQUIT)  # Java writes its threads' stacks to the log.
            time.sleep(2)
            raise

    def _stored(self) -> dict[int, int]:
        """The end of the last object of each partition, by the bucket's listing."""
        last: dict[int, tuple[int, str]] = {}
        for key in self.bucket.keys("quotes/"):
            _, partition, start = key.removesuffix(".json.gz").rsplit("+", 2)
            last[int(partition)] = max(last.get(int(partition), (-1, "")), (int(start), key))
        heads = {
            partition: self.bucket.client.head_object(Bucket=self.bucket.name, Key=key)
            for partition, (_, key) in last.items()
        }
        return {partition: int(head["Metadata"]["end-offset"]) for partition, head in heads.items()}

    @staticmethod
    def _end_well(daemons: list[Daemon]) -> list[str]:
        """Asks them to end; returns what is wrong with how they do."""
        for daemon in daemons:
            daemon.target()
        asked = [(daemon, daemon.ask_to_end()) for daemon in daemons]
        complaints = []
        for daemon, run in asked:
            if run is None:
                complaints.append(f"{daemon.name} does not run although nothing hinders it")
                continue
            try:
                code = run.process.wait(_FINISH_SECONDS)
            except subprocess.TimeoutExpired:
                complaints.append(f"{run.name} does not end within {_FINISH_SECONDS:g} s of SIGTERM")
                continue
            # One that has only just started ends by the signal itself, before it has done anything.
            if code not in {0, -signal.SIGTERM}:
                complaints.append(f"{run.name} ended with code {code} at rest: {run.text()[-500:]}")
        return complaints

    def producer_ends(self) -> list[ProducerEnd]:
        """How each producer's life ended, by its exit code and its log."""
        ends = [ProducerEnd(name, whole=False) for name in self.witness.producer_ids[:-1]]
        ends.append(ProducerEnd(self.witness.producer_ids[-1], whole=True))
        for daemon in self.producers:
            for run in daemon.runs:
                log = run.text()
                started = re.search(r"event=started producer_id=(\w+)", log)
                stopped = re.search(r"event=stopped producer_id=\w+ records=(\d+) unsent=0", log)
                if started is not None:
                    whole = run.process.poll() == 0
                    ends.append(ProducerEnd(started[1], whole, int(stopped[1]) if whole and stopped else None))
        return ends

    def complaints(self) -> tuple[list[str], list[str]]:
        """What the services' runs tell: what must not be, and what is only worth knowing."""
        wrong, notes = [], []
        for daemon in self.supervisor.daemons:
            if daemon in (self.zookeeper, self.broker):
                continue
            for run in daemon.runs:
                log = run.text()
                for event in ("event=crashed", "event=quarantine_differs", "event=retention_gap"):
                    if event in log:
                        line = next(line for line in log.splitlines() if event in line)
                        wrong.append(f"{run.name}: {line[-700:]}")
                wrong += self.cutter.complaints(run)
                code = run.process.poll()
                if code == _EXIT_CONFLICT and self.cutter.excuses(run):
                    notes.append(f"{daemon.name} found a log shorter than its objects")
                elif code == _EXIT_CONFLICT:
                    wrong.append(f"{run.name} says that Kafka and S3 contradict each other: {log[-700:]}")
                elif code not in {0, None} and not run.killed and not (run.asked and code == -signal.SIGTERM):
                    notes.append(f"{run.name} ended with code {code}: {log.strip().rpartition(chr(10))[2][-300:]}")
        return wrong, notes

    def untold_cuts(self, told: Sequence[tuple[int, int, int]]) -> list[str]:
        """Cuts that objects name and no consumer has logged, unless its log's disk was full once.

        Args:
            told: partition, start and end of each.
        """
        if self.volumes["logs"].was_full:
            return []
        logs = "".join(run.text() for daemon in [*self.consumers, *self.guests] for run in daemon.runs)
        return [
            f"no consumer has logged the cut of partition {partition} at {start}, although the object at {end} tells it"
            for partition, start, end in told
            if f"event=log_cut_back partition={partition} start={start} end={end} lost={end - start} " not in logs
        ]

    def given_up(self) -> set[str]:
        """The main objects of which a consumer has said that their quarantine object cannot be made any more."""
        logs = "".join(run.text() for daemon in [*self.consumers, *self.guests] for run in daemon.runs)
        return set(re.findall(r'event=quarantine_lost partition=\d+ key="?([^" ]+)', logs))

    def counts(self) -> dict[str, int]:
        """What shows that the faults have struck: starts of processes, and events in what they have written."""
        groups = {
            "consumers": [*self.consumers, *self.guests],
            "producers": self.producers,
            "broker": [self.broker],
            "zookeeper": [self.zookeeper],
        }
        texts = {name: [run.text() for daemon in group for run in daemon.runs] for name, group in groups.items()}
        found = {f"starts of {name}": len(lives) for name, lives in texts.items()}
        lives = [text for texts_of_one in texts.values() for text in texts_of_one]
        found |= {name: sum(text.count(mark) for text in lives) for name, mark in _MARKS.items()}
        for name in ("broker", "zookeeper"):
            met = ["No space left on device" in text for text in texts[name]]
            found[f"starts of {name} that met a full disk"] = sum(met)
        if self.company is not None:
            found |= self.company.counts()
        return found | {"S3 faults": len(self.gateway.met), "refused credentials": self.metadata.refused}

    def save_logs(self, folder: Path) -> None:
        """Copies what the processes have written, before the disks go."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in (*self.folder.glob("*.log"), *self.volumes["logs"].path.glob("*.log")):
            shutil.copy(path, folder)

    def close(self) -> None:
        """Ends every process and lets go of the disks."""
        self._ended.close()
