"""Promises of the modules that ask for a cluster's features and raise them, on a broker that is its own controller."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_features
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import Connection
from plugins.modules import kafka_software_info
from tests.kafka.conftest import Run
from tests.support.stock_market.broker import Broker, distribution, format_directory

OLD = {"metadata.version": 21, "kraft.version": 1}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One that begins with the features of Kafka 3.9."""
    folder = tmp_path_factory.mktemp("features")
    running = Broker(distribution(), folder, kraft=True)
    format_directory(distribution(), folder / "server.properties", release="3.9")
    running.start()
    yield running
    running.stop()


def levels(broker: Broker) -> dict[str, int]:
    """The levels in use, as the broker says."""
    with Connection("127.0.0.1", broker.port, 5) as connection:
        return {name: level for name, level in kafka_features.finalized(connection).items() if level}


@pytest.mark.parametrize(
    ("found", "release"),
    [
        ({"metadata.version": 21}, "3.9"),
        ({"metadata.version": 23}, "4.0"),
        ({"metadata.version": 30, "group.version": 1}, "4.3"),
        ({"metadata.version": 99}, ""),
        ({}, ""),
    ],
)
def test_the_release_is_the_oldest_that_knows_the_levels(found: dict[str, int], release: str) -> None:
    assert kafka_features.release_of(found) == release


def test_a_broker_and_a_controller_tell_the_release_whose_features_are_in_use(broker: Broker) -> None:
    assert levels(broker) == OLD
    nobody, controller = "127.0.0.1:1", f"127.0.0.1:{broker.zookeeper_port}"
    assert kafka_software_info.features([nobody, controller], None, None) == "3.9"
    assert kafka_software_info.features([nobody], None, None) == ""


def test_what_is_in_use_already_is_no_change(broker: Broker, run: Run) -> None:
    same = run("kafka_features", release="3.9", bootstrap_servers=[broker.address])
    assert not same["changed"]
    assert levels(broker) == OLD


def test_a_release_that_is_not_known_is_refused(broker: Broker, run: Run) -> None:
    refused = run("kafka_features", release="9.9", bootstrap_servers=[broker.address])
    assert refused["msg"].startswith("The features of Kafka 9.9 are not known here: 3.9, 4.0")


def test_features_that_the_software_does_not_know_are_refused_in_a_sentence(broker: Broker, run: Run) -> None:
    refused = run("kafka_features", release="4.3", bootstrap_servers=[broker.address], timeout=20)
    assert refused["failed"]
    assert refused["msg"].startswith("The controllers refuse the features of Kafka 4.3, and nothing was changed: ")
    assert any(name in refused["msg"] for name in kafka_features.RELEASES["4.3"])
    assert levels(broker) == OLD
