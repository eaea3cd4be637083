"""Faults: the deployment recovers from each by itself or with the next site.yml, without a gap in the stream."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import (
    KEEPER,
    KRAFT,
    Deployment,
    assert_the_stream_goes_on,
    changes,
    eventually,
    make,
    play,
    reached,
    read_deployment,
    site,
    stream,
)


@pytest.fixture
def host(deployment: Deployment) -> Any:
    """The instance over SSH, each command by a connection of its own: a reboot or another address ends them all."""
    return reached(deployment)


@pytest.mark.parametrize("service", ["stock-producer", "stock-consumer", "kafka", KEEPER])
def test_a_killed_service_comes_back_by_itself(host: Any, service: str) -> None:
    def main_pid() -> int:
        return int(host.check_output(f"systemctl show --property MainPID --value {service}"))

    killed = main_pid()
    host.run_expect([0], f"kill -KILL {killed}")
    eventually(
        lambda: main_pid() not in {0, killed} and host.service(service).is_running,
        seconds=90,
        what=f"{service} with a new process",
    )
    assert_the_stream_goes_on()


@pytest.mark.skipif(KRAFT, reason="ZooKeeper's own fault")
def test_zookeeper_starts_again_after_a_full_disk_left_an_empty_log(host: Any) -> None:
    log = "/var/lib/zookeeper/version-2/log.7fffffff"
    host.run_expect([0], f"systemctl stop zookeeper && install -o zookeeper -g zookeeper /dev/null {log}")
    host.run_expect([0], "systemctl start zookeeper")
    eventually(lambda: host.run("ss -Hltn sport = :2182").stdout != "", seconds=180, what="ZooKeeper on its port")
    assert not host.file(log).exists
    assert_the_stream_goes_on()


@pytest.mark.long
def test_check_mode_shows_what_would_start_and_does_not_wait_for_it(host: Any, deployment: Deployment) -> None:
    host.run_expect([0], f"systemctl stop kafka {KEEPER}")
    first = "kafka_controller : Start and enable the controller" if KRAFT else "zookeeper : Start and enable ZooKeeper"
    would_start = [first, "kafka : Start and enable the broker"]
    assert changes(site("--check")) == [(deployment.node["name"], task) for task in would_start]
    host.run_expect([0], f"systemctl start {KEEPER} kafka")
    assert_the_stream_goes_on()


def test_a_rebooted_instance_streams_again_by_itself(host: Any, deployment: Deployment) -> None:
    booted = host.check_output("stat -c %Y /proc/1")
    deployment.client("ec2").reboot_instances(InstanceIds=[deployment.node["instance_id"]])
    eventually(
        lambda: host.run("stat -c %Y /proc/1").stdout.strip() not in {"", booted},
        seconds=90,
        what="the instance after its reboot",
    )
    for service in (KEEPER, "kafka", "stock-producer", "stock-consumer"):
        eventually(lambda name=service: host.service(name).is_running, seconds=120, what=f"{service} after the reboot")
    assert_the_stream_goes_on()


@pytest.mark.long
def test_a_changed_public_address_is_one_changed_file_and_one_restart(deployment: Deployment) -> None:
    ec2 = deployment.client("ec2")
    node = deployment.node
    (old,) = ec2.describe_addresses(PublicIps=[node["public_address"]])["Addresses"]
    tags = [{"ResourceType": "elastic-ip", "Tags": old["Tags"]}]
    new = ec2.allocate_address(Domain="vpc", TagSpecifications=tags)
    ec2.disassociate_address(AssociationId=old["AssociationId"])
    ec2.release_address(AllocationId=old["AllocationId"])
    ec2.associate_address(AllocationId=new["AllocationId"], InstanceId=node["instance_id"])

    # The runs before this one have asked all analyses; here one shows that Athena is still asked.
    run = site("-e", '{"analyses_names": ["freshness"]}')
    changed = [task for name, task in changes(run) if name == node["name"]]
    assert len(changed) == 2, changed
    moved = read_deployment()
    assert moved.node["public_address"] == new["PublicIp"]
    assert new["PublicIp"] in moved.facts["bootstrap_servers"]
    assert_the_stream_goes_on()
    eventually(lambda: make("status").returncode == 0, seconds=180, what="make status with exit code 0")


@pytest.mark.long
def test_a_change_that_needs_no_restart_causes_none(host: Any) -> None:
    def main_pid() -> str:
        return str(host.check_output("systemctl show --property MainPID --value kafka"))

    running = main_pid()
    for arguments in (("-e", "kafka_log_retention_hours=24"), ()):
        changed = changes(play("kafka.yml", *arguments))
        assert [task for _, task in changed] == ["kafka : Set the cluster-wide properties"]
    assert main_pid() == running


def test_at_rest_every_record_that_was_ever_acknowledged_is_there_once(host: Any) -> None:
    host.run_expect([0], "systemctl stop stock-producer")
    try:
        eventually(
            lambda: stream().faults(at_rest=True) == [],
            seconds=180,
            what="a bucket that holds every record once",
        )
    finally:
        host.run_expect([0], "systemctl start stock-producer")
