"""Promises of leaders and reassignments on three real brokers."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from tests.kafka.cluster import Brokers
from tests.kafka.conftest import Run

MEGABYTES = 8  # at the throttle's pace no move ends while a busy machine looks at both


def replicas(brokers: Brokers, topic: str) -> list[list[int]]:
    with brokers.admin() as admin:
        (found,) = admin.describe_topics([topic])
    return [each["replica_nodes"] for each in sorted(found["partitions"], key=lambda each: each["partition_index"])]


def fill(brokers: Brokers, topic: str, partitions: int) -> None:
    """Writes some megabytes to each partition."""
    producer = KafkaProducer(bootstrap_servers=brokers.servers, acks="all")
    for number in range(partitions):
        for _ in range(MEGABYTES * 2):
            producer.send(topic, bytes(500_000), partition=number)
    producer.flush()
    producer.close()


def throttles(brokers: Brokers, topic: str) -> set[str]:
    """What of a throttle is set on the topic and on the brokers."""
    asked = [ConfigResource(ConfigResourceType.BROKER, str(broker)) for broker in brokers.ports]
    deadline = time.monotonic() + 90
    found: dict[str, Any] = {}
    # A broker that has just started does not know the topic yet, and has nothing to tell of it.
    while "min.insync.replicas" not in found.get("topic", {}).get(topic, {}):
        assert time.monotonic() < deadline, found
        with brokers.admin() as admin:
            found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic), *asked])
    return {
        f"{kind} {name}"
        for kind, resources in found.items()
        for options in resources.values()
        for name, option in options.items()
        if "throttled" in name and option["value"]
    }


@pytest.fixture
def spread(brokers: Brokers, run: Run) -> Any:
    """Runs the module without its action: one step."""

    def step(*to: int, _check: bool = False, **options: Any) -> dict[str, Any]:
        common = {"bootstrap_servers": brokers.servers, "brokers": list(to), "timeout": 90}
        return run("kafka_reassignment", _check=_check, **common, **options)

    return step


def until_done(step: Any, *to: int, **options: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while not (result := step(*to, **options)).get("done"):
        assert "failed" not in result, result
        assert time.monotonic() < deadline, result
        time.sleep(0.5)
    assert isinstance(result, dict)
    return result


def test_leaders_go_back_to_the_preferred_replicas(brokers: Brokers, run: Run) -> None:
    brokers.topic("led", [[2, 1, 3], [2, 3, 1], [1, 2, 3]])
    where = {"bootstrap_servers": brokers.servers, "timeout": 90}
    brokers.stop(2)
    brokers.start(2)
    brokers.wait()
    run("kafka_gate", broker=2, when="after", **where)
    info = run("kafka_cluster_info", **where)
    assert {"led-0", "led-1"} <= set(info["not_preferred"])
    assert info["restart_order"][-1] == info["controller"]
    assert next(each for each in info["loads"] if each["id"] == 2)["leaders"] == 0
    assert run("kafka_leaders", topics=["led"], _check=True, **where)["changed"]
    elected = run("kafka_leaders", topics=["led"], **where)
    assert (elected["changed"], elected["elected"]) == (True, ["led-0", "led-1"])
    assert elected["diff"]["after"] == "led-0: 2\nled-1: 2\n"
    assert not run("kafka_leaders", topics=["led"], **where)["changed"]


def test_partitions_are_spread_throttled_resumed_and_left_alone_the_second_time(
    brokers: Brokers, run: Run, spread: Any
) -> None:
    brokers.topic("moved", [[1, 2]] * 3, min_insync_replicas=1)
    fill(brokers, "moved", 3)
    asked: dict[str, Any] = {"topics": ["moved"], "throttle": 1_000_000}

    looked = spread(1, 2, 3, _check=True, **asked)
    assert (looked["changed"], looked["moves"]) == (True, 2)
    assert replicas(brokers, "moved") == [[1, 2]] * 3
    assert not throttles(brokers, "moved")

    began = spread(1, 2, 3, **asked)
    assert (began["changed"], began["done"]) == (True, False)
    assert began["diff"] == looked["diff"]
    assert began["bytes_left"] > 0
    assert "2 partitions are being moved" in began["progress"]
    # Nothing that would hold a follower back once it is in sync.
    limits = {"topic leader.replication.throttled.replicas", "broker leader.replication.throttled.rate"}
    assert throttles(brokers, "moved") == limits
    info = run("kafka_cluster_info", bootstrap_servers=brokers.servers)
    assert [each["adding"] for each in info["reassignments"]] == [[3], [3]]

    resumed = spread(1, 2, 3, **asked)
    assert (resumed["changed"], resumed["moves"]) == (False, 0)
    until_done(spread, 1, 2, 3, **asked)
    assert Counter(broker for each in replicas(brokers, "moved") for broker in each) == {1: 2, 2: 2, 3: 2}
    assert {each[0] for each in replicas(brokers, "moved")} == {1, 2, 3}
    assert not throttles(brokers, "moved")

    again = spread(1, 2, 3, **asked)
    assert (again["changed"], again["done"], again["moves"]) == (False, True, 0)


def test_a_broker_is_drained_and_its_readiness_topic_goes(brokers: Brokers, spread: Any) -> None:
    brokers.topic("wide", [[1, 2, 3]])
    too_many = spread(1, 2)
    assert "needs 3 brokers for its replicas, and there are 2" in too_many["msg"]
    brokers.topic("drained", [[3, 1], [2, 3]], min_insync_replicas=1)
    with brokers.admin() as admin:
        admin.delete_topics(["wide"])
    brokers.topic("__readiness-3", [[3]])

    result = until_done(spread, 1, 2)
    assert result["remaining"] == []
    assert all(set(each) == {1, 2} for each in replicas(brokers, "drained"))
    with brokers.admin() as admin:
        assert "__readiness-3" not in admin.list_topics()
    again = spread(1, 2)
    assert (again["changed"], again["remaining"]) == (False, [])


def test_the_partitions_that_a_broker_still_has_are_reported(brokers: Brokers, spread: Any) -> None:
    brokers.topic("kept", [[3], [1]], min_insync_replicas=1)
    brokers.topic("left", [[3]], min_insync_replicas=1)
    assert spread(1, 2, _check=True, topics=["kept"])["remaining"] == [{"id": 3, "partitions": 2}]
    assert until_done(spread, 1, 2, topics=["kept"])["remaining"] == [{"id": 3, "partitions": 1}]


def test_replicas_are_added_and_never_more_than_there_are_brokers(brokers: Brokers, spread: Any) -> None:
    brokers.topic("raised", [[1], [2]], min_insync_replicas=1)
    refused = spread(1, 2, 3, topics=["raised"], replication_factor=4)
    assert "raised-0 needs 4 brokers for its replicas, and there are 3" in refused["msg"]
    until_done(spread, 1, 2, 3, topics=["raised"], replication_factor=3)
    assert [set(each) for each in replicas(brokers, "raised")] == [{1, 2, 3}] * 2


def test_unknown_topics_and_brokers_are_refused_with_a_sentence(spread: Any) -> None:
    assert spread(1, 2, 3, topics=["nothing"])["msg"] == "There is no topic nothing."
    assert "Broker 7 can't be given partitions, since it is not registered" in spread(1, 7)["msg"]
