"""Promises of the filters kafka_migration and kafka_migration_gaps: hosts tell the stage, and steps keep order."""

from __future__ import annotations

from typing import Any

import pytest
from plugins.filter.kafka_migration import STEPS, kafka_migration, kafka_migration_gaps
from plugins.modules.kafka_migration_info import broker_mode, controller_mode

BOTH = {
    "kafka": ["kafka-1", "kafka-2"],
    "zookeeper": ["kafka-1", "kafka-2"],
    "kafka_controller": ["kafka-1", "kafka-2"],
}
BEFORE = {**BOTH, "kafka_controller": []}
AFTER = {**BOTH, "zookeeper": []}
COPIED = {"copied": True}


def host(broker: str = "zookeeper", controller: str = "", **other: Any) -> dict[str, Any]:
    """What kafka_migration_info finds on a host whose broker, and controller if it has one, run."""
    there = bool(controller)
    return {
        "broker": broker,
        "broker_active": True,
        "controller": controller,
        "controller_active": there,
        "controller_enabled": there,
        "controller_formatted": there,
        "controller_started": there,
        "free_mb": 5000,
        "memory_mb": 900,
        "controller_epoch": 4,
        "active": {"brokerid": 1},
        "migration": {},
        "copied": False,
        "failure": "",
        **other,
    }


