"""Several consumers on a host share the partitions, and the restart of one moves none."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from conftest import changes, eventually, login, play, read_deployment, stream
from kafka import KafkaAdminClient

BROKERS_LOG = "/var/log/kafka/server.log"
GROUP = "stock-consumer"
TWO = ("stock-consumer@1", "stock-consumer@2")


def shares() -> dict[str, set[int]]:
    """The partitions of each member by its client id, as the group's coordinator tells; none during a rebalance."""
    with KafkaAdminClient(**login(read_deployment())) as admin:
        group = admin.describe_groups([GROUP])[GROUP]
    if group["group_state"] != "Stable":
        return {}
    return {
        member["client_id"]: {
            partition
            for topic in member["member_assignment"]["assigned_partitions"]
            for partition in topic["partitions"]
        }
        for member in group["members"]
    }


def complete(count: int) -> dict[str, set[int]]:
    """The shares, once this number of members has all partitions, and each member at least one."""
    found = shares()
    whole = set(range(3)) == set().union(*found.values())
    return found if whole and all(found.values()) and len(found) == count else {}


def assigned(host: Any, unit: str, since: str = "") -> list[list[int]]:
    """The partitions that Kafka gave to a unit, each time that it gave some, since a cursor of the journal."""
    after = f"--after-cursor='{since}'" if since else ""
    lines = host.check_output(f"journalctl --unit={unit} --output=cat --no-pager {after}").splitlines()
    found = [re.search(r"partitions_assigned partitions=([0-9,]*)", line) for line in lines]
    return [sorted(map(int, match.group(1).split(","))) for match in found if match and match.group(1)]


def cursor(host: Any) -> str:
    shown = host.check_output("journalctl --lines=0 --show-cursor --quiet --no-pager")
    return str(shown).rpartition("-- cursor: ")[2].strip()


def watched(host: Any) -> set[str]:
    """The consumers that Prometheus watches, by the label that tells several apart."""
    targets = json.loads(host.check_output("curl -sS --fail http://127.0.0.1:9090/api/v1/targets?state=active"))
    labels = [target["labels"] for target in targets["data"]["activeTargets"]]
    return {each.get("process", "") for each in labels if each["service"] == "stock_consumer"}


@pytest.fixture(scope="module")
def two_processes() -> None:
    play("pipeline.yml", "-e", "stock_consumer_processes=2")


@pytest.fixture
def both(host: Any) -> dict[str, set[int]]:
    """The shares of both once nothing moves any more: who joins gets its own in a second round, from the others."""
    eventually(lambda: all(assigned(host, unit) for unit in TWO), seconds=120, what="two consumers with partitions")
    settled: dict[str, set[int]] = eventually(
        lambda: complete(2), seconds=120, what="all partitions with two consumers"
    )
    return settled


@pytest.mark.usefixtures("two_processes", "both")
def test_two_consumers_share_the_partitions(host: Any) -> None:
    assert all(host.service(unit).is_running and host.service(unit).is_enabled for unit in TWO)
    assert not host.service("stock-consumer").is_running
    eventually(lambda: watched(host) == {"1", "2"}, what="both consumers among Prometheus's targets")
    assert changes(play("pipeline.yml", "-e", "stock_consumer_processes=2")) == []


@pytest.mark.usefixtures("two_processes")
@pytest.mark.parametrize("end", ["systemctl restart {0}", "systemctl kill --signal=KILL {0}"])
def test_a_restart_moves_no_partitions(host: Any, both: dict[str, set[int]], end: str) -> None:
    one, two = TWO
    (now,) = (sorted(share) for client, share in both.items() if client.endswith("-2"))
    since = cursor(host)
    host.run_expect([0], end.format(two))
    back = eventually(lambda: assigned(host, two, since), seconds=180, what=f"{two} with its partitions again")
    assert back == [now]
    assert assigned(host, one, since) == []
    assert eventually(lambda: complete(2), seconds=120, what="all partitions with two consumers") == both
    eventually(lambda: stream().faults() == [], seconds=120, what="a stream without faults")


def test_one_consumer_again_has_all_partitions_at_once(host: Any) -> None:
    before = len(host.file(BROKERS_LOG).content_string)
    play("pipeline.yml")
    assert host.service("stock-consumer").is_running
    assert not any(host.service(unit).is_enabled for unit in TWO)
    assert host.run("ls /etc/systemd/system/stock-consumer@.service /etc/stock-market/consumer-1.toml").rc != 0
    eventually(lambda: complete(1), seconds=120, what="one member with all partitions")
    # Nobody waited for the end of the session of the one that has left.
    told = host.file(BROKERS_LOG).content_string[before:]
    assert f"rebalance group {GROUP} " in told
    assert "on heartbeat expiration" not in told
    eventually(lambda: watched(host) == {""}, what="one consumer among Prometheus's targets")
    # A killed consumer is an alert for a minute: test_6_monitoring.py begins by asking for the status.
