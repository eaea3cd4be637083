"""Promises of `make status` about a migration: the stage is what hosts run, and no host's silence invents one."""

from __future__ import annotations

import pytest
from tests.stock_market_ops.test_status_rules import DEPLOYMENT, report

from stock_market_ops.status.probe_migration import parse
from stock_market_ops.status.screen import render

BROKER, CONTROLLER = "/run/kafka/server.properties:", "/etc/kafka-controller/controller.properties:"
ZOOKEEPER = f"{BROKER}zookeeper.connect=10.0.0.1:2182\n"
DUAL = f"{ZOOKEEPER}{BROKER}zookeeper.metadata.migration.enable=true\n"
KRAFT = f"{BROKER}process.roles=broker\n"
MIGRATING = f"{CONTROLLER}process.roles=controller\n{CONTROLLER}zookeeper.metadata.migration.enable=true\n"
DONE = f"{CONTROLLER}process.roles=controller\n"


@pytest.mark.parametrize(
    ("outputs", "stage"),
    [
        ({"a": ZOOKEEPER + MIGRATING, "b": ""}, "controllers"),
        ({"a": DUAL + MIGRATING, "b": ZOOKEEPER}, "brokers"),
        ({"a": KRAFT + MIGRATING, "b": DUAL}, "kraft"),
        ({"a": KRAFT + DONE, "b": KRAFT + MIGRATING}, "finalize"),
    ],
)
def test_the_stage_is_the_step_that_was_begun_last(outputs: dict[str, str], stage: str) -> None:
    found = parse(outputs)
    assert found.stage == stage
    assert "b" not in found.brokers or outputs["b"]


def test_the_screen_tells_the_stage_and_how_to_go_on() -> None:
    seen = report(migration=parse({"kafka-1": DUAL + MIGRATING, "kafka-2": ZOOKEEPER + MIGRATING}))
    text = render(DEPLOYMENT, seen, [])
    assert (
        "migration  from ZooKeeper to controllers, step brokers; brokers: kafka-1 dual_write, kafka-2 zookeeper\n"
        in text
    )
    assert "controllers: kafka-1 migrating, kafka-2 migrating\n" in text
    assert "`make migrate STEP=plan` says how to go on\n" in text
    assert "migration" not in render(DEPLOYMENT, report(), [])


def test_the_controller_that_brokers_name_at_random_while_they_write_to_both_is_not_told() -> None:
    unknown = "the controller is not known to the brokers"
    assert unknown in render(DEPLOYMENT, report(migration=parse({"a": DUAL + MIGRATING})), [])
    for told in (report(), report(migration=parse({"a": ZOOKEEPER + MIGRATING}))):
        assert "; controller 1, cluster" in render(DEPLOYMENT, told, [])
