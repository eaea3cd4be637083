"""`stock_market_metadata: kraft`: what cloud.yml makes of it, that it lasts, and that another one is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cloud.test_access import instances
from tests.cloud.test_deployments import CLOUD, TEARDOWN, resources
from tests.support.hostless_cloud import HostlessCloud, hostless_cloud

NAME = "controllers"
REPLACE, SCALE = (CLOUD.with_name(name) for name in ("replace.yml", "scale.yml"))
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


def controllers(*names: str) -> str:
    """Extra variables that declare instances with a controller and a broker each."""
    nodes = [
        {
            "name": name,
            "id": number,
            "type": "t3.small",
            "zone": "us-east-1a",
            "services": ["kafka_controller", "kafka"],
        }
        for number, name in enumerate(names, start=1)
    ]
    return json.dumps({"stock_market_instances": nodes})


@pytest.mark.parametrize("names", [["node-1", "node-2"], ["node-2"]], ids=["an even number", "one that is not named"])
def test_scale_refuses_what_leaves_no_quorum_and_changes_nothing(cloud: HostlessCloud, names: list[str]) -> None:
    before = instances(cloud, NAME)
    refused = cloud.play(SCALE, NAME, "-e", controllers(*names))
    assert refused.returncode != 0
    assert (
        f"stock_market_instances gives kafka_controller to {', '.join(names)}, and the controllers are node-1: declare "
        "an odd number, and name those that are to leave (make scale REMOVE=kafka-4,kafka-5). Nothing was changed."
    ) in " ".join(refused.stdout.split())
    assert instances(cloud, NAME) == before


def test_the_only_controller_is_not_replaced(cloud: HostlessCloud) -> None:
    before = instances(cloud, NAME)
    refused = cloud.play(REPLACE, NAME, "-e", "instance=node-1", "-e", "replace_running=true")
    assert refused.returncode != 0
    assert (
        "node-1 carries kafka_controller, and without it no controller of node-1 would work, which are not more than "
        "half: nothing was changed."
    ) in " ".join(refused.stdout.split())
    assert instances(cloud, NAME) == before


def test_the_teardown_leaves_nothing(cloud: HostlessCloud) -> None:
    done = cloud.play(TEARDOWN, NAME, "-e", "teardown_confirm=true", "-e", "purge_data=true")
    assert done.returncode == 0, done.stdout
    assert resources(cloud, NAME) == []
