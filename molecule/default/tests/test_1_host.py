"""The instance: its services, their users, and its files."""

from __future__ import annotations

import re
from typing import Any

import pytest
import testinfra
from conftest import JAVA, KAFKA_VERSION, KEEPER, KRAFT, RELEASE, Deployment, make, play

SERVICES = {
    KEEPER: KEEPER,
    "kafka": "kafka",
    "stock-producer": "stock-producer",
    "stock-consumer": "stock-consumer",
}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_and_starts_at_boot(host: Any, service: str) -> None:
    assert host.service(service).is_running
    assert host.service(service).is_enabled


@pytest.mark.parametrize(("service", "user"), SERVICES.items())
def test_a_service_has_a_user_of_its_own_without_a_shell(host: Any, service: str, user: str) -> None:
    pid = host.check_output(f"systemctl show --property MainPID --value {service}")
    assert host.process.get(pid=int(pid)).user == user
    assert host.user(user).shell.endswith("nologin")


def test_the_host_has_the_release_that_was_asked_for_and_that_releases_java(host: Any) -> None:
    assert host.system_info.release.split(".")[0] == RELEASE
    assert f'version "{JAVA}.' in host.run("java -version").stderr


@pytest.mark.parametrize("service", [KEEPER, "kafka"])
def test_a_broker_may_open_many_files_and_has_time_to_stop(host: Any, service: str) -> None:
    shown = host.check_output(f"systemctl show --property LimitNOFILE --property TimeoutStopUSec {service}")
    facts = dict(line.split("=", 1) for line in shown.splitlines())
    assert int(facts["LimitNOFILE"]) >= 16384
    assert facts["TimeoutStopUSec"] not in {"1min 30s", "0"}


def test_there_is_nothing_of_the_other_keeper_of_metadata(host: Any) -> None:
    other, certificate = ("zookeeper", "zookeeper") if KRAFT else ("kafka-controller", "controller")
    for path in (f"/etc/{other}", f"/var/lib/{other}", f"/etc/systemd/system/{other}.service"):
        assert not host.file(path).exists, path
    assert not host.user(other).exists
    assert not host.file(f"/etc/kafka/private/{certificate}.pem").exists
    setting = "zookeeper" if KRAFT else "controller.quorum"
    assert setting not in host.file("/etc/kafka/server.properties").content_string
    if not KRAFT:
        return
    quorum = host.check_output(
        "kafka-metadata-quorum.sh --bootstrap-server $(hostname -I | cut -d' ' -f1):9093 describe --status"
    )
    assert re.search(r"^LeaderId:\s+1001$", quorum, re.MULTILINE)
    features = host.check_output("kafka-features.sh --bootstrap-server $(hostname -I | cut -d' ' -f1):9093 describe")
    assert re.search(r"^Feature: kraft.version\s.*FinalizedVersionLevel: 1\s", features, re.MULTILINE)


def test_kafkas_tools_are_on_the_path(host: Any, deployment: Deployment) -> None:
    address = deployment.node["private_address"]
    listed = host.check_output(f"kafka-topics.sh --bootstrap-server {address}:9093 --list")
    assert "stock-quotes" in listed.splitlines()
    assert make("ssh", "COMMAND=kafka-topics.sh --version").stdout.startswith(KAFKA_VERSION)
    assert make("ssh", "COMMAND=true; echo $SSH_CONNECTION $(hostname)").stdout.split()[-1].startswith("ip-")


def test_kafka_is_in_a_versioned_directory_behind_a_link(host: Any) -> None:
    link = host.file("/opt/kafka")
    assert link.is_symlink
    assert link.linked_to == f"/opt/kafka_2.13-{KAFKA_VERSION}"
    assert host.check_output("ls -d /opt/kafka_*") == link.linked_to


