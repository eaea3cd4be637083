"""Three brokers and their ZooKeeper on loopback, each of which can be stopped and started."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from tests.support.stock_market.broker import (
    BROKER_MAIN,
    ZOOKEEPER_MAIN,
    broker_settings,
    free_port,
    java_command,
    wait_for_port,
    zookeeper_settings,
)

RACKS = {1: "a", 2: "b", 3: "c"}
_SETTINGS = """\
broker.id={id}
broker.rack={rack}
min.insync.replicas=2
auto.leader.rebalance.enable=false
controlled.shutdown.retry.backoff.ms=200
replica.lag.time.max.ms=3000
listeners=PLAINTEXT://127.0.0.1:{port},MOVED://127.0.1.{id}:{moved_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},MOVED://127.0.2.{id}:{moved_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,MOVED:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
# Longer than a busy machine stalls.
zookeeper.session.timeout.ms=15000
"""


class Brokers:
    """A cluster of three, in three racks, whose topics want two replicas in sync.

    Each listens at 127.0.1.<id>, too, and tells whoever comes there to go to 127.0.2.<id>, where it is not.

    Args:
        home: the distribution.
        folder: for data, settings and logs.
    """

    def __init__(self, home: Path, folder: Path) -> None:
        self._home = home
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.zookeeper_port = free_port()
        self.ports = {broker: free_port() for broker in RACKS}
        self._moved_ports = {broker: free_port() for broker in RACKS}
        self._write("zookeeper", zookeeper_settings(self.zookeeper_port, folder / "zookeeper-data"))
        for broker, rack in RACKS.items():
            settings = broker_settings(self.ports[broker], self.zookeeper_port, folder / f"data-{broker}")
            more = {"port": self.ports[broker], "moved_port": self._moved_ports[broker]}
            self._write(f"broker-{broker}", settings + _SETTINGS.format(id=broker, rack=rack, **more))

    def _write(self, name: str, text: str) -> None:
        (self._folder / f"{name}.properties").write_text(text)

    def _run(self, name: str, main: str, heap: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            command = java_command(self._home, main, self._folder / f"{name}.properties", heap)
            self._running[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)

    @property
    def servers(self) -> list[str]:
        """All brokers' addresses."""
        return [f"127.0.0.1:{port}" for port in self.ports.values()]

    @property
    def moved(self) -> dict[str, Any]:
        """Options of a module for the listeners at which brokers tell another address than they have."""
        return {
            "bootstrap_servers": [f"127.0.1.{broker}:{port}" for broker, port in self._moved_ports.items()],
            "moved": {f"127.0.2.{broker}": f"127.0.1.{broker}" for broker in self.ports},
        }

    def admin(self) -> KafkaAdminClient:
        """A client that has reached one of the brokers that run."""
        return KafkaAdminClient(bootstrap_servers=self.servers)

    def start(self, *brokers: int) -> None:
        """Starts brokers, or all, without waiting; ZooKeeper before them."""
        if "zookeeper" not in self._running:
            self._run("zookeeper", ZOOKEEPER_MAIN, "64m")
            wait_for_port(self.zookeeper_port)
        for broker in brokers or RACKS:
            self._run(f"broker-{broker}", BROKER_MAIN, "160m")

    def stop(self, broker: int) -> None:
        """Ends a broker in the orderly way, which hands its leaderships over."""
        running = self._running.pop(f"broker-{broker}")
        running.terminate()
        running.wait(90)

    def stop_all(self) -> None:
        """Kills everything."""
        for running in self._running.values():
            running.kill()
        for running in self._running.values():
            running.wait()
        self._running.clear()

    def wait(self, *brokers: int, seconds: float = 180) -> None:
        """Returns when these brokers, or all, are registered and listen, which they do a little later."""
        wanted = set(brokers or RACKS)
        deadline = time.monotonic() + seconds
        while not wanted <= self.registered():
            assert time.monotonic() < deadline, f"of {wanted} only {self.registered()} have come"
            time.sleep(0.2)
        for broker in wanted:
            wait_for_port(self.ports[broker])

    def registered(self) -> set[int]:
        """The brokers that the cluster has at the moment."""
        try:
            with KafkaAdminClient(bootstrap_servers=self.servers, bootstrap_timeout_ms=2000) as admin:
                return {broker["broker_id"] for broker in admin.describe_cluster()["brokers"]}
        except KafkaError:
            return set()

    def topic(self, name: str, assignment: list[list[int]], **configs: Any) -> None:
        """Creates a topic whose partitions have these replicas."""
        wanted = {
            "num_partitions": -1,
            "replication_factor": -1,
            "assignments": dict(enumerate(assignment)),
            "configs": {key.replace("_", "."): str(value) for key, value in configs.items()},
        }
        with self.admin() as admin:
            admin.create_topics({name: wanted})
            admin.wait_for_topics([name])

    def delete_topics(self, seconds: float = 90) -> None:
        """Deletes all topics, and returns when they are gone."""
        deadline = time.monotonic() + seconds
        with self.admin() as admin:
            while topics := admin.list_topics():
                assert time.monotonic() < deadline, f"{topics} do not go"
                admin.delete_topics(topics, raise_errors=False)
                time.sleep(0.2)
