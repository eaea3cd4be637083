"""Promises of the modules where controllers keep the metadata: three of them and two brokers of real Kafka."""

from __future__ import annotations

import shutil
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
from tests.support.stock_market.broker import (
    BROKER_MAIN,
    distribution,
    free_port,
    java_command,
    tool_command,
    wait_for_port,
)
from tests.support.stock_market.services import eventually

_CONTROLLER = """\
process.roles=controller
node.id={id}
listeners=CONTROLLER://127.0.0.1:{port}
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
controller.quorum.bootstrap.servers={controllers}
controller.quorum.fetch.timeout.ms=2000
listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT
log.dirs={folder}/data-{id}
"""
_EMPTY = {"formatted": False, "cluster_id": "", "started": False, "zookeeper": False}


class Kraft:
    """Three controllers and the brokers 1 and 2, on loopback; their directories are formatted as the roles do it."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.ports = {1: free_port(), 2: free_port()}
        self.controllers = {node: f"127.0.0.1:{free_port()}" for node in (1001, 1002, 1003)}
        self.servers = [f"127.0.0.1:{port}" for port in self.ports.values()]
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        quorum = kafka_quorum({"node-1": _EMPTY}, {}, self.controllers)
        self.cluster_id = quorum["cluster_id"]
        first = ("--initial-controllers", ",".join(quorum["initial_controllers"]))
        for node, server in self.controllers.items():
            self._format(node, _CONTROLLER, int(server.rpartition(":")[2]), *first)
        for broker, port in self.ports.items():
            self._format(broker, _BROKER, port)

    def lose(self, node: int) -> str:
        """Kills a controller, whose directory is lost, and starts one with a new directory; returns that one's id."""
        if node in self.running:
            self.kill(node)
        shutil.rmtree(self.folder / f"data-{node}", ignore_errors=True)
        self._format(node, _CONTROLLER, int(self.controllers[node].rpartition(":")[2]), "--no-initial-controllers")
        self.run(node)
        text = (self.folder / f"data-{node}" / "meta.properties").read_text(encoding="utf-8")
        return text.partition("directory.id=")[2].splitlines()[0]

    def empty(self, broker: int) -> None:
        """Kills a broker, whose disk is lost, and starts it with an empty one."""
        self.kill(broker)
        shutil.rmtree(self.folder / f"data-{broker}")
        self._format(broker, _BROKER, self.ports[broker])
        self.run(broker)
        wait_for_port(self.ports[broker])

    def _format(self, node: int, settings: str, port: int, *options: str) -> None:
        controllers = ",".join(self.controllers.values())
        names = {"id": node, "port": port, "controllers": controllers, "folder": self.folder}
        (self.folder / f"{node}.properties").write_text((settings + _BOTH).format(**names), encoding="utf-8")
        asked = ("format", "--cluster-id", self.cluster_id, "--config", str(self.folder / f"{node}.properties"))
        command = tool_command(self.home, "kafka.tools.StorageTool", *asked, *options)
        subprocess.run(command, check=True, capture_output=True)

    def start(self) -> None:
        """Starts all, and returns when both brokers are registered."""
        for node in (*self.controllers, *self.ports):
            self.run(node)
        deadline = time.monotonic() + 240
        while self.registered() != set(self.ports):
            assert time.monotonic() < deadline, "the brokers have not come"
            # One that could not register within a minute has ended; systemd would start it again, too.
            for node in [node for node, process in self.running.items() if process.poll() is not None]:
                self.run(node)
            time.sleep(0.2)
        for port in self.ports.values():
            wait_for_port(port)

    def run(self, node: int) -> None:
        """Starts one of them."""
        with (self.folder / f"{node}.log").open("ab") as log:
            command = java_command(self.home, BROKER_MAIN, self.folder / f"{node}.properties", "128m")
            self.running[node] = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def kill(self, node: int) -> None:
        """Kills one of them."""
        process = self.running.pop(node)
        process.kill()
        process.wait()

    def registered(self) -> set[int]:
        try:
            with KafkaAdminClient(bootstrap_servers=self.servers, bootstrap_timeout_ms=2000) as admin:
                return {broker["broker_id"] for broker in admin.describe_cluster()["brokers"]}
        except KafkaError:
            return set()

    def stop(self) -> None:
        for node in list(self.running):
            self.kill(node)


