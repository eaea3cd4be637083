"""A local cloud with real hosts, from start to end and over its own crash. Needs root and podman, as it does itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from mypy_boto3_ec2 import EC2Client
from mypy_boto3_ec2.type_defs import InstanceTypeDef

from local_cloud import supervisor
from local_cloud.hosts import host as hosts
from local_cloud.settings import Settings

BLOCK = 253
SCRIPTS = Path(supervisor.__file__).resolve().parent.parent
# The session ends before the host does, so that its end is no matter of luck.
LATER = "nohup sh -c 'sleep 1.5; sudo systemctl {}' >/dev/null 2>&1 &"
POLICY = {"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}


class Cloud:
    """A local cloud of the test's own, and a person with a key."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.settings = settings
        self.key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)

    def command(self, name: str) -> dict[str, Any]:
        """Run the program as the role does."""
        options = [f"--deployment={self.settings.deployment}", f"--block={BLOCK}"]
        options.append(f"--state-dir={self.settings.state_dir}")
        result = subprocess.run(
            [sys.executable, "-m", "local_cloud", name, *options],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        )
        assert result.returncode == 0, result.stderr
        report: dict[str, Any] = json.loads(result.stdout)
        return report

    def client(self, service: str) -> Any:
        make: Callable[..., Any] = boto3.client
        return make(
            service,
            endpoint_url=self.settings.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="local-cloud",
            aws_secret_access_key="local-cloud",
        )

    def ssh(self, address: str, command: str) -> str:
        """Run a command as admin; tries for some seconds, since a host that runs has yet to boot."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        options += ["-o", "ConnectTimeout=3", "-i", str(self.key)]
        end = time.monotonic() + 180
        while True:
            result = subprocess.run(
                ["ssh", *options, f"admin@{address}", command], capture_output=True, text=True, check=False
            )
            if result.returncode != 255 or time.monotonic() > end:
                assert result.returncode == 0, result.stderr
                return result.stdout.strip()
            time.sleep(0.2)

    def metadata(self, address: str, path: str) -> str:
        """What instance metadata tells a host."""
        url = f"http://{self.settings.gateway_address}:1338/latest"
        header = "X-aws-ec2-metadata-token"
        token = f"$(curl -sf -X PUT -H '{header}-ttl-seconds: 60' {url}/api/token)"
        return self.ssh(address, f'curl -sf -H "{header}: {token}" {url}/meta-data/{path}')


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Two hosts' worth of a running local cloud; whatever the tests leave, it is gone in the end."""
    directory = tmp_path_factory.mktemp("cloud")
    cloud = Cloud(Settings("lifecycle-test", BLOCK, directory / "lifecycle-test"), directory)
    assert cloud.command("start")["changed"]
    yield cloud
    cloud.command("stop")
    assert hosts.leftovers(cloud.settings, whole_block=True) == []
    assert not Path(f"/sys/class/net/{cloud.settings.bridge}").exists()


@pytest.fixture(scope="module")
def ec2(cloud: Cloud) -> EC2Client:
    client: EC2Client = cloud.client("ec2")
    return client


def describe(ec2: EC2Client, instance_id: str) -> InstanceTypeDef:
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def wait_for(ec2: EC2Client, instance_id: str, state: str) -> InstanceTypeDef:
    end = time.monotonic() + 120
    while (found := describe(ec2, instance_id))["State"]["Name"] != state:
        assert time.monotonic() < end, f"{instance_id} is still {found['State']['Name']}, not {state}"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def launch(cloud: Cloud, ec2: EC2Client) -> Callable[[], str]:
    """Launches an instance into a subnet of its own VPC, with key, role and a group that admits this machine's SSH."""
    iam = cloud.client("iam")
    iam.create_role(RoleName="node", AssumeRolePolicyDocument=json.dumps(POLICY))
    iam.create_instance_profile(InstanceProfileName="node")
    iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
    ec2.import_key_pair(KeyName="key", PublicKeyMaterial=Path(f"{cloud.key}.pub").read_bytes())
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    group = ec2.create_security_group(GroupName="ssh", Description="SSH", VpcId=vpc)["GroupId"]
    cidr = f"{cloud.settings.gateway_address}/32"
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": cidr}]}],
    )
    images = ec2.describe_images(
        Owners=["136693071363"], Filters=[{"Name": "name", "Values": ["debian-12-amd64-20??????-????"]}]
    )["Images"]
    assert len(images) == 1

    def run() -> str:
        launched = ec2.run_instances(
            ImageId=images[0]["ImageId"],
            InstanceType="t3.micro",
            KeyName="key",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            SecurityGroupIds=[group],
            IamInstanceProfile={"Name": "node"},
        )["Instances"][0]
        assert launched["State"]["Name"] == "pending"
        return launched["InstanceId"]

    return run


