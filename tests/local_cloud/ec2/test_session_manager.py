"""A deployment whose hosts admit no SSH is made and used through Session Manager's tunnel, played by a stand-in.

The local cloud has no Session Manager. What stands in for aws and its plugin (tests/support/session_manager) leads ssh
to a host's own loopback interface, by a way that no security group is in; all else is the bundle's own.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_cloud import supervisor
from local_cloud.hosts import host as hosts
from local_cloud.settings import ADMINISTRATOR, NEIGHBOUR, Settings
from stock_market_ops.common import deployment
from stock_market_ops.common.deployment import ROOT
from stock_market_ops.status import probe_disks

BLOCK = 251
NAME = "session-test"
TOOLS = ROOT / "tests" / "support" / "session_manager"
VERSION, BUCKET = "3.3.1345.0", "amazon-ssm-us-east-1"
UNIT = """\
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""
CONTROL = f"""\
Package: amazon-ssm-agent
Version: {VERSION}-1
Architecture: amd64
Maintainer: tests
Description: stand-in for the agent
"""
# Cloud, then by Mitogen a play on the hosts, and the operator's files.
PLAYS = [
    {"ansible.builtin.import_playbook": str(ROOT / "playbooks" / "cloud.yml")},
    {
        "hosts": "stock_market",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.copy": {"content": "by the tunnel\n", "dest": "/opt/proof", "mode": "0600"}},
        ],
    },
    {"hosts": "localhost", "gather_facts": False, "roles": ["operator"]},
]


def package(folder: Path) -> tuple[bytes, bytes, str]:
    """The agent's package, its signature, and the key of it: one that has expired since, as AWS's has."""
    tree = folder / "agent"
    for name, text in (("DEBIAN/control", CONTROL), ("lib/systemd/system/amazon-ssm-agent.service", UNIT)):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text(text)
    file = folder / "amazon-ssm-agent.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, file], check=True, capture_output=True)
    home = folder / "gpg"
    home.mkdir(mode=0o700)

    def gpg(*words: str) -> None:
        then = ["gpg", "--homedir", str(home), "--batch", "--faked-system-time", "20230901T000000", "--passphrase", ""]
        subprocess.run([*then, *words], check=True, capture_output=True)

    gpg("--quick-gen-key", "signer@example.org", "rsa2048", "sign", "1y")
    gpg("--detach-sign", "--output", f"{file}.sig", str(file))
    gpg("--armor", "--output", f"{folder}/key.asc", "--export", "signer@example.org")
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=True, capture_output=True)
    return file.read_bytes(), Path(f"{file}.sig").read_bytes(), (folder / "key.asc").read_text()


class Cloud:
    """A local cloud with AWS's bucket of the agent in it, owned by another account and readable by everybody."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(NAME, BLOCK, folder / NAME, engine=False)
        self.folder = folder
        self.state = folder / "state" / NAME
        self.calls = folder / "calls"
        self.content, self.signature, self.key = package(folder)

    def client(self, service: str, key: str = ADMINISTRATOR) -> Any:
        make: Callable[..., Any] = boto3.client
        options = {"aws_access_key_id": key, "aws_secret_access_key": key, "region_name": "us-east-1"}
        return make(service, endpoint_url=self.settings.endpoint_url, **options)

    def publish(self) -> None:
        """Put the package where AWS has it."""
        s3 = self.client("s3", NEIGHBOUR)
        s3.create_bucket(Bucket=BUCKET)
        closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(closed, False))
        reading = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        }
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [reading]}))
        path = f"{VERSION}/debian_amd64/amazon-ssm-agent.deb"
        for key, body in ((path, self.content), (f"{path}.sig", self.signature)):
            s3.put_object(Bucket=BUCKET, Key=key, Body=body, ACL="public-read")

    def environment(self) -> dict[str, str]:
        """The shell of a person with aws and its plugin."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
        return kept | {
            "PATH": f"{TOOLS}:{os.environ['PATH']}",
            "SESSION_LOG": str(self.calls),
            "SESSION_PYTHON": sys.executable,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "AWS_ENDPOINT_URL": self.settings.endpoint_url,
            "AWS_ACCESS_KEY_ID": ADMINISTRATOR,
            "AWS_SECRET_ACCESS_KEY": ADMINISTRATOR,
            "AWS_REGION": "us-east-1",
            "STOCK_MARKET_ACCESS": "ssm",
            "STOCK_MARKET_DEPLOYMENT": NAME,
            "STOCK_MARKET_OPERATOR_CIDR": f"{self.settings.gateway_address}/32",
        }

    def play(self, **more: Any) -> subprocess.CompletedProcess[str]:
        """Play PLAYS."""
        playbook, variables = self.folder / "plays.yml", self.folder / "variables.json"
        playbook.write_text(json.dumps(PLAYS))
        given = {
            "stock_market_state_dir": str(self.state),
            "stock_market_security": "plain",
            "instances_ssm_agent_source": f"http://{self.settings.gateway_address}:4566/{BUCKET}",
            "instances_ssm_agent_key": self.key,
            "instances_online_seconds": 240,
        }
        variables.write_text(json.dumps(given | more))
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory/aws", str(playbook)]
        return subprocess.run(
            [*command, "-e", f"@{variables}"],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A running local cloud; whatever the tests leave, it is gone in the end."""
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    supervisor.start(cloud.settings)
    cloud.publish()
    yield cloud
    supervisor.stop(cloud.settings)
    assert hosts.leftovers(cloud.settings, whole_block=True) == []


def test_a_deployment_without_an_open_port_for_ssh_is_made_and_used(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = cloud.play()
    assert done.returncode == 0, done.stdout
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    known = deployment.load(NAME, cloud.state.parent)
    (instance,) = known.instances
    with socket.socket() as tried:
        tried.settimeout(2)
        with pytest.raises(TimeoutError):
            tried.connect((instance.public_address, 22))
    # make ssh, and the disks of make status.
    told = subprocess.run(
        ["ssh", "-F", known.ssh_config, "default", "sudo cat /opt/proof; dpkg-query -W amazon-ssm-agent"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout == f"by the tunnel\namazon-ssm-agent\t{VERSION}-1\n", told.stderr
    assert next((disk.mount, disk.failure) for disk in probe_disks.look(known)) == ("/", "")
    # The host's key was noted at the first connection, under the instance's id.
    assert f"{instance.instance_id} " in Path(f"{cloud.state}/known_hosts").read_text()
    assert {json.loads(line)[3] for line in cloud.calls.read_text().splitlines()} == {instance.instance_id}
    again = cloud.play()
    assert again.returncode == 0, again.stdout
    assert "changed=0" in again.stdout.partition("localhost  ")[2]
    # Nobody asks Athena, though the deployment has a workgroup.
    assert not (cloud.settings.directory / "trino" / "trino.log").exists()


def test_a_package_with_another_signature_is_not_installed(cloud: Cloud) -> None:
    """The run ends before SSH is tried, with what to read."""
    other = cloud.folder / "other"
    other.mkdir()
    _, _, key = package(other)
    ec2 = cloud.client("ec2")
    listed = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
    ec2.terminate_instances(InstanceIds=[one["InstanceId"] for r in listed["Reservations"] for one in r["Instances"]])
    ec2.get_waiter("instance_terminated").wait()
    calls = cloud.calls.read_text()
    done = cloud.play(instances_ssm_agent_key=key, instances_online_seconds=25)
    assert done.returncode == 2, done.stdout
    assert "The first boot installs the agent that it needs" in " ".join(done.stdout.split())
    assert cloud.calls.read_text() == calls
