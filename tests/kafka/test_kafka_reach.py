"""A broker in a private subnet that the operator's machine does not reach ends the run at once, with what to do."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.support import playbook

TASK = {"ansible.builtin.include_role": {"name": "kafka", "tasks_from": "reach"}}
PLAYS = [{"hosts": "kafka", "gather_facts": False, "tasks": [TASK]}]


def reach(folder: Path, port: int) -> playbook.Run:
    """Look for a broker at a port of this machine."""
    variables = {"kafka_external_address": "127.0.0.1", "kafka_external_port": port, "__kafka_reach_seconds": 1}
    hosts = playbook.local_inventory({}, kafka={"kafka-1": {"ansible_connection": "local"}})
    return playbook.run(
        folder, PLAYS, hosts, *(word for item in variables.items() for word in ("-e", "=".join(map(str, item))))
    )


def test_a_broker_that_listens_is_reached_and_one_behind_a_missing_way_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        assert reach(tmp_path, port).code == 0
    lost = reach(tmp_path, port)
    assert lost.code == 2
    said = " ".join(lost.output.split())
    assert (
        f"The broker of kafka-1 runs, but this machine does not reach it at 127.0.0.1:{port}, an address of its" in said
    )
    assert "give this machine a way into the VPC (a VPN, or a peered VPC)" in said