@pytest.fixture(scope="module")
def kraft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kraft]:
    running = Kraft(distribution(), tmp_path_factory.mktemp("kraft"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_the_leader_of_the_controllers_tells_of_all_and_the_others_do_not_know(kraft: Kraft) -> None:
    told = []
    for server in kraft.controllers.values():
        with Connection("127.0.0.1", int(server.rpartition(":")[2]), 5) as connection:
            told.append(connection.quorum())
    (quorum,) = [each for each in told if each is not None]
    assert set(quorum.voters) == set(kraft.controllers)
    assert quorum.leader in kraft.controllers


def test_the_module_waits_for_the_controllers(kraft: Kraft, run: Run) -> None:
    servers = {str(node): server for node, server in kraft.controllers.items()}
    found = run("kafka_quorum_ready", node_id=1001, servers=servers, who="all")
    assert found["voters"] == [1001, 1002, 1003]
    assert found["mode"] == ("leader" if found["leader"] == 1001 else "follower")
    late = run("kafka_quorum_ready", node_id=1004, servers=servers, timeout=1)
    assert late["failed"]
    assert "controller 1004 is no member of the quorum [1001, 1002, 1003]" in late["msg"]


def test_a_broker_that_lost_its_disk_gives_a_record_back(kraft: Kraft, run: Run) -> None:
    left = {"num_partitions": -1, "replication_factor": -1, "assignments": {0: [2]}}
    with KafkaAdminClient(bootstrap_servers=kraft.servers) as admin:
        admin.create_topics({"__readiness-2": left}, wait_for_metadata=True)
    kraft.empty(2)
    found = run("kafka_ready", host="127.0.0.1", port=kraft.ports[2], broker_id=2)
    assert found.get("msg") is None
    with KafkaAdminClient(bootstrap_servers=kraft.servers) as admin:
        eventually(lambda: "__readiness-2" not in admin.list_topics(), "the probe's topic to be gone", 10)


def test_a_killed_leader_is_replaced_and_missed_until_it_is_back(kraft: Kraft, run: Run) -> None:
    servers = {str(node): server for node, server in kraft.controllers.items()}
    leader = run("kafka_quorum_ready", node_id=1001, servers=servers, who="all")["leader"]
    kraft.kill(leader)
    others = run("kafka_quorum_ready", node_id=leader, servers=servers, who="others", timeout=90)
    assert others["leader"] in set(kraft.controllers) - {leader}
    missed = run("kafka_quorum_ready", node_id=leader, servers=servers, who="all", timeout=3)
    assert f"controller {leader} at {kraft.controllers[leader]} does not answer" in missed["msg"]
    kraft.run(leader)
    back = run("kafka_quorum_ready", node_id=leader, servers=servers, who="all", timeout=120)
    assert (back.get("failed"), back["mode"]) == (None, "follower")


def join(kraft: Kraft, run: Run, node: int, directory: str, **options: Any) -> dict[str, Any]:
    """What a run of kafka_quorum_member says of one controller."""
    servers = {str(node): server for node, server in kraft.controllers.items()}
    names = {"node_id": node, "directory_id": directory, "cluster_id": kraft.cluster_id, "servers": servers}
    return run("kafka_quorum_member", **names, **options)


def test_a_controller_that_lost_its_data_takes_its_place_again(kraft: Kraft, run: Run) -> None:
    servers = {str(node): server for node, server in kraft.controllers.items()}
    leader = run("kafka_quorum_ready", node_id=1001, servers=servers, who="all", timeout=120)["leader"]
    lost, other = sorted(set(kraft.controllers) - {leader})
    directory = kraft.lose(lost)
    seen = run("kafka_quorum_ready", node_id=lost, directory_id=directory, servers=servers, timeout=120)
    assert seen["mode"] == "observer", seen
    assert join(kraft, run, lost, directory, _check=True)["steps"] == ["remove"]

    kraft.kill(other)
    until = time.monotonic() + 90
    while "msg" not in join(kraft, run, lost, directory, _check=True):
        assert time.monotonic() < until, "the leader does not notice who is silent"
        time.sleep(0.2)
    refused = join(kraft, run, lost, directory, timeout=4)
    assert "did not join the quorum within 4 s" in refused["msg"]
    kraft.run(other)

    joined = join(kraft, run, lost, directory, timeout=120)
    assert (joined.get("msg"), joined["steps"]) == (None, ["remove", "add"])
    assert joined["voters"] == [1001, 1002, 1003]
    again = join(kraft, run, lost, directory)
    assert (again["changed"], again["steps"]) == (False, [])
    assert run("kafka_quorum_ready", node_id=lost, directory_id=directory, servers=servers)["mode"] == "follower"

    kraft.kill(leader)  # the quorum lives with what has joined
    others = run("kafka_quorum_ready", node_id=leader, servers=servers, who="others", timeout=90)
    assert others["leader"] in {lost, other}
    kraft.run(leader)
    run("kafka_quorum_ready", node_id=leader, servers=servers, who="all", timeout=120)


def test_controllers_are_added_and_taken_out_again(kraft: Kraft, run: Run) -> None:
    more = (1004, 1005)
    kraft.controllers |= {node: f"127.0.0.1:{free_port()}" for node in more}
    try:
        for node in more:
            joined = join(kraft, run, node, kraft.lose(node), timeout=120)
            assert (joined.get("msg"), joined["steps"]) == (None, ["add"])
        assert joined["voters"] == [1001, 1002, 1003, 1004, 1005]
        for node in more:
            left = join(kraft, run, node, "", state="absent", timeout=120)
            assert (left.get("msg"), left["steps"]) == (None, ["remove"])
        assert left["voters"] == [1001, 1002, 1003]
        assert not join(kraft, run, 1004, "", state="absent")["changed"]
    finally:
        for node in more:
            kraft.kill(node)
            del kraft.controllers[node]


def test_the_cluster_is_told_of_as_the_quorum_knows_it_whichever_broker_is_named_controller(kraft: Kraft) -> None:
    with KafkaAdminClient(bootstrap_servers=kraft.servers) as admin:
        for _ in range(10):
            cluster = kafka_cluster.read(admin)
            assert cluster.controller in kraft.controllers
            assert cluster.ids == {1, 2}
            assert cluster.teller in {1, 2}


def test_no_broker_is_the_controller_that_restarts_last(kraft: Kraft, run: Run) -> None:
    found = run("kafka_cluster_info", bootstrap_servers=kraft.servers)
    assert found["controller"] in kraft.controllers
    assert found["restart_order"] == [1, 2]


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
        found = run("kafka_gate", broker=1, when=when, timeout=90, bootstrap_servers=kraft.servers)
        assert not found.get("failed"), found
        assert found["controller"] in kraft.controllers


def test_the_description_names_the_controller(kraft: Kraft, run: Run) -> None:
    found = run("kafka_description", bootstrap_servers=kraft.servers)
    assert found["cluster_id"] == kraft.cluster_id
    assert found["controller"] in kraft.controllers
