"""Promises of kafka_controller_handover: another broker controls, and nothing else changes."""

from __future__ import annotations

import importlib
import json
from functools import partial
from typing import Any

import pytest
from tests.kafka.cluster import Brokers
from tests.kafka.conftest import Run
from tests.support.stock_market.broker import Broker
from tests.support.stock_market.services import eventually


def is_controller(brokers: Brokers, *wanted: int) -> bool:
    """Whether one of these controls, as the brokers tell."""
    return controller(brokers) in wanted


def controller(brokers: Brokers) -> int:
    """The broker that controls, as the brokers tell."""
    with brokers.admin() as admin:
        found: int = admin.describe_cluster()["controller_id"]
    return found


def test_whichever_broker_controls_another_one_takes_its_place(brokers: Brokers, run: Run) -> None:
    brokers.topic("wanted", [[1, 2, 3]])
    options = {"zookeeper": f"127.0.0.1:{brokers.zookeeper_port}"}
    for _ in range(5):
        eventually(partial(is_controller, brokers, *brokers.ports), "a controller")
        before = controller(brokers)
        asked = run("kafka_controller_handover", **options, broker=before, _check=True)
        assert (asked["changed"], asked["controller"]) == (True, before)
        done = run("kafka_controller_handover", **options, broker=before)
        assert done["changed"]
        assert done["controller"] in brokers.ports.keys() - {before}
        eventually(partial(is_controller, brokers, done["controller"]), "the brokers know the new controller")
        again = run("kafka_controller_handover", **options, broker=before)
        assert (again["changed"], again["controller"]) == (False, done["controller"])
    assert brokers.registered() == set(brokers.ports)


def test_the_only_broker_has_nobody_to_hand_over_to(kafka: Broker, run: Run) -> None:
    failed = run("kafka_controller_handover", zookeeper=f"127.0.0.1:{kafka.zookeeper_port}", broker=1, timeout=1)
    assert failed["msg"] == "No other broker could be had to control instead of 1: none took its place within 1 s"


class Nodes:
    """A ZooKeeper that has `/controller` and refuses every change."""

    def __init__(self, **document: Any) -> None:
        self._document = document

    def read(self, path: str) -> bytes:
        assert path == "/controller"
        return json.dumps(self._document).encode()


@pytest.mark.parametrize("other", [{"brokerid": 2}, {"brokerid": 1001, "kraftControllerEpoch": 7}])
def test_another_controller_is_left_alone(other: dict[str, int]) -> None:
    module = importlib.import_module("plugins.modules.kafka_controller_handover")
    assert module.hand_over(Nodes(**other), 1, 5.0) == (False, other["brokerid"])
