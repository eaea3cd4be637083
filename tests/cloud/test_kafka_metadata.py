"""`stock_market_metadata: kraft`: what cloud.yml makes of it, that it lasts, and that another one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.cloud.test_access import instances
from tests.cloud.test_deployments import CLOUD, TEARDOWN, resources
from tests.support.hostless_cloud import HostlessCloud, hostless_cloud

NAME = "controllers"
KRAFT = ("-e", "stock_market_metadata=kraft")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostlessCloud]:
    """A cloud with a deployment of one instance that carries a controller."""
    with hostless_cloud(tmp_path_factory.mktemp("metadata"), {}, lag_seconds=0.0) as running:
        done = running.play(CLOUD, NAME, *KRAFT)
        assert done.returncode == 0, done.stdout
        yield running


def groups(cloud: HostlessCloud) -> dict[str, dict[str, Any]]:
    """The deployment's security groups by their names, without its own."""
    filters = [{"Name": "tag:Deployment", "Values": [NAME]}]
    found = cloud.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return {group["GroupName"].removeprefix(f"{NAME}-"): group for group in found}


def test_the_one_variable_puts_a_controller_in_zookeepers_place(cloud: HostlessCloud) -> None:
    services = instances(cloud, NAME)["node-1"]["own"]["Services"].split()
    assert services[:2] == ["kafka_controller", "kafka"]
    assert "zookeeper" not in services


def test_brokers_and_controllers_alone_reach_the_controllers(cloud: HostlessCloud) -> None:
    found = groups(cloud)
    assert set(found) == {"instances", "kafka", "kafka_controller", "monitoring"}
    names = {group["GroupId"]: name for name, group in found.items()}
    admitted = {
        (rule["FromPort"], names[pair["GroupId"]])
        for rule in found["kafka_controller"]["IpPermissions"]
        for pair in rule["UserIdGroupPairs"]
    }
    assert admitted == {(9094, "kafka"), (9094, "kafka_controller"), (9406, "monitoring")}
    assert not [rule for rule in found["kafka_controller"]["IpPermissions"] if rule["IpRanges"]]
    everywhere = {rule["FromPort"] for group in found.values() for rule in group["IpPermissions"]}
    assert not everywhere & {2181, 2182, 2888, 3888, 9405}


def test_a_later_run_need_not_repeat_the_choice(cloud: HostlessCloud) -> None:
    again = cloud.play(CLOUD, NAME)
    assert again.returncode == 0, again.stdout
    assert "changed=0 " in again.stdout


def test_neither_need_one_that_starts_stopped_instances(cloud: HostlessCloud) -> None:
    before = instances(cloud, NAME)["node-1"]["InstanceId"]
    cloud.client("ec2").stop_instances(InstanceIds=[before])
    assert instances(cloud, NAME) == {}
    started = cloud.play(CLOUD, NAME)
    assert started.returncode == 0, started.stdout
    assert instances(cloud, NAME)["node-1"]["InstanceId"] == before


def test_another_choice_is_refused_and_changes_nothing(cloud: HostlessCloud) -> None:
    before = instances(cloud, NAME)
    refused = cloud.play(CLOUD, NAME, "-e", "stock_market_metadata=zookeeper")
    assert refused.returncode != 0
    assert (
        "The deployment was made with stock_market_metadata kraft (its instance node-1 carries kafka_controller), and"
        in (" ".join(refused.stdout.split()))
    )
    assert instances(cloud, NAME) == before
    assert "zookeeper" not in groups(cloud)


def test_the_teardown_leaves_nothing(cloud: HostlessCloud) -> None:
    done = cloud.play(TEARDOWN, NAME, "-e", "teardown_confirm=true", "-e", "purge_data=true")
    assert done.returncode == 0, done.stdout
    assert resources(cloud, NAME) == []
