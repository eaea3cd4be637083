"""Starts Kafka from the project's own distribution, on loopback, with small heaps; before Kafka 4, ZooKeeper beside it.

STOCK_MARKET_TEST_KAFKA names another of the versions that the project builds.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from plugins.filter.kafka_quorum import kafka_quorum
from tests.support.stock_market.secured import Secured

import kafka_distribution
from kafka_distribution.build import LATEST, build, distribution_name
from kafka_distribution.tools import for_version, has_zookeeper, servers

VERSION = os.environ.get("STOCK_MARKET_TEST_KAFKA", LATEST)
KRAFT = not has_zookeeper(VERSION)
"""Whether a broker is its own controller: Kafka 4 has no ZooKeeper."""
ZOOKEEPER_MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
BROKER_MAIN = "kafka.Kafka"
_START_SECONDS = 180.0
_ZOOKEEPER_SETTINGS = """\
dataDir={data}
tickTime=1000
admin.enableServer=false
"""
_PLAIN_ZOOKEEPER_SETTINGS = """\
clientPort={port}
clientPortAddress=127.0.0.1
"""
_WITH_ZOOKEEPER = """\
broker.id=1
zookeeper.connect=127.0.0.1:{zookeeper}
zookeeper.session.timeout.ms=2000
"""
_OWN_CONTROLLER = """\
node.id=1
process.roles=broker,controller
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
"""
"""A broker that is its own controller, on the port where ZooKeeper would be."""
_BROKER_SETTINGS = """\
log.dirs={data}
num.network.threads=1
num.io.threads=2
background.threads=1
log.cleaner.enable=false
log.retention.check.interval.ms=500
log.segment.delete.delay.ms=100
log.initial.task.delay.ms=500
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
"""
"""With a delay of 0 the broker would look for files to delete without a pause, each millisecond."""
_PLAIN_BROKER_SETTINGS = """\
listeners=PLAINTEXT://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
"""


def distribution() -> Path:
    """The unpacked distribution in the machine's cache, built when its sources have changed."""
    sources = Path(kafka_distribution.__file__).parent
    key = hashlib.sha256(VERSION.encode() if VERSION != LATEST else b"")
    for path in sorted(sources.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            key.update(path.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "stock-market"
    home = cache / f"kafka-unpacked-{key.hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "kafka-unpacked.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                archive = Path(scratch) / "kafka.tgz"
                build(archive, None, VERSION)
                unpacked = Path(scratch) / "unpacked"
                with tarfile.open(archive) as tar:
                    tar.extractall(unpacked)
                (unpacked / distribution_name(VERSION)).rename(home)
        if not class_archive(home, BROKER_MAIN).exists():
            _archive_classes(home, cache)
    return home


def class_archive(home: Path, main: str) -> Path:
    """Where the classes that a program loads lie as Java maps them, which saves a third of its start."""
    return home / f"{main}.jsa"


def _archive_classes(home: Path, scratch: Path) -> None:
    """Starts all servers once and lets Java write down which classes they have loaded."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        once = Broker(home, Path(folder), archive_classes=True)
        once.start()
        once.end()
        for main in servers(VERSION):
            Path(folder, f"{main}.jsa").rename(class_archive(home, main))


def _own_ports() -> Iterator[int]:
    """Ports below those that the kernel gives out by itself, in turn; each worker of xdist has some of its own."""
    first = 12_000 + 2_000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 9)
    begin = random.randrange(2_000)
    return itertools.cycle([first + (begin + number) % 2_000 for number in range(2_000)])


_PORTS = _own_ports()


def free_port() -> int:
    """A port of loopback that nobody listens on, and that nobody else is given before it is used."""
    for port in _PORTS:
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the ports do not end")


def wait_for_port(port: int, seconds: float = 90.0) -> None:
    """Returns when somebody listens on the port of loopback."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def zookeeper_settings(port: int, data: Path, secured: Secured | None = None) -> str:
    """ZooKeeper's settings file: the port of loopback that it listens on, and where it keeps its data."""
    listener = _PLAIN_ZOOKEEPER_SETTINGS.format(port=port) if secured is None else secured.zookeeper_settings(port)
    return _ZOOKEEPER_SETTINGS.format(data=data) + listener


def broker_settings(
    port: int, zookeeper_port: int, data: Path, secured: Secured | None = None, *, kraft: bool = KRAFT
) -> str:
    """The broker's settings file: its port, ZooKeeper's or its controller's, both of loopback, and its data."""
    common = _BROKER_SETTINGS.format(data=data)
    common += (
        _PLAIN_BROKER_SETTINGS.format(port=port) if secured is None else secured.broker_settings(port, kraft=kraft)
    )
    if kraft:
        both = rf"\g<0>,CONTROLLER://127.0.0.1:{zookeeper_port}"
        return _OWN_CONTROLLER.format(controller=zookeeper_port) + re.sub(r"(?m)^listeners=.*$", both, common)
    return _WITH_ZOOKEEPER.format(zookeeper=zookeeper_port) + common


def format_directory(home: Path, settings: Path, scram: Path | None = None, release: str = "") -> None:
    """Formats the directory of a broker that is its own controller.

    `scram` has its first user; `release` is the one whose features it begins with, else the newest.
    """
    cluster = kafka_quorum({}, {}, {})["cluster_id"]
    command = [f"{home}/bin/kafka-storage.sh", "format", "--standalone", "--cluster-id", cluster]
    command += ["--config", str(settings), *(["--add-scram", f"@{scram}"] if scram else [])]
    command += ["--release-version", release] if release else []
    quick = os.environ | {"KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=quick)
    assert done.returncode == 0, done.stdout + done.stderr


def java_command(home: Path, main: str, settings: Path, heap: str) -> list[str]:
    """Runs a server of the distribution with a small heap, such as `256m`, and a quick start; it writes warnings."""
    return _java(home, class_archive(home, main), main, heap, str(settings))


def tool_command(home: Path, main: str, *arguments: str) -> list[str]:
    """Runs one of Kafka's tools as quickly; most of its classes are in the broker's archive."""
    return _java(home, class_archive(home, BROKER_MAIN), main, "64m", *arguments)


def _java(home: Path, archive: Path, main: str, heap: str, *arguments: str) -> list[str]:
    options = [f"-Xmx{heap}", f"-Xms{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    # Without settings log4j logs all to nowhere, and a broker makes JSON of each request and answer for it.
    options.append(for_version(f"-Dlog4j.configuration=file:{home}/config/tools-log4j.properties", VERSION))
    if archive.exists():
        # Another Java than the one that wrote the archive starts without it, and says so.
        options.append(f"-XX:SharedArchiveFile={archive}")
    return ["java", *options, "-cp", f"{home}/libs/*", main, *arguments]


def answers(address: str, client: dict[str, Any] | None = None) -> bool:
    """Whether a broker answers there to a client with these options."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            pass
        with KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=2000, **(client or {})) as admin:
            admin.list_topics()
    except (OSError, KafkaError):
        return False
    return True


class Broker:
    """A broker that can be started and killed.

    Args:
        home: the distribution.
        folder: for data, settings and logs.
        secured: keys and passwords, where it is to take no client without.
        kraft: whether it is its own controller, without ZooKeeper.
        archive_classes: whether both write their class archives into the folder when they end.

    Attributes:
        folder: as given; the logs lie in its folder `data`.
    """

    def __init__(
        self,
        home: Path,
        folder: Path,
        secured: Secured | None = None,
        *,
        kraft: bool = KRAFT,
        archive_classes: bool = False,
    ) -> None:
        self._home = home
        self.folder = folder
        self.zookeeper_port = free_port()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.secured = secured
        self._archive_classes = archive_classes
        self._prepared = False
        self._zookeeper: subprocess.Popen[bytes] | None = None
        self._kafka: subprocess.Popen[bytes] | None = None
        self._kraft = kraft
        if not kraft:
            zoo = zookeeper_settings(self.zookeeper_port, folder / "zookeeper", secured)
            (folder / "zoo.cfg").write_text(zoo)
        server = broker_settings(self.port, self.zookeeper_port, folder / "data", secured, kraft=kraft)
        (folder / "server.properties").write_text(server)

    @property
    def client(self) -> dict[str, Any]:
        """kafka-python's options for a client that may do everything."""
        security = {} if self.secured is None else self.secured.client()
        return {"bootstrap_servers": self.address, **security}

    def _run(self, main: str, settings: str, heap: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{settings}.log").open("ab") as log:
            command = java_command(self._home, main, self.folder / settings, heap)
            if self._archive_classes:
                command.insert(1, f"-XX:ArchiveClassesAtExit={self.folder / main}.jsa")
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def start(self) -> None:
        """Starts what does not run, and waits until the broker answers."""
        first = not self._prepared
        if first:
            self._prepare()
        deadline = time.monotonic() + _START_SECONDS
        client = {} if self.secured is None else self.secured.client("broker")
        while not answers(self.address, client):
            # A broker that was killed is still there for ZooKeeper until its session ends, and another gives up.
            if self._kafka is None or self._kafka.poll() is not None:
                self._kafka = self._run(BROKER_MAIN, "server.properties", "256m")
            assert time.monotonic() < deadline, "the broker does not start"
            time.sleep(0.1)
        if first and self.secured is not None:
            self.secured.create_users(self.address)

    def _prepare(self) -> None:
        """Starts what keeps the cluster's metadata, which knows the broker's own user then."""
        self._prepared = True
        if not self._kraft:
            self._zookeeper = self._run(ZOOKEEPER_MAIN, "zoo.cfg", "64m")
            wait_for_port(self.zookeeper_port)
            if self.secured is not None:
                self.secured.bootstrap(self._home, self.zookeeper_port)
        elif not (self.folder / "data" / "meta.properties").exists():
            scram = None if self.secured is None else self.secured.first_user()
            format_directory(self._home, self.folder / "server.properties", scram)

    @property
    def is_running(self) -> bool:
        """Whether the broker's process is there."""
        return self._kafka is not None and self._kafka.poll() is None

    def kill(self) -> None:
        """Kills the broker, as a fault does."""
        if self._kafka is not None:
            self._kafka.kill()
            self._kafka.wait()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """The broker's process does nothing meanwhile: it takes connections and requests, and answers none."""
        assert self._kafka is not None
        self._kafka.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._kafka.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Ends both as systemd does."""
        assert self._kafka is not None
        for process in (self._kafka, self._zookeeper):
            if process is not None:
                process.terminate()
                process.wait(60)

    def restart(self) -> None:
        """Ends both as systemd does, and starts both again: they read their certificates again."""
        self.end()
        if not self._kraft:
            self._zookeeper = self._run(ZOOKEEPER_MAIN, "zoo.cfg", "64m")
            wait_for_port(self.zookeeper_port)
        self.start()

    def stop(self) -> None:
        """Ends both."""
        self.kill()
        if self._zookeeper is not None:
            self._zookeeper.kill()
            self._zookeeper.wait()
            self._zookeeper = None
        self._prepared = False