@pytest.fixture(scope="module")
def instance_id(ec2: EC2Client, launch: Callable[[], str]) -> str:
    identifier = launch()
    wait_for(ec2, identifier, "running")
    return identifier


def test_a_second_start_changes_nothing(cloud: Cloud) -> None:
    report = cloud.command("start")
    assert (report["changed"], report["running"]) == (False, True)
    assert cloud.command("status")["pid"] == report["pid"]


def test_an_instance_is_a_host_with_both_addresses_of_its_own_and_its_types_memory(
    cloud: Cloud, ec2: EC2Client, instance_id: str
) -> None:
    found = describe(ec2, instance_id)
    private, public = found["PrivateIpAddress"], found["PublicIpAddress"]
    assert private.startswith("10.20.1.")
    assert public.startswith(f"198.18.{BLOCK}.")
    assert cloud.ssh(public, "sudo id -un") == "root"
    interfaces = json.loads(cloud.ssh(public, "ip -json address show eth0"))[0]["addr_info"]
    assert {interface["local"] for interface in interfaces} == {private, public}
    total = int(cloud.ssh(public, "awk '/MemTotal/ {print $2}' /proc/meminfo"))
    assert 950 * 1024 < total < 1024 * 1024


def test_instance_metadata_gives_the_roles_credentials_and_the_api_knows_them(
    cloud: Cloud, ec2: EC2Client, instance_id: str
) -> None:
    public = describe(ec2, instance_id)["PublicIpAddress"]
    assert cloud.metadata(public, "instance-id") == instance_id
    credentials = json.loads(cloud.metadata(public, "iam/security-credentials/node"))
    make: Callable[..., Any] = boto3.client
    sts = make(
        "sts",
        endpoint_url=cloud.settings.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["Token"],
    )
    assert sts.get_caller_identity()["Arn"].endswith(f":assumed-role/node/{instance_id}")


def test_the_same_client_token_launches_once(ec2: EC2Client, instance_id: str) -> None:
    found = describe(ec2, instance_id)
    wanted: dict[str, Any] = {
        "ImageId": found["ImageId"],
        "InstanceType": "t3.micro",
        "SubnetId": found["SubnetId"],
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": "once",
    }
    first, second = (ec2.run_instances(**wanted)["Instances"][0]["InstanceId"] for _ in range(2))
    assert first == second
    with pytest.raises(ec2.exceptions.ClientError, match="IdempotentParameterMismatch"):
        ec2.run_instances(**{**wanted, "InstanceType": "t3.small"})
    ec2.terminate_instances(InstanceIds=[first])
    wait_for(ec2, first, "terminated")


def test_files_outlive_a_stop_and_the_public_address_does_not(cloud: Cloud, ec2: EC2Client, instance_id: str) -> None:
    before = describe(ec2, instance_id)
    identity = cloud.ssh(before["PublicIpAddress"], "echo kept > note; cat /etc/ssh/ssh_host_ed25519_key.pub; sync")
    ec2.stop_instances(InstanceIds=[instance_id])
    assert "PublicIpAddress" not in wait_for(ec2, instance_id, "stopped")
    ec2.start_instances(InstanceIds=[instance_id])
    after = wait_for(ec2, instance_id, "running")
    assert after["PrivateIpAddress"] == before["PrivateIpAddress"]
    assert after["PublicIpAddress"] != before["PublicIpAddress"]
    assert cloud.ssh(after["PublicIpAddress"], "cat note; cat /etc/ssh/ssh_host_ed25519_key.pub") == f"kept\n{identity}"


