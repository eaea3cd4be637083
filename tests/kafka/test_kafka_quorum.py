"""Promises of the filter kafka_quorum: a new cluster begins once, and data are never mixed or formatted over."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from plugins.filter.kafka_quorum import controller_id, kafka_quorum

SERVERS = {1003: "10.0.0.3:9094", 1001: "10.0.0.1:9094", 1002: "10.0.0.2:9094"}
CLUSTER = "AAAAAAAAAAAAAAAAAAAAAQ"


def found(cluster: str = "", *, started: bool = False, zookeeper: bool = False) -> dict[str, Any]:
    """What kafka_storage finds: nothing, or the data of a cluster."""
    return {"formatted": bool(cluster), "cluster_id": cluster, "started": started, "zookeeper": zookeeper}


def hosts(*storage: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"kafka-{number}": each for number, each in enumerate(storage, start=1)}


EMPTY = hosts(found(), found(), found())


def test_a_new_cluster_begins_with_all_controllers() -> None:
    decided = kafka_quorum(EMPTY, EMPTY, SERVERS)
    assert decided["obstacle"] == ""
    assert len(base64.urlsafe_b64decode(decided["cluster_id"] + "==")) == 16
    parts = [each.partition("@") for each in decided["initial_controllers"]]
    assert [part[0] for part in parts] == ["1001", "1002", "1003"]
    assert [part[2].rsplit(":", 1)[0] for part in parts] == [SERVERS[1001], SERVERS[1002], SERVERS[1003]]
    directories = {part[2].rsplit(":", 1)[1] for part in parts}
    assert len(directories) == 3
    assert {len(base64.urlsafe_b64decode(each + "==")) for each in directories} == {16}


def test_another_cluster_has_another_id_and_other_directories() -> None:
    one, other = (kafka_quorum(EMPTY, EMPTY, SERVERS) for _ in range(2))
    assert one["cluster_id"] != other["cluster_id"]
    assert not set(one["initial_controllers"]) & set(other["initial_controllers"])


def test_a_format_that_was_broken_off_goes_on_with_the_same_quorum() -> None:
    first = kafka_quorum(EMPTY, EMPTY, SERVERS)
    half = hosts(found(first["cluster_id"]), found(), found())
    assert kafka_quorum(half, EMPTY, SERVERS) == first


def test_a_running_cluster_keeps_its_id() -> None:
    running = hosts(*[found(CLUSTER, started=True)] * 3)
    decided = kafka_quorum(running, running, SERVERS)
    assert (decided["obstacle"], decided["cluster_id"]) == ("", CLUSTER)


def test_a_controller_without_data_joins_a_quorum_that_has_begun_and_begins_none() -> None:
    lost = hosts(found(CLUSTER, started=True), found(), found(CLUSTER, started=True))
    decided = kafka_quorum(lost, EMPTY, SERVERS)
    assert (decided["obstacle"], decided["cluster_id"], decided["joins"]) == ("", CLUSTER, True)
    assert not kafka_quorum(EMPTY, EMPTY, SERVERS)["joins"]
    assert not kafka_quorum(hosts(found(CLUSTER), found(), found()), EMPTY, SERVERS)["joins"]


def test_no_id_is_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([b"\xf8" * 16, b"\x01" * 16])  # the first is written with a hyphen at its beginning
    monkeypatch.setattr("plugins.filter.kafka_quorum.uuid.uuid4", lambda: type("Id", (), {"bytes": next(values)}))
    assert not kafka_quorum(EMPTY, EMPTY, SERVERS)["cluster_id"].startswith("-")


@pytest.mark.parametrize(
    ("controllers", "brokers", "words"),
    [
        pytest.param(hosts({}, found(), found()), EMPTY, "What data kafka-1 have is not known", id="with --limit"),
        pytest.param(
            hosts(found(CLUSTER), found("BBBBBBBBBBBBBBBBBBBBBQ"), found()),
            EMPTY,
            "The data belong to different clusters, AAAAAAAAAAAAAAAAAAAAAQ and BBBBBBBBBBBBBBBBBBBBBQ",
            id="two clusters",
        ),
        pytest.param(
            EMPTY,
            hosts(found(CLUSTER), found(), found()),
            f"The brokers' data belong to the cluster {CLUSTER}, and no controller has that cluster's metadata",
            id="controllers that lost everything",
        ),
        pytest.param(
            EMPTY,
            hosts(found(), found(zookeeper=True), found()),
            "The data of kafka-2 are of brokers that keep their metadata in ZooKeeper: set stock_market_metadata to",
            id="a broker of ZooKeeper's",
        ),
    ],
)
def test_what_would_mix_or_lose_data_is_refused(
    controllers: dict[str, dict[str, Any]], brokers: dict[str, dict[str, Any]], words: str
) -> None:
    assert kafka_quorum(controllers, brokers, SERVERS)["obstacle"].startswith(words)


def test_no_controller_has_a_brokers_id() -> None:
    assert not {controller_id(broker) for broker in range(1, 256)} & set(range(1, 256))


def test_controllers_of_a_migration_take_up_the_id_of_the_brokers_cluster() -> None:
    old = hosts(*[found(CLUSTER, zookeeper=True) | {"formatted": False}] * 3)
    assert "keep their metadata in ZooKeeper" in kafka_quorum(EMPTY, old, SERVERS)["obstacle"]
    decided = kafka_quorum(EMPTY, old, SERVERS, migrating=True)
    assert (decided["obstacle"], decided["cluster_id"]) == ("", CLUSTER)
    assert "nothing to migrate" in kafka_quorum(EMPTY, EMPTY, SERVERS, migrating=True)["obstacle"]
