"""Starts ZooKeeper and Kafka from the project's own distribution, on loopback, with small heaps."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

import kafka_distribution
from kafka_distribution.build import build, distribution_name

_SETTINGS = """\
broker.id=1
listeners=PLAINTEXT://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
log.dirs={data}
zookeeper.connect=127.0.0.1:{zookeeper}
zookeeper.session.timeout.ms=2000
num.network.threads=1
num.io.threads=2
background.threads=1
log.cleaner.enable=false
log.retention.check.interval.ms=500
log.segment.delete.delay.ms=0
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


def distribution() -> Path:
    """The unpacked distribution in the machine's cache, built when its sources have changed."""
    sources = Path(kafka_distribution.__file__).parent
    key = hashlib.sha256()
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
                build(archive, None)
                unpacked = Path(scratch) / "unpacked"
                with tarfile.open(archive) as tar:
                    tar.extractall(unpacked)
                (unpacked / distribution_name()).rename(home)
    return home


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for_port(port: int, seconds: float = 40.0) -> None:
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


class Broker:
    """A broker that can be started and killed.

    Args:
        home: the distribution.
        folder: for data, settings and logs.
    """

    def __init__(self, home: Path, folder: Path) -> None:
        self._home = home
        self._folder = folder
        self._zookeeper_port = free_port()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._zookeeper: subprocess.Popen[bytes] | None = None
        self._kafka: subprocess.Popen[bytes] | None = None
        (folder / "zoo.cfg").write_text(
            f"dataDir={folder}/zookeeper\nclientPort={self._zookeeper_port}\nclientPortAddress=127.0.0.1\n"
            "tickTime=1000\nadmin.enableServer=false\n"
        )
        (folder / "server.properties").write_text(
            _SETTINGS.format(port=self.port, zookeeper=self._zookeeper_port, data=folder / "data")
        )

    def _run(self, main: str, settings: str, heap: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{settings}.log").open("ab") as log:
            options = [f"-Xmx{heap}", f"-Xms{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
            command = ["java", *options, "-cp", f"{self._home}/libs/*", main, str(self._folder / settings)]
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)

    def start(self) -> None:
        """Starts what does not run, and waits until the broker answers."""
        if self._zookeeper is None:
            self._zookeeper = self._run("org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg", "64m")
            wait_for_port(self._zookeeper_port)
        deadline = time.monotonic() + 40
        while not self._answers():
            # A broker that was killed is still there for ZooKeeper until its session ends, and another gives up.
            if self._kafka is None or self._kafka.poll() is not None:
                self._kafka = self._run("kafka.Kafka", "server.properties", "256m")
            assert time.monotonic() < deadline, "the broker does not start"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                pass
            with KafkaAdminClient(bootstrap_servers=self.address, bootstrap_timeout_ms=2000) as admin:
                admin.list_topics()
        except (OSError, KafkaError):
            return False
        return True

    def kill(self) -> None:
        """Kills the broker, as a fault does."""
        if self._kafka is not None:
            self._kafka.kill()
            self._kafka.wait()

    def stop(self) -> None:
        """Ends both."""
        self.kill()
        if self._zookeeper is not None:
            self._zookeeper.kill()
            self._zookeeper.wait()
