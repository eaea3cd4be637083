"""A day in the life of a cluster under 5,000 records/s: nothing is lost, nothing doubled, and writes pause shortly."""

from __future__ import annotations

import json
import time

from conftest import eventually, facts, host, make, play, told, well
from pauses import Pauses

BROKERS = ("kafka-1", "kafka-2", "kafka-3")
MOST_AT_A_KILL, MOST_AT_A_RESTART = 12.0, 2.0


def controller() -> str:
    """The name of the instance whose broker controls."""
    found = json.loads(make("status", "FORMAT=json").stdout)["parts"]["kafka"]["value"]["controller"]
    return next(each["name"] for each in facts()["instances"] if each["id"] == found)


def kill(name: str, unit: str) -> None:
    host(name).run_expect([0], f"systemctl kill --signal=KILL {unit}")


def test_a_rolling_restart_pauses_nobody(pauses: Pauses) -> None:
    before = {name: host(name).check_output("systemctl show -p MainPID --value kafka") for name in BROKERS}
    printed = play("restart.yml")
    after = {name: host(name).check_output("systemctl show -p MainPID --value kafka") for name in BROKERS}
    assert all(before[name] != after[name] for name in BROKERS)
    assert "failed=0" in printed
    assert told(pauses, "rolling restart") <= MOST_AT_A_RESTART


def test_a_killed_broker_is_stood_in_for(pauses: Pauses) -> None:
    kill(next(name for name in BROKERS if name != controller()), "kafka")
    eventually(well, 120, "the killed broker back in sync")
    assert told(pauses, "a broker killed with -9") <= MOST_AT_A_KILL


def test_a_killed_controller_is_stood_in_for(pauses: Pauses) -> None:
    kill(controller(), "kafka")
    eventually(well, 120, "the killed controller back in sync")
    assert told(pauses, "the controller killed with -9") <= MOST_AT_A_KILL


def test_zookeepers_leader_is_stood_in_for(pauses: Pauses) -> None:
    leader = next(
        name for name in BROKERS if host(name).run("grep -q LEADING /var/log/zookeeper/zookeeper.log").rc == 0
    )
    kill(leader, "zookeeper")
    time.sleep(20)
    assert told(pauses, "ZooKeeper's leader killed with -9") <= MOST_AT_A_KILL
