"""The playbooks of the cloud against a cloud that lags, throttles, drops connections and expires credentials."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.cloud.modules import load
from tests.support.hostless_cloud import HostlessCloud, hostless_cloud

from local_cloud.settings import ACCOUNT_ID, ADMINISTRATOR_SESSION
from stock_market_ops.common.deployment import ROOT

search = load("tagged_resources_info")
CLOUD, TEARDOWN = ROOT / "playbooks" / "cloud.yml", ROOT / "playbooks" / "teardown.yml"
KINDS = {
    *("glue-crawler", "glue-database", "athena-workgroup", "instance", "elastic-ip", "volume", "security-group"),
    *(
        "subnet",
        "route-table",
        "internet-gateway",
        "vpc-endpoint",
        "vpc",
        "key-pair",
        "instance-profile",
        "role",
        "bucket",
    ),
}
# Each action's sixth request is throttled and its seventh loses its connection: one right after the other.
FAULTS = {"throttle_every": 6, "drop_every": 7}
LAG_SECONDS = 6


def resources(cloud: HostlessCloud, deployment: str) -> list[dict[str, Any]]:
    """All that carries a deployment's tags."""
    tags = {"Project": "stock-market-kafka", "Deployment": deployment}
    buckets = [f"{deployment}-data-{ACCOUNT_ID}", f"{deployment}-athena-results-{ACCOUNT_ID}"]
    found: list[dict[str, Any]] = search.find(cloud.client, tags, f"{deployment}-", buckets)
    return found


def details(cloud: HostlessCloud, deployment: str) -> dict[str, Any]:
    """What the services themselves tell of each of a deployment's resources, with rules, policies and tables."""
    ec2, iam, s3, glue = (cloud.client(service) for service in ("ec2", "iam", "s3", "glue"))
    found = resources(cloud, deployment)
    named = {kind: [resource["id"] for resource in found if resource["kind"] == kind] for kind in KINDS}
    told: dict[str, Any] = {"resources": found}
    tagged = [{"Name": "tag:Deployment", "Values": [deployment]}]
    told["instances"] = ec2.describe_instances(InstanceIds=named["instance"])["Reservations"]
    for kind, (operation, key, _) in search.EC2_KINDS.items():
        told[kind] = getattr(ec2, operation)(Filters=tagged)[key]
    told["rules"] = ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": named["security-group"]}]
    )["SecurityGroupRules"]
    for role in named["role"]:
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        told[role] = [iam.get_role(RoleName=role)["Role"]]
        told[role] += [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    for bucket in named["bucket"]:
        told[bucket] = [s3.get_bucket_policy(Bucket=bucket)["Policy"], s3.get_bucket_tagging(Bucket=bucket)["TagSet"]]
    for database in named["glue-database"]:
        told[database] = glue.get_tables(DatabaseName=database)["TableList"]
    for crawler in named["glue-crawler"]:
        told[crawler] = glue.get_crawler(Name=crawler)["Crawler"]
    for workgroup in named["athena-workgroup"]:
        told[workgroup] = cloud.client("athena").get_work_group(WorkGroup=workgroup)["WorkGroup"]
    plain: dict[str, Any] = json.loads(json.dumps(told, default=str, sort_keys=True))
    return plain


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostlessCloud]:
    """A cloud that throttles and loses connections, with two deployments; one's name is how the other's begins."""
    with hostless_cloud(tmp_path_factory.mktemp("faulty"), FAULTS, lag_seconds=LAG_SECONDS) as cloud:
        with ThreadPoolExecutor() as pool:
            for done in pool.map(lambda name: cloud.play(CLOUD, name), ("lab", "lab-b")):
                assert done.returncode == 0, done.stdout
        yield cloud


def test_a_teardown_among_faults_removes_one_deployment_and_changes_nothing_of_another(faulty: HostlessCloud) -> None:
    time.sleep(LAG_SECONDS)  # until the lists show what was made last
    before = details(faulty, "lab-b")
    assert {resource["kind"] for resource in before["resources"]} == KINDS
    assert {resource["kind"] for resource in resources(faulty, "lab")} == KINDS
    done = faulty.play(TEARDOWN, "lab", "-e", "teardown_confirm=true", "-e", "purge_data=true")
    assert done.returncode == 0, done.stdout
    # EC2 went on to refuse the groups of instances that were gone, and the teardown to ask.
    assert "RETRYING: [localhost]: Remove the security groups" in done.stdout
    assert resources(faulty, "lab") == []
    assert details(faulty, "lab-b") == before


def test_a_network_that_stays_in_use_ends_the_teardown_with_the_name_of_what_uses_it(faulty: HostlessCloud) -> None:
    ec2 = faulty.client("ec2")
    subnet = next(resource["id"] for resource in resources(faulty, "lab-b") if resource["kind"] == "subnet")
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, InstanceType="t3.small", MinCount=1, MaxCount=1, SubnetId=subnet)
    interface = instance["Instances"][0]["NetworkInterfaces"][0]["NetworkInterfaceId"]
    options = ("-e", "teardown_confirm=true", "-e", "purge_data=true", "-e", "teardown_network_timeout=15")
    done = faulty.play(TEARDOWN, "lab-b", *options)
    assert done.returncode == 2, done.stdout
    said = " ".join(done.stdout.split())
    assert "The network could not be removed: Failed to delete subnet: An error occurred" in said
    assert f"These network interfaces still use it, 15 s after the instances are gone: {interface}" in said
    left = {resource["kind"] for resource in resources(faulty, "lab-b")}
    assert left >= {"subnet", "vpc", "role", "bucket"}
    assert left.isdisjoint({"instance", "elastic-ip", "security-group"})


def test_a_run_whose_credentials_expire_says_what_to_do_and_the_next_run_continues_with_the_right_addresses(
    tmp_path: Path,
) -> None:
    show = tmp_path / "show.yml"
    address = "ADDRESS {{ hostvars['node-1'].ansible_host }} {{ hostvars['node-1'].stock_market_public_address }}"
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": address}}]}
    show.write_text(json.dumps([{"ansible.builtin.import_playbook": str(CLOUD)}, play]))
    with hostless_cloud(tmp_path, {"expire_after": 100}, lag_seconds=300, unknown_seconds=1) as cloud:
        done = cloud.play(CLOUD, "lab", key=ADMINISTRATOR_SESSION)
        assert done.returncode == 2, done.stdout
        assert done.stdout.count("The AWS credentials have expired: get new ones") == 1
        begun = {resource["kind"] for resource in resources(cloud, "lab")}
        assert "vpc" in begun
        assert "athena-workgroup" not in begun
        # As a run leaves it that ends between making a bucket and tagging it.
        cloud.client("s3").create_bucket(Bucket=f"lab-athena-results-{ACCOUNT_ID}")
        done = cloud.play(show, "lab")
        assert done.returncode == 0, done.stdout
        found = resources(cloud, "lab")
        assert {resource["kind"] for resource in found} == KINDS
        assert len({resource["name"] for resource in found if resource["kind"] == "instance"}) == 1
        # DescribeInstances, which the inventory asks, still tells the address from before the Elastic IP.
        elastic = next(resource["address"] for resource in found if resource["kind"] == "elastic-ip")
        listed = next(resource["address"] for resource in found if resource["kind"] == "instance")
        assert listed not in {"", elastic}
        assert f"ADDRESS {elastic} {elastic}" in done.stdout
