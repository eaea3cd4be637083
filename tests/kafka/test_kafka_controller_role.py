"""Promises of the role kafka_controller's properties: they follow the deployment's options, also without security."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import playbook

from stock_market_ops.common.deployment import ROOT

ROLE = ROOT / "roles" / "kafka_controller"
COMMON = yaml.safe_load((ROOT / "inventory" / "common.yml").read_text(encoding="utf-8"))
SHARED = ("kafka_controller_broker_session_timeout_ms", "kafka_controller_broker_count")
# Each of the deployment's hosts, and what is set for it; the controllers are on hosts of their own.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({"stock_market_secure": False}, {}),
    "secure": ({"stock_market_secure": True}, {"kafka_zookeeper_session_timeout_ms": 9000}),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The properties of each case's controller."""
    folder = tmp_path_factory.mktemp("controllers")
    found = {}
    for name, (everywhere, broker) in CASES.items():
        inventory = playbook.local_inventory(
            {**{key: COMMON[key] for key in SHARED}, **everywhere, "stock_market_private_address": "10.0.0.1"},
            kafka={"kafka-1": broker},
            kafka_controller={"localhost": {"stock_market_broker_id": 7}},
        )
        files = [str(path) for path in sorted((ROLE / "vars").rglob("*.yml"))]
        role = {"vars_files": files, "hosts": "kafka_controller", "gather_facts": False}
        task = {"src": str(ROLE / "templates" / "controller.properties.j2"), "dest": str(folder / f"{name}.properties")}
        defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
        inventory["all"]["vars"] = defaults | inventory["all"]["vars"]
        done = playbook.run(folder / name, [{**role, "tasks": [{"ansible.builtin.template": task}]}], inventory)
        assert done.code == 0, done.output
        lines = Path(task["dest"]).read_text(encoding="utf-8").splitlines()
        found[name] = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    return found


def test_a_silent_broker_is_missed_after_the_time_that_is_set_for_brokers(written: dict[str, dict[str, str]]) -> None:
    times = {name: properties["broker.session.timeout.ms"] for name, properties in written.items()}
    assert times == {"plain": "6000", "secure": "9000"}


def test_a_plain_deployments_controllers_ask_for_no_certificate(written: dict[str, dict[str, str]]) -> None:
    secure, plain = written["secure"], written["plain"]
    assert plain["listener.security.protocol.map"] == "CONTROLLER:PLAINTEXT"
    assert not [name for name in plain if name.startswith(("ssl.", "super.", "authorizer"))]
    assert secure["listener.security.protocol.map"] == "CONTROLLER:SSL"
    assert {"ssl.client.auth", "super.users", "authorizer.class.name"} <= set(secure)
    assert (plain["node.id"], plain["controller.quorum.bootstrap.servers"]) == ("1007", "10.0.0.1:9094")
