"""Promises of `make status` about a migration: the stage is what hosts run, and no host's silence invents one."""

from __future__ import annotations

import pytest

from stock_market_ops.status.probe_migration import parse

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
