"""Promises of the gate: a broker stops only if the cluster can lose it, and is back when the gate says so."""

from __future__ import annotations

import importlib
import threading
import time
from typing import Any

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_cluster import Cluster, Node, Partition
from tests.kafka.cluster import Brokers
from tests.kafka.conftest import Run
from tests.support.stock_market.broker import Broker, free_port


@pytest.fixture
def gate() -> Any:
    return importlib.import_module("plugins.modules.kafka_gate")


def cluster(*partitions: Partition, alive: tuple[int, ...] = (1, 2, 3)) -> Cluster:
    return Cluster(tuple(Node(broker, f"10.0.0.{broker}", 9092) for broker in alive), alive[0], partitions)


def partition(isr: str, replicas: str = "123", *, min_insync: int = 2, leader: int = 0, topic: str = "t") -> Partition:
    in_sync = tuple(map(int, isr))
    return Partition(topic, 0, leader or in_sync[0], tuple(map(int, replicas)), in_sync, min_insync)


def test_a_broker_may_be_stopped_where_every_partition_can_do_without_it(gate: Any) -> None:
    for broker in (1, 2, 3):
        assert gate.before(cluster(partition("123"), partition("23", "23", min_insync=1)), broker, []).opens


@pytest.mark.parametrize(
    ("isr", "replicas", "min_insync"),
    [("1", "1", 1), ("12", "12", 2), ("123", "123", 3), ("12", "123", 3)],
)
def test_a_topic_that_can_do_without_none_of_its_replicas_needs_a_word(
    gate: Any, isr: str, replicas: str, min_insync: int
) -> None:
    state = cluster(partition(isr, replicas, min_insync=min_insync, topic="single"))
    verdict = gate.before(state, 1, [])
    assert (verdict.opens, verdict.final) == (False, True)
    assert f"single-0 ({len(replicas)} replicas, {min_insync} needed)" in verdict.words
    assert "accept_outage: single" in verdict.words
    assert gate.before(state, 1, ["single"]).opens
    assert gate.before(state, 1, ["*"]).opens
    assert not gate.before(state, 1, ["another"]).opens


def test_another_brokers_single_replica_is_not_this_ones_business(gate: Any) -> None:
    assert gate.before(cluster(partition("2", "2", min_insync=1)), 1, []).opens


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (partition("13", leader=-1), "nobody leads t-0"),
        (partition("12"), "not in sync on other brokers t-0 (in sync [1, 2] of [1, 2, 3])"),
        (partition("2", "23", min_insync=1), "not in sync on other brokers t-0"),
        (partition("12", min_insync=2), "less than min.insync.replicas without it t-0"),
    ],
)
def test_what_may_pass_by_itself_is_waited_for(gate: Any, state: Partition, words: str) -> None:
    verdict = gate.before(cluster(state), 1, [])
    assert (verdict.opens, verdict.final) == (False, False)
    assert words in verdict.words


def test_a_broker_that_lags_itself_may_be_restarted(gate: Any) -> None:
    assert gate.before(cluster(partition("23")), 1, []).opens


def test_a_broker_that_is_down_may_be_started_whatever_else_is_wrong(gate: Any) -> None:
    assert gate.before(cluster(partition("2", "123", leader=-1), alive=(2, 3)), 1, []).opens


def test_the_only_broker_passes_but_the_last_one_of_several_does_not(gate: Any) -> None:
    assert gate.before(cluster(partition("1", "1", min_insync=1), alive=(1,)), 1, []).opens
    assert not gate.before(cluster(partition("1", "12", min_insync=1), alive=(1,)), 1, []).opens


def test_not_more_than_five_partitions_are_named(gate: Any) -> None:
    state = [Partition("many", number, 1, (1, 2, 3), (1, 2), 1) for number in range(25)]
    words = gate.before(cluster(*state), 1, []).words
    assert words.count("many-") == 5
    assert "and 20 more" in words


def test_who_is_not_in_sync_is_named_and_what_to_do(gate: Any) -> None:
    down = gate.before(cluster(partition("13"), alive=(1, 3)), 1, []).words
    assert down.endswith(" Not registered: broker 2; make up starts what does not run.")
    assert gate.before(cluster(partition("1")), 1, []).words.endswith(" Not in sync yet: broker 2, 3.")
    assert gate.after(cluster(partition("13")), 1, []).words.endswith(" Not in sync yet: broker 2.")


def test_a_broker_is_back_when_it_is_registered_and_all_are_in_sync(gate: Any) -> None:
    assert gate.after(cluster(partition("123")), 1, []).opens
    assert not gate.after(cluster(partition("23")), 1, []).opens
    assert not gate.after(cluster(partition("12")), 1, []).opens
    assert not gate.after(cluster(partition("23", "23"), alive=(2, 3)), 1, []).opens


