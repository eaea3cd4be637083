"""Promises of the modules in a migration: three real brokers with ZooKeeper that take orders from a controller."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_cluster
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from tests.kafka.cluster import RACKS, Brokers
from tests.kafka.conftest import Run
from tests.support.stock_market.broker import BROKER_MAIN, distribution, free_port

from stock_market_ops.common import quorum

CONTROLLER = 1001
_MAP = "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,MOVED:PLAINTEXT,CONTROLLER:PLAINTEXT"
_CONTROLLER = """\
process.roles=controller
node.id={id}
listeners=CONTROLLER://127.0.0.1:{port}
log.dirs={folder}/data-{id}
inter.broker.listener.name=PLAINTEXT
zookeeper.connect=127.0.0.1:{zookeeper}
zookeeper.metadata.migration.enable=true
"""
_BOTH = """\
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{port}
"""
_DUAL_WRITE = "zookeeper.metadata.migration.enable=true\ninter.broker.protocol.version=3.9\n"


class Migrating(Brokers):
    """Three brokers, their ZooKeeper and one controller; each broker is taken from one mode to the next."""

    def __init__(self, home: Path, folder: Path) -> None:
        super().__init__(home, folder)
        self.controller_port = free_port()

    def controller(self) -> None:
        """Formats the controller's directory for the brokers' cluster, and starts it."""
        meta = (self._folder / "data-1" / "meta.properties").read_text(encoding="utf-8")
        names = {"id": CONTROLLER, "port": self.controller_port, "zookeeper": self.zookeeper_port}
        text = _CONTROLLER + _BOTH + _MAP + "\n"
        self._write("controller", text.format(**names, folder=self._folder))
        tool = [str(self._home / "bin" / "kafka-storage.sh"), "format", "--standalone"]
        tool += ["--cluster-id", meta.partition("cluster.id=")[2].splitlines()[0]]
        quick = {"KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
        subprocess.run(
            [*tool, "--config", str(self._folder / "controller.properties")],
            env=os.environ | quick | {"LOG_DIR": str(self._folder)},
            check=True,
            capture_output=True,
        )
        self._run("controller", BROKER_MAIN, "128m")

    def turn(self, mode: str, *brokers: int) -> None:
        """Restarts brokers, all at once, in the mode dual_write or kraft."""
        for broker in brokers:
            self.stop(broker)
            path = self._folder / f"broker-{broker}.properties"
            text = re.sub(r"(?m)^listener\.security\.protocol\.map=.*$", _MAP, path.read_text(encoding="utf-8"))
            if mode == "kraft":
                text = re.sub(r"(?m)^(zookeeper\.|inter\.broker\.protocol\.).*\n", "", text)
                text = re.sub(r"(?m)^broker\.id=", "node.id=", re.sub(r"^broker\.id=1\n", "", text))
                text = "process.roles=broker\n" + text
            else:
                text += _DUAL_WRITE + _BOTH.format(port=self.controller_port)
            path.write_text(text, encoding="utf-8")
        self.start(*brokers)
        self.wait(*brokers, seconds=120)

    def write_to_both(self) -> None:
        """Returns when the controller has copied the metadata, and brokers name one at random as the controller."""
        deadline = time.monotonic() + 120
        while True:
            try:
                with self.admin() as admin:
                    found = kafka_cluster.read(admin)
                if found.controller == -1 and found.ids == set(RACKS):
                    return
            except KafkaError:
                pass
            assert time.monotonic() < deadline, "the controller has not copied ZooKeeper's metadata"
            time.sleep(0.3)


@pytest.fixture(scope="module")
def migrating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrating]:
    """In dual write, with the topic `before` from the time before it."""
    running = Migrating(distribution(), tmp_path_factory.mktemp("dual-write"))
    try:
        running.start()
        running.wait(seconds=180)
        running.topic("before", [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
        running.controller()
        running.turn("dual_write", *RACKS)
        running.write_to_both()
        yield running
    finally:
        running.stop_all()


def named(migrating: Migrating) -> set[int]:
    """What Metadata names as the controller."""
    with migrating.admin() as admin:
        return {admin.describe_cluster()["controller_id"] for _ in range(20)}


def changed(migrating: Migrating, run: Run, word: str) -> None:
    """Topics and properties are set, and a second run finds nothing to do."""
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("kafka_topic", {"name": word, "partitions": 2, "replication_factor": 3}),
        ("kafka_broker_config", {"config": {"log.retention.ms": len(word) * 3600000}, "managed": ["log.retention.ms"]}),
    ]
    for expected in (True, False):
        for module, options in wanted:
            done = run(module, bootstrap_servers=migrating.servers, **options)
            assert not done.get("failed"), (module, done)
            assert done["changed"] is expected, (module, done)


def all_pass(migrating: Migrating, run: Run) -> None:
    """The gate opens for each broker, before and after, each time it is asked."""
    for _ in range(4):
        for broker in RACKS:
            for when in ("before", "after"):
                found = run(
                    "kafka_gate", broker=broker, when=when, timeout=30, bootstrap_servers=migrating.servers, polls=1
                )
                assert not found.get("failed"), found


def test_of_several_answers_the_newest_leader_counts_and_what_all_say_is_in_sync() -> None:
    def partition(leader: int, epoch: int, *in_sync: int) -> dict[str, Any]:
        return {"partition_index": 0, "leader_id": leader, "leader_epoch": epoch, "isr_nodes": list(in_sync)}

    old, new, other = partition(3, 4, 1, 2, 3), partition(1, 5, 1, 2), partition(1, 5, 1, 3)
    assert kafka_cluster.agreed([old, new, other]) == [partition(1, 5, 1)]
    assert kafka_cluster.agreed([new, old]) == kafka_cluster.agreed([old, new]) == [new]


def test_in_dual_write_brokers_name_any_of_them_and_no_module_believes_it(migrating: Migrating, run: Run) -> None:
    assert len(named(migrating)) > 1
    for _ in range(5):
        found = run("kafka_cluster_info", bootstrap_servers=migrating.servers)
        assert (found["controller"], found["restart_order"]) == (-1, [1, 2, 3])
        assert {each["partitions"] for each in found["loads"]} == {3}
    assert run("kafka_description", bootstrap_servers=migrating.servers)["controller"] == -1
    with migrating.admin() as admin:
        assert quorum.look(admin) is None


def test_in_dual_write_the_gate_opens_and_changes_are_made(migrating: Migrating, run: Run) -> None:
    all_pass(migrating, run)
    changed(migrating, run, "dual")


def test_in_dual_write_a_broker_that_is_away_is_missed(migrating: Migrating, run: Run) -> None:
    migrating.stop(3)
    try:
        found = run("kafka_gate", broker=1, when="before", timeout=20, bootstrap_servers=migrating.servers)
        assert found["failed"]
        assert "Not registered: broker 3" in found["msg"]
        started = run("kafka_gate", broker=3, when="before", timeout=4, bootstrap_servers=migrating.servers)
        assert not started.get("failed"), started
    finally:
        migrating.start(3)
        migrating.wait(3)
    back = run("kafka_gate", broker=3, when="after", timeout=60, bootstrap_servers=migrating.servers)
    assert not back.get("failed"), back


def test_where_one_broker_is_in_kraft_mode_the_quorum_is_asked_whoever_takes_the_client_in(
    migrating: Migrating, run: Run
) -> None:
    """Runs last: from here on the controllers are known by name."""
    migrating.turn("kraft", 1)
    back = run("kafka_gate", broker=1, when="after", timeout=60, bootstrap_servers=migrating.servers)
    assert not back.get("failed"), back
    for server in migrating.servers:
        with KafkaAdminClient(bootstrap_servers=[server]) as admin:
            found = kafka_cluster.read(admin)
            assert (found.controller, found.teller, found.ids) == (CONTROLLER, 1, set(RACKS))
            assert (quorum.look(admin) or {})["leader_id"] == CONTROLLER
    all_pass(migrating, run)
    changed(migrating, run, "mixed-cluster")
