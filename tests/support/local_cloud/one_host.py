"""One EC2 instance of a local cloud, without a playbook of ours, for tests that play others on it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3

from local_cloud.settings import Settings


class Cloud:
    """A local cloud of the test's own, and what launches an instance in it and plays a playbook on one.

    Args:
        directory: of its state, its inventory and its playbook.
        name: of its deployment.
        block: of its addresses.
    """

    def __init__(self, directory: Path, name: str, block: int) -> None:
        self.settings = Settings(name, block, directory / name)
        self.directory = directory
        self.key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)

    def launch(self, release: str, user_data: str = "", kind: str = "t3.micro", ports: Sequence[int] = (22,)) -> str:
        """The public address of a new instance, which runs but has yet to boot."""
        make: Callable[..., Any] = boto3.client
        ec2 = make(
            "ec2",
            endpoint_url=self.settings.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="local-cloud",
            aws_secret_access_key="local-cloud",
        )
        vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
        group = ec2.create_security_group(GroupName="ssh", Description="SSH", VpcId=vpc)["GroupId"]
        for port in ports:
            ec2.authorize_security_group_ingress(
                GroupId=group,
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
                CidrIp=f"{self.settings.gateway_address}/32",
            )
        key = f"key-{release}-{len(user_data)}"
        ec2.import_key_pair(KeyName=key, PublicKeyMaterial=Path(f"{self.key}.pub").read_bytes())
        filters = [{"Name": "name", "Values": [f"debian-{release}-amd64-*"]}]
        images = ec2.describe_images(Owners=["136693071363"], Filters=filters)["Images"]
        launched = ec2.run_instances(
            ImageId=images[0]["ImageId"],
            InstanceType=kind,
            KeyName=key,
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            SecurityGroupIds=[group],
            UserData=user_data,
        )["Instances"][0]
        identifier = launched["InstanceId"]
        # On a new machine the first host of a release waits until its image is built.
        end = time.monotonic() + 240
        while True:
            found = ec2.describe_instances(InstanceIds=[identifier])["Reservations"][0]["Instances"][0]
            if found["State"]["Name"] == "running":
                return str(found["PublicIpAddress"])
            assert time.monotonic() < end, found["StateReason"]
            time.sleep(0.2)

    def play(
        self, address: str, playbook: str, environment: Mapping[str, str], **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Play a playbook's text on the instance, from the directory; `more` are variables of the host."""
        options = f"-F /dev/null -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={self.directory}/known_hosts"
        variables = {
            "ansible_host": address,
            "ansible_user": "admin",
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": options,
        }
        (self.directory / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"node-1": variables | more}}}))
        (self.directory / "playbook.yml").write_text(playbook)
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "playbook.yml"]
        return subprocess.run(
            command,
            cwd=self.directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