def test_an_accepted_outage_does_not_spare_the_broker_from_bringing_its_replicas_back(gate: Any) -> None:
    def opens(state: Partition) -> bool:
        return bool(gate.after(cluster(state), 1, ["t"]).opens)

    assert opens(partition("2", "2", leader=-1))
    assert opens(partition("1", "12"))
    assert not opens(partition("1", "1", leader=-1))
    assert not opens(partition("2", "12"))


def options(brokers: Brokers, broker: int, when: str, **more: Any) -> dict[str, Any]:
    return {"bootstrap_servers": brokers.servers, "broker": broker, "when": when, "timeout": 120, **more}


def test_a_rolling_restart_passes_gate_after_gate(brokers: Brokers, run: Run) -> None:
    brokers.topic("gated", [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    ready = run("kafka_gate", **options(brokers, 2, "before", _check=True))
    assert ready["msg"] == "Broker 2 may be stopped."
    assert (ready["alive"], ready["outage"], ready["changed"], ready["offline"]) == (True, False, False, [])
    assert [(each["id"], each["rack"]) for each in ready["brokers"]] == [(1, "a"), (2, "b"), (3, "c")]
    assert ready["controller"] in {1, 2, 3}

    brokers.stop(2)
    hasty = run("kafka_gate", **options(brokers, 1, "before", timeout=1))
    assert hasty["failed"]
    assert "Broker 1 must not be stopped: not in sync on other brokers" in hasty["msg"]
    assert {"gated-0", "gated-1", "gated-2"} <= set(hasty["under_replicated"])
    down = run("kafka_gate", **options(brokers, 2, "before", timeout=1))
    assert (down["alive"], down.get("failed", False)) == (False, False)
    absent = run("kafka_gate", **options(brokers, 2, "after", timeout=1))
    assert "Broker 2 is not registered; the cluster has [1, 3]" in absent["msg"]

    brokers.start(2)
    back = run("kafka_gate", **options(brokers, 2, "after"))
    assert back["msg"] == "Broker 2 is back, and every replica in sync."
    assert (back["alive"], back["under_replicated"]) == (True, [])


def test_brokers_that_advertise_an_outdated_address_are_asked_at_their_current_one(brokers: Brokers, run: Run) -> None:
    brokers.topic("elsewhere", [[1, 2, 3], [2, 3, 1]])
    ready = run("kafka_gate", **options(brokers, 2, "before") | brokers.moved)
    assert ready["msg"] == "Broker 2 may be stopped."
    assert {each["host"] for each in ready["brokers"]} == set(brokers.moved["moved"])
    lost = run("kafka_gate", **options(brokers, 2, "before", timeout=1) | brokers.moved | {"moved": {}})
    assert "The cluster could not be asked how it is" in lost["msg"]


def test_a_topic_of_one_replica_is_named_and_needs_the_word(brokers: Brokers, run: Run) -> None:
    brokers.topic("lonely", [[3]], min_insync_replicas=1)
    refused = run("kafka_gate", **options(brokers, 3, "before"))
    assert "lonely-0 (1 replicas, 1 needed)" in refused["msg"]
    assert "failed" not in run("kafka_gate", **options(brokers, 3, "before", accept_outage=["lonely"]))
    assert "failed" not in run("kafka_gate", **options(brokers, 1, "before"))


def test_the_only_broker_says_that_its_restart_is_an_outage(kafka: Broker, run: Run) -> None:
    result = run("kafka_gate", bootstrap_servers=[kafka.address], broker=1, when="before")
    assert (result["outage"], result["alive"]) == (True, True)
    assert "nobody can write or read" in result["msg"]


def test_hosts_that_refuse_are_down_and_a_silent_one_is_not_taken_for_it(run: Run) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    refused = run("kafka_gate", bootstrap_servers=[nobody], broker=1, when="before", timeout=1)
    assert (refused["alive"], refused.get("failed", False)) == (False, False)
    silent = run("kafka_gate", bootstrap_servers=[nobody, "nowhere.invalid:9092"], broker=1, when="before", timeout=1)
    assert silent["failed"]
    assert "The cluster could not be asked how it is" in silent["msg"]


def test_a_gate_that_waits_opens_by_itself(brokers: Brokers, run: Run) -> None:
    brokers.topic("awaited", [[1, 2, 3]])
    brokers.stop(3)
    starter = threading.Timer(2.0, brokers.start, [3])
    starter.start()
    began = time.monotonic()
    result = run("kafka_gate", **options(brokers, 1, "before"))
    starter.join()
    assert result["msg"] == "Broker 1 may be stopped."
    assert time.monotonic() - began > 2
