"""The way from ZooKeeper to controllers in the cloud: services and ports of instances change in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.cloud.test_access import instances
from tests.cloud.test_deployments import CLOUD
from tests.support.hostless_cloud import HostlessCloud, hostless_cloud

NAME = "migrates"
UNDER_WAY = "The deployment migrates is on its way from ZooKeeper to controllers"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostlessCloud]:
    """A cloud with a deployment of one instance that carries ZooKeeper."""
    with hostless_cloud(tmp_path_factory.mktemp("migration"), {}, lag_seconds=0.0) as running:
        done = running.play(CLOUD, NAME)
        assert done.returncode == 0, done.stdout
        yield running


def change(cloud: HostlessCloud, before: str, after: str) -> Any:
    """Do what migrate.yml does with the instances."""
    names = {"migrate": "any", "stock_market_metadata": after, "instances_metadata_before": before}
    return cloud.play(CLOUD, NAME, *[word for name, value in names.items() for word in ("-e", f"{name}={value}")])


def carried(cloud: HostlessCloud) -> tuple[list[str], set[str]]:
    """The services of the one instance, and its security groups, as far as they keep metadata."""
    found = cloud.client("ec2").describe_instances(Filters=[{"Name": "tag:Deployment", "Values": [NAME]}])
    (instance,) = [each for group in found["Reservations"] for each in group["Instances"]]
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    keepers = ("zookeeper", "kafka_controller")
    groups = {group["GroupName"].removeprefix(f"{NAME}-") for group in instance["SecurityGroups"]}
    return [each for each in tags["Services"].split() if each in keepers], groups & set(keepers)


def test_the_instances_get_controllers_beside_zookeeper_and_lose_them_on_the_way_back(cloud: HostlessCloud) -> None:
    before = instances(cloud, NAME)["node-1"]
    assert carried(cloud) == (["zookeeper"], {"zookeeper"})
    for _ in range(2):
        done = change(cloud, "zookeeper", "migrating")
        assert done.returncode == 0, done.stdout
        assert carried(cloud) == (["zookeeper", "kafka_controller"], {"zookeeper", "kafka_controller"})
    assert "changed=0 " in done.stdout
    done = change(cloud, "migrating", "zookeeper")
    assert done.returncode == 0, done.stdout
    assert carried(cloud) == (["zookeeper"], {"zookeeper"})
    assert instances(cloud, NAME)["node-1"] == before


def test_while_it_migrates_others_refuse_and_cloud_keeps_it(cloud: HostlessCloud) -> None:
    assert change(cloud, "zookeeper", "migrating").returncode == 0
    kept = cloud.play(CLOUD, NAME)
    assert kept.returncode == 0, kept.stdout
    assert "changed=0 " in kept.stdout
    for playbook in ("site", "kafka", "scale", "replace", "rotate", "upgrade", "restart"):
        refused = cloud.play(CLOUD.with_name(f"{playbook}.yml"), NAME)
        assert refused.returncode != 0
        assert UNDER_WAY in " ".join(refused.stdout.split())
    other = cloud.play(CLOUD, NAME, "-e", "stock_market_metadata=zookeeper")
    assert other.returncode != 0
    assert "and stock_market_metadata is zookeeper: leave it out" in " ".join(other.stdout.split())
    assert carried(cloud)[0] == ["zookeeper", "kafka_controller"]


def test_in_the_end_only_controllers_are_left_and_a_later_run_keeps_them(cloud: HostlessCloud) -> None:
    done = change(cloud, "migrating", "kraft")
    assert done.returncode == 0, done.stdout
    assert carried(cloud) == (["kafka_controller"], {"kafka_controller"})
    again = cloud.play(CLOUD, NAME)
    assert again.returncode == 0, again.stdout
    assert "changed=0 " in again.stdout