def test_the_broker_answers_on_both_its_addresses(host: Any, deployment: Deployment) -> None:
    node = deployment.node
    assert node["private_address"] != node["public_address"]
    for address in (f"{node['private_address']}:9093", f"{node['public_address']}:9092"):
        assert "stock-quotes" in host.check_output(f"kafka-topics.sh --bootstrap-server {address} --list")


def test_only_ssh_and_kafkas_external_port_open_from_outside(deployment: Deployment) -> None:
    outside = testinfra.get_host("local://").addr(deployment.node["public_address"])
    assert outside.port(22).is_reachable
    assert outside.port(9092).is_reachable
    for port in (2181, 2182, 9093, 9094, 2888, 3888):
        assert not outside.port(port).is_reachable, port


def test_the_instance_is_made_as_a_review_wants_it(deployment: Deployment) -> None:
    ec2 = deployment.client("ec2")
    reserved = ec2.describe_instances(InstanceIds=[deployment.node["instance_id"]])
    instance = reserved["Reservations"][0]["Instances"][0]
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    volumes = [device["Ebs"]["VolumeId"] for device in instance["BlockDeviceMappings"]]
    for volume in ec2.describe_volumes(VolumeIds=volumes)["Volumes"]:
        assert volume["Encrypted"]
        assert volume["VolumeType"] == "gp3"
    for group in ec2.describe_security_groups(GroupIds=[g["GroupId"] for g in instance["SecurityGroups"]])[
        "SecurityGroups"
    ]:
        for rule in group["IpPermissions"]:
            assert "0.0.0.0/0" not in [source["CidrIp"] for source in rule["IpRanges"]]


def test_a_plan_of_what_runs_under_the_longest_name_has_nothing_in_its_way(deployment: Deployment) -> None:
    shown = play("plan.yml")["global_custom_stats"]["plan"]
    assert shown["obstacles"] == []
    assert shown["deployment"] == deployment.facts["deployment"]
    assert len(shown["deployment"]) == 24
    assert shown["database_state"] == "own"


def test_the_instance_buys_no_cpu_credits(deployment: Deployment) -> None:
    asked = {"InstanceIds": [deployment.node["instance_id"]]}
    found = deployment.client("ec2").describe_instance_credit_specifications(**asked)["InstanceCreditSpecifications"]
    assert [entry["CpuCredits"] for entry in found] == ["standard"]


def test_what_goes_to_s3_takes_an_endpoint_that_lets_nothing_else_pass(host: Any, deployment: Deployment) -> None:
    ec2 = deployment.client("ec2")
    reserved = ec2.describe_instances(InstanceIds=[deployment.node["instance_id"]])
    subnet = reserved["Reservations"][0]["Instances"][0]["SubnetId"]
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["RouteTables"]
    (endpoint,) = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert endpoint["RouteTableIds"] == [table["RouteTableId"]]
    assert endpoint["VpcEndpointId"] in [route.get("GatewayId") for route in table["Routes"]]
    bucket, key = deployment.facts["data_bucket"], "local-cloud"
    deployment.client("s3").list_objects_v2(Bucket=bucket, MaxKeys=1)
    # The same question with the same keys, asked from the instance.
    ask = (
        "import botocore.session as b, sys; "
        f"b.Session().create_client('s3', 'us-east-1', endpoint_url=sys.argv[1], aws_access_key_id='{key}', "
        f"aws_secret_access_key='{key}').list_objects_v2(Bucket='{bucket}')"
    )
    unit = host.check_output("systemctl show --property ExecStart --value stock-consumer")
    python = unit.partition("path=")[2].split(" ", 1)[0]
    config = host.check_output("cat /etc/stock-market/consumer.env /etc/stock-market/consumer.toml")
    (endpoint_url,) = set(re.findall(r"http://[0-9.]+:4566", config))
    asked = host.run(f'{python} -c "{ask}" {endpoint_url}')
    assert "because no VPC endpoint policy allows the s3:ListBucket action" in asked.stderr