def test_a_guests_reboot_restarts_it_and_its_poweroff_stops_it(cloud: Cloud, ec2: EC2Client, instance_id: str) -> None:
    address = describe(ec2, instance_id)["PublicIpAddress"]
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = cloud.ssh(address, boot)
    cloud.ssh(address, LATER.format("reboot"))
    end = time.monotonic() + 180
    while (after := cloud.ssh(address, boot)) == before:
        assert time.monotonic() < end
    assert after != before
    cloud.ssh(address, LATER.format("poweroff"))
    stopped = wait_for(ec2, instance_id, "stopped")
    assert stopped["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    ec2.start_instances(InstanceIds=[instance_id])
    wait_for(ec2, instance_id, "running")


def test_an_elastic_ip_moves_between_running_hosts_and_groups_admit_their_members(
    cloud: Cloud, ec2: EC2Client, instance_id: str, launch: Callable[[], str]
) -> None:
    other = launch()
    peer = wait_for(ec2, other, "running")
    elastic = ec2.allocate_address(Domain="vpc")
    names = []
    for owner in (instance_id, other):
        ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=owner, AllowReassociation=True)
        names.append(cloud.ssh(elastic["PublicIp"], "hostname"))
    private = [describe(ec2, owner)["PrivateIpAddress"] for owner in (instance_id, other)]
    assert names == [f"ip-{address.replace('.', '-')}" for address in private]
    end = time.monotonic() + 60  # DescribeInstances is behind
    while describe(ec2, instance_id)["PublicIpAddress"] == elastic["PublicIp"]:
        assert time.monotonic() < end

    knock = f"nc -z -w 1 {private[0]} 22 && echo open || echo closed"
    assert cloud.ssh(elastic["PublicIp"], knock) == "closed"
    group = peer["SecurityGroups"][0]["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
    )
    assert cloud.ssh(elastic["PublicIp"], knock) == "open"

    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        ec2.release_address(AllocationId=elastic["AllocationId"])
    ec2.terminate_instances(InstanceIds=[other])
    wait_for(ec2, other, "terminated")
    assert ec2.describe_addresses()["Addresses"][0].get("AssociationId") is None
    ec2.release_address(AllocationId=elastic["AllocationId"])


def test_a_start_after_a_kill_finds_and_removes_what_was_left(cloud: Cloud, ec2: EC2Client, instance_id: str) -> None:
    assert describe(ec2, instance_id)["State"]["Name"] == "running"
    pid = cloud.command("status")["pid"]
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists():  # until then its port is taken
        time.sleep(0.05)
    left = hosts.leftovers(cloud.settings, whole_block=True)
    assert left == [hosts.container_name(cloud.settings, instance_id)]
    report = cloud.command("start")
    assert set(report["removed"]) >= {f"host {left[0]}", f"nft table sm{BLOCK}", f"link sm{BLOCK}", "pid file"}
    assert hosts.leftovers(cloud.settings, whole_block=True) == []
    assert ec2.describe_instances()["Reservations"] == []


def test_a_stop_keeps_what_the_buckets_hold_and_leaves_nothing_else(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="lifecycle-data")
    s3.put_object(Bucket="lifecycle-data", Key="quotes/dt=2026-01-01/a.json", Body=b"{}\n")
    report = cloud.command("stop")
    kept = cloud.settings.kept_directory / "lifecycle-data"
    assert report["kept"] == [f"Bucket lifecycle-data still held 1 object (3 bytes): kept in {kept}"]
    assert (kept / "quotes/dt=2026-01-01/a.json").read_bytes() == b"{}\n"
    assert not Path(f"/sys/class/net/{cloud.settings.bridge}").exists()
    assert not cloud.settings.directory.exists()
    assert not cloud.command("stop")["changed"]
