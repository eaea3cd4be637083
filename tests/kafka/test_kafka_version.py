"""Promises of the role kafka: the versions of all brokers decide to which version one may change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.playbook import Run, local_inventory, run

# Of each broker: the version that its unit names, and its server.properties.
BROKERS = {
    "kafka-1": ("3.9.2", "inter.broker.protocol.version=3.8\n"),
    "kafka-2": ("3.8.1", "broker.id=2\n"),
    "kafka-3": ("", ""),
}
VERSION: dict[str, Any] = {
    "ansible.builtin.include_role": {"name": "kafka", "tasks_from": "version"},
    "vars": {
        "kafka_config_dir": "{{ folder }}",
        "__kafka_unit_file": "{{ folder }}/unit",
        "__kafka_started_properties": "{{ folder }}/started.properties",
    },
}
SAY: dict[str, Any] = {
    "ansible.builtin.debug": {"msg": "{{ inventory_hostname }} is to speak {{ kafka_result_change.protocol }}"}
}


def broker(folder: Path, version: str, properties: str) -> dict[str, Any]:
    """A host, which is this machine with files of its own."""
    folder.mkdir()
    if version:
        (folder / "unit").write_text(f"ExecStart=/opt/kafka_2.13-{version}/bin/kafka-server-start.sh\n")
        (folder / "server.properties").write_text(properties)
    this = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    return this | {"folder": str(folder)}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What the role answers three brokers: for the step `software`, and then in any other playbook."""
    folder = tmp_path_factory.mktemp("version")
    hosts = {name: broker(folder / name, *state) for name, state in BROKERS.items()}
    plays = [
        {"hosts": "kafka", "gather_facts": False, "vars": {"kafka_upgrade_step": step}, "tasks": [VERSION, SAY]}
        for step in ("software", "")
    ]
    return run(folder / "play", plays, local_inventory({"kafka_version": "3.9.2"}, kafka=hosts))


def test_all_keep_the_newest_protocol_that_any_of_them_speaks(asked: Run) -> None:
    for name in BROKERS:
        assert asked.output.count(f"{name} is to speak 3.8") == 1


def test_no_other_playbook_continues_with_two_versions(asked: Run) -> None:
    said = " ".join(asked.output.split())
    assert asked.code == 2, said
    assert (
        "kafka-1 runs Kafka 3.9.2, kafka-2 runs Kafka 3.8.1, and kafka_version is 3.9.2: an upgrade was broken" in said
    )


def test_controllers_lead_to_kafka_4_where_zookeeper_does_not(tmp_path: Path) -> None:
    hosts = {"kafka-1": broker(tmp_path / "kafka-1", "3.9.2", "process.roles=broker\n")}
    said = {}
    for metadata in ("kraft", "zookeeper"):
        known = {"kafka_version": "4.3.1", "kafka_metadata": metadata, "kafka_secure": False}
        plays = [{"hosts": "kafka", "gather_facts": False, "tasks": [VERSION]}]
        done = run(tmp_path / metadata, plays, local_inventory(known, kafka=hosts))
        assert done.code == 2, done.output
        said[metadata] = " ".join(done.output.split())
    assert "kafka-1 runs Kafka 3.9.2, and kafka_version is 4.3.1: say make upgrade STEP=software" in said["kraft"]
    assert (
        "kafka_version is 4.3.1, which has no ZooKeeper, and the cluster keeps its metadata there" in said["zookeeper"]
    )