def pair(*hosts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    both = [*hosts, *hosts][:2]
    return {"kafka-1": both[0], "kafka-2": both[1]}


# Each stage when its step has ended, from the first to the last.
STAGES = {
    "zookeeper": (pair(host()), BEFORE),
    "controllers": (pair(host("zookeeper", "migrating")), BOTH),
    "brokers": (pair(host("dual_write", "migrating", **COPIED)), BOTH),
    "kraft": (pair(host("kraft", "migrating", **COPIED)), BOTH),
    "finalize": (pair(host("kraft", "kraft", **COPIED)), BOTH),
    "finished": (pair(host("kraft", "kraft")), AFTER),
}


@pytest.mark.parametrize("stage", STAGES)
def test_the_stage_is_what_the_hosts_run(stage: str) -> None:
    found = kafka_migration(*STAGES[stage])
    assert (found["stage"], found["obstacle"]) == (stage, "")
    assert found["words"].endswith(".")


@pytest.mark.parametrize("stage", list(STAGES)[:4])
@pytest.mark.parametrize("step", STEPS)
def test_a_step_comes_after_the_one_before_and_is_not_taken_twice(stage: str, step: str) -> None:
    begun, wanted = list(STAGES).index(stage), STEPS.index(step) + 1
    found = kafka_migration(*STAGES[stage], step)
    if wanted < begun:
        assert found["obstacle"].startswith(f"STEP={step} is done. ")
    elif wanted > begun + 1:
        assert found["obstacle"].startswith(f"STEP={step} comes after STEP={STEPS[begun]}. ")
    else:
        assert found["obstacle"] == ""


@pytest.mark.parametrize(
    ("hosts", "stage", "gap"),
    [
        (pair(host("zookeeper", "migrating"), host()), "controllers", "kafka-2 has no running controller"),
        (
            pair(host("dual_write", "migrating"), host("zookeeper", "migrating")),
            "brokers",
            "kafka-2 does not write to both yet",
        ),
        (
            pair(host("dual_write", "migrating")),
            "brokers",
            "the controllers have not copied ZooKeeper's metadata yet",
        ),
        (
            pair(host("kraft", "migrating", **COPIED), host("dual_write", "migrating", **COPIED)),
            "kraft",
            "kafka-2 uses ZooKeeper still",
        ),
    ],
)
def test_a_step_that_was_broken_off_goes_on_and_the_next_one_waits(hosts: Any, stage: str, gap: str) -> None:
    following = STEPS[STEPS.index(stage) + 1]
    assert kafka_migration(hosts, BOTH, stage)["obstacle"] == ""
    assert kafka_migration(hosts, BOTH, "rollback")["obstacle"] == ""
    refused = kafka_migration(hosts, BOTH, following)["obstacle"]
    assert refused.startswith(f"STEP={following} comes after STEP={stage}. STEP={stage} was broken off: {gap}.")


@pytest.mark.parametrize(("stage", "following"), [("brokers", "kraft"), ("kraft", "finalize")])
def test_a_controller_that_stands_still_is_started_by_the_next_step(stage: str, following: str) -> None:
    hosts, groups = STAGES[stage]
    stopped = {**hosts, "kafka-2": {**hosts["kafka-2"], "controller_active": False}}
    for step in (stage, following):
        assert kafka_migration(stopped, groups, step)["obstacle"] == ""


def test_there_is_no_way_back_once_a_controller_has_left_zookeeper() -> None:
    half = pair(host("kraft", "migrating", **COPIED), host("kraft", "kraft", **COPIED))
    assert kafka_migration(half, BOTH, "finalize")["obstacle"] == ""
    assert "no way back" in kafka_migration(half, BOTH, "rollback")["obstacle"]
    assert "no ZooKeeper to leave" in kafka_migration(*STAGES["finished"], "rollback")["obstacle"]
    assert kafka_migration(*STAGES["finished"], "finalize")["obstacle"] == ""


@pytest.mark.parametrize("step", STEPS)
def test_a_rollback_that_was_broken_off_has_to_be_finished_first(step: str) -> None:
    stopped = host("dual_write", "migrating", controller_active=False, controller_enabled=False)
    found = kafka_migration(pair(stopped), BOTH, step)
    assert found["obstacle"] == "A rollback was broken off. Finish it by make migrate STEP=rollback."
    assert kafka_migration(pair(stopped), BOTH, "rollback")["obstacle"] == ""


def test_an_unknown_step_and_a_host_that_was_not_asked_are_refused() -> None:
    assert kafka_migration(*STAGES["zookeeper"], "begin")["obstacle"].startswith("A migration has no step 'begin'")
    silent = {"kafka-1": host()}
    assert kafka_migration(silent, BEFORE, "controllers")["obstacle"].startswith("How far kafka-2 is is not known")


HEALTHY = {"brokers": [1, 2], "offline": [], "under_replicated": [], "reassignments": []}
DECLARED = {
    "controllers": ["kafka-1"],
    "brokers": 2,
    "versions": {"kafka-1": "3.9.2", "kafka-2": "3.9.2"},
    "protocols": {"kafka-1": "3.9", "kafka-2": "3.9"},
    "overrides": ["num.io.threads"],
    "heap_mb": {"kafka-1": 128},
}


def test_nothing_stands_in_the_way_of_a_healthy_cluster() -> None:
    assert kafka_migration_gaps(pair(host()), HEALTHY, DECLARED) == []


@pytest.mark.parametrize(
    ("hosts", "cluster", "declared", "words"),
    [
        ({}, {}, {"versions": {"kafka-1": "3.8.1", "kafka-2": "3.9.2"}}, "kafka-1 runs Kafka 3.8.1"),
        ({}, {}, {"protocols": {"kafka-1": "3.8", "kafka-2": "3.9"}}, "kafka-1 speaks the protocol 3.8"),
        ({"broker_active": False}, {}, {}, "kafka-1 does not run its broker"),
        ({}, {"brokers": [1]}, {}, "Of 2 brokers only 1 are alive"),
        ({}, {"under_replicated": ["a-0"]}, {}, "There are partitions with a replica out of sync (a-0)"),
        ({}, {"offline": ["a-0"]}, {}, "There are partitions without a leader (a-0)"),
        ({}, {"reassignments": [{}]}, {}, "Partitions are being moved"),
        ({}, {}, {"overrides": ["zookeeper.max.in.flight.requests"]}, "kafka_config_overrides sets zookeeper.max"),
        ({}, {}, {"controllers": []}, "stock_market_instances gives no instance the service kafka_controller"),
        ({"failure": "no route", "controller_epoch": -1}, {}, {}, "ZooKeeper tells nothing of the cluster (no route)"),
        ({"migration": {"version": 0}}, {}, {}, "ZooKeeper still has /migration of an earlier try"),
        ({"controller_formatted": True}, {}, {}, "kafka-1 still has a controller's files of an earlier try"),
        ({"free_mb": 1000}, {}, {}, "kafka-1 has 1000 MiB free, and a controller needs 1024"),
        ({"memory_mb": 227}, {}, {}, "kafka-1 has 227 MB of memory left, and a controller needs 228"),
    ],
)
def test_what_stands_in_the_way_is_said(hosts: Any, cluster: Any, declared: Any, words: str) -> None:
    found = kafka_migration_gaps(pair(host(**hosts)), {**HEALTHY, **cluster}, {**DECLARED, **declared})
    assert any(each.startswith(words) for each in found), found
    assert all(each.endswith((".", ")")) for each in found)


@pytest.mark.parametrize(
    ("properties", "broker", "controller"),
    [
        ("", "", ""),
        ("broker.id=1\nzookeeper.connect=a:1\n", "zookeeper", "kraft"),
        ("broker.id=1\nzookeeper.connect=a:1\nzookeeper.metadata.migration.enable=true\n", "dual_write", "migrating"),
        ("process.roles=broker\nnode.id=1\n", "kraft", "kraft"),
    ],
)
def test_properties_tell_the_mode(properties: str, broker: str, controller: str) -> None:
    assert (broker_mode(properties), controller_mode(properties)) == (broker, controller)
