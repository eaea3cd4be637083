"""Promises of the modules where controllers keep the metadata: one of them and two brokers of real Kafka."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_cluster
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import Connection
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from plugins.filter.kafka_quorum import kafka_quorum
from tests.kafka.conftest import Run
from tests.support.stock_market.broker import BROKER_MAIN, distribution, free_port, java_command, wait_for_port

_CONTROLLER = """\
process.roles=controller
node.id=1001
listeners=CONTROLLER://127.0.0.1:{controller}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
_BROKER = """\
process.roles=broker
node.id={id}
listeners=INTERNAL://127.0.0.1:{port}
inter.broker.listener.name=INTERNAL
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
num.network.threads=1
num.io.threads=2
log.cleaner.enable=false
"""
_BOTH = """\
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT
log.dirs={folder}/data-{id}
"""
_EMPTY = {"formatted": False, "cluster_id": "", "started": False, "zookeeper": False}


class Kraft:
    """A controller and the brokers 1 and 2, on loopback; their directories are formatted as the roles do it."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.controller, self.ports = free_port(), {1: free_port(), 2: free_port()}
        self.servers = [f"127.0.0.1:{port}" for port in self.ports.values()]
        self.running: list[subprocess.Popen[bytes]] = []
        quorum = kafka_quorum({"node-1": _EMPTY}, {}, {1001: f"127.0.0.1:{self.controller}"})
        self.cluster_id = quorum["cluster_id"]
        self._format(1001, _CONTROLLER, 0, "--initial-controllers", *quorum["initial_controllers"])
        for broker, port in self.ports.items():
            self._format(broker, _BROKER, port)

    def _format(self, node: int, settings: str, port: int, *options: str) -> None:
        names = {"id": node, "port": port, "controller": self.controller, "folder": self.folder}
        (self.folder / f"{node}.properties").write_text((settings + _BOTH).format(**names), encoding="utf-8")
        tool = [str(self.home / "bin" / "kafka-storage.sh"), "format", "--cluster-id", self.cluster_id]
        subprocess.run(
            [*tool, "--config", str(self.folder / f"{node}.properties"), *options],
            env=os.environ | {"LOG_DIR": str(self.folder)},
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Starts all, and returns when both brokers are registered."""
        for node in (1001, *self.ports):
            with (self.folder / f"{node}.log").open("ab") as log:
                command = java_command(self.home, BROKER_MAIN, self.folder / f"{node}.properties", "160m")
                self.running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder))
        deadline = time.monotonic() + 120
        while self.registered() != set(self.ports):
            assert time.monotonic() < deadline, "the brokers have not come"
            time.sleep(0.2)
        for port in self.ports.values():
            wait_for_port(port)

    def registered(self) -> set[int]:
        try:
            with KafkaAdminClient(bootstrap_servers=self.servers, bootstrap_timeout_ms=2000) as admin:
                return {broker["broker_id"] for broker in admin.describe_cluster()["brokers"]}
        except KafkaError:
            return set()

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def kraft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kraft]:
    running = Kraft(distribution(), tmp_path_factory.mktemp("kraft"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_the_controller_itself_tells_of_the_quorum(kraft: Kraft) -> None:
    with Connection("127.0.0.1", kraft.controller, 5) as connection:
        quorum = connection.quorum()
    assert quorum is not None
    assert (quorum.leader, set(quorum.voters), quorum.silence_ms(1001)) == (1001, {1001}, 0)


def test_the_module_waits_for_the_controller(kraft: Kraft, run: Run) -> None:
    servers = {"1001": f"127.0.0.1:{kraft.controller}"}
    found = run("kafka_quorum_ready", node_id=1001, servers=servers, who="all")
    assert (found["leader"], found["mode"], found["voters"]) == (1001, "leader", [1001])
    late = run("kafka_quorum_ready", node_id=1002, servers=servers, timeout=1)
    assert late["failed"]
    assert "controller 1002 is no member of the quorum [1001]" in late["msg"]


def test_the_cluster_is_told_of_as_the_quorum_knows_it_whichever_broker_is_named_controller(kraft: Kraft) -> None:
    with KafkaAdminClient(bootstrap_servers=kraft.servers) as admin:
        for _ in range(10):
            cluster = kafka_cluster.read(admin)
            assert (cluster.controller, cluster.ids) == (1001, {1, 2})
            assert cluster.teller in {1, 2}


def test_no_broker_is_the_controller_that_restarts_last(kraft: Kraft, run: Run) -> None:
    found = run("kafka_cluster_info", bootstrap_servers=kraft.servers)
    assert (found["controller"], found["restart_order"]) == (1001, [1, 2])


def test_topics_rights_and_properties_are_set_and_the_second_run_changes_nothing(kraft: Kraft, run: Run) -> None:
    topic: dict[str, Any] = {"name": "quotes", "partitions": 2, "replication_factor": 2}
    wide: dict[str, Any] = {
        "config": {"log.retention.ms": 3600000, "num.io.threads": 4},
        "managed": ["log.retention.ms"],
    }
    for changed in (True, False):
        for module, options in (("kafka_topic", topic), ("kafka_broker_config", wide)):
            done = run(module, bootstrap_servers=kraft.servers, **options)
            assert not done.get("failed"), done
            assert done["changed"] is changed, module


def test_the_gate_opens_for_a_broker_that_the_cluster_can_lose(kraft: Kraft, run: Run) -> None:
    run("kafka_topic", name="spared", partitions=1, replication_factor=2, bootstrap_servers=kraft.servers)
    for when in ("before", "after"):
        found = run("kafka_gate", broker=1, when=when, timeout=30, bootstrap_servers=kraft.servers)
        assert not found.get("failed"), found
        assert found["controller"] == 1001


def test_the_description_names_the_controller(kraft: Kraft, run: Run) -> None:
    found = run("kafka_description", bootstrap_servers=kraft.servers)
    assert (found["controller"], found["cluster_id"]) == (1001, kraft.cluster_id)
