"""A first boot as on AWS: cloud-init works, an upgrade has dpkg's lock for 90 s, and there are no package lists."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_cloud import supervisor
from local_cloud.hosts import host as hosts
from local_cloud.hosts import image
from local_cloud.settings import Settings

BLOCK = 252
ROOT = Path(__file__).resolve().parents[3]
# Longer than the 60 s that ansible.builtin.apt waits by itself.
LOCKED_SECONDS = 90
# As unattended-upgrades does, in a process beside cloud-init; the lock is a record lock on the whole file. And the
# image was made today: its directory of package lists is empty, and new.
UPGRADE = f"""\
#!/bin/sh
rm -rf /var/lib/apt/lists/* /var/lib/apt/periodic
cat >/run/upgrade.py <<'END'
import fcntl, time
with open("/var/lib/dpkg/lock-frontend", "w") as frontend, open("/var/lib/dpkg/lock", "w") as database:
    fcntl.lockf(frontend, fcntl.LOCK_EX)
    fcntl.lockf(database, fcntl.LOCK_EX)
    open("/run/upgrading", "w").close()
    time.sleep({LOCKED_SECONDS})
END
systemd-run --unit=upgrade python3 /run/upgrade.py
until [ -e /run/upgrading ]; do sleep 0.1; done
sleep 8
touch /run/cloud-init-was-last
"""
FAILING = "#!/bin/sh\nexit 3\n"
PLAYBOOK = """
- name: Use a new instance
  hosts: all
  strategy: linear
  gather_facts: false
  tasks:
    - name: Wait until SSH answers
      ansible.builtin.wait_for_connection:
        timeout: 60

    - name: Wait until the first boot has ended
      ansible.builtin.import_role:
        name: instances
        tasks_from: first_boot

    - name: Look whether cloud-init has ended
      ansible.builtin.stat:
        path: /run/cloud-init-was-last
      register: last
      failed_when: not last.stat.exists

    - name: Look whether dpkg is still locked
      ansible.builtin.command: systemctl is-active upgrade.service
      changed_when: false

    - name: Look whether the image updates itself
      ansible.builtin.command: systemctl is-active apt-daily.timer apt-daily-upgrade.timer
      changed_when: false

    - name: Install a package
      ansible.builtin.import_role:
        name: packages
      vars:
        packages_names: [hello]

    - name: Use it
      ansible.builtin.command: hello
      changed_when: false
"""


class Cloud:
    """A local cloud of the test's own, and what launches an instance in it and plays a playbook on one."""

    def __init__(self, directory: Path) -> None:
        self.settings = Settings("first-boot-test", BLOCK, directory / "first-boot-test")
        self.directory = directory
        self.key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)

    def launch(self, release: str, user_data: str) -> str:
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
        ec2.authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp=f"{self.settings.gateway_address}/32"
        )
        key = f"key-{release}-{len(user_data)}"
        ec2.import_key_pair(KeyName=key, PublicKeyMaterial=Path(f"{self.key}.pub").read_bytes())
        filters = [{"Name": "name", "Values": [f"debian-{release}-amd64-*"]}]
        images = ec2.describe_images(Owners=["136693071363"], Filters=filters)["Images"]
        launched = ec2.run_instances(
            ImageId=images[0]["ImageId"],
            InstanceType="t3.micro",
            KeyName=key,
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            SecurityGroupIds=[group],
            UserData=user_data,
        )["Instances"][0]
        identifier = launched["InstanceId"]
        end = time.monotonic() + 30
        while True:
            found = ec2.describe_instances(InstanceIds=[identifier])["Reservations"][0]["Instances"][0]
            if found["State"]["Name"] == "running":
                return str(found["PublicIpAddress"])
            assert time.monotonic() < end, found["StateReason"]
            time.sleep(0.2)

    def play(self, address: str) -> subprocess.CompletedProcess[str]:
        """Play PLAYBOOK on the instance."""
        inventory = self.directory / "hosts.yml"
        options = f"-F /dev/null -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={self.directory}/known_hosts"
        variables = {
            "ansible_host": address,
            "ansible_user": "admin",
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": options,
            "instances_first_boot_seconds": 60,
        }
        inventory.write_text(json.dumps({"all": {"hosts": {"node-1": variables}}}))
        playbook = self.directory / "playbook.yml"
        playbook.write_text(PLAYBOOK)
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(playbook)]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240
        )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A running local cloud; whatever the tests leave, it is gone in the end."""
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    supervisor.start(cloud.settings)
    yield cloud
    supervisor.stop(cloud.settings)
    assert hosts.leftovers(cloud.settings, whole_block=True) == []


def test_the_roles_wait_for_cloud_init_and_for_an_upgrade_that_has_dpkgs_lock(cloud: Cloud) -> None:
    begun = time.monotonic()
    played = cloud.play(cloud.launch("12", UPGRADE))
    assert played.returncode == 0, played.stdout + played.stderr
    assert time.monotonic() - begun >= LOCKED_SECONDS


@pytest.mark.parametrize("release", image.RELEASES)
def test_a_first_boot_that_fails_ends_the_play_with_cloud_inits_words(cloud: Cloud, release: str) -> None:
    played = cloud.play(cloud.launch(release, FAILING))
    assert played.returncode != 0
    said = " ".join(played.stdout.split())
    assert "node-1 is not ready: cloud-init ended with an error." in said, played.stdout
    assert "Use it" not in said


def test_user_data_has_ec2s_limit(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="User data is limited to 16384 bytes"):
        cloud.launch("12", "#" * 16385)
