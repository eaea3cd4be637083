"""The instance metadata service, asked as a host asks it."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import socket
from typing import Any

import pytest

from local_cloud.ec2.metadata import Credentials, Identity, MetadataService, UntrustedError

ADDRESS = "198.18.77.10"
OTHER = "198.18.77.11"
IDENTITY = Identity(
    instance_id="i-1",
    instance_type="t3.small",
    image_id="ami-1",
    account_id="123456789012",
    region="us-east-1",
    zone="us-east-1a",
    private_address="10.0.0.4",
    public_address=ADDRESS,
    mac="02:00:00:00:00:01",
    hostname="ip-10-0-0-4.ec2.internal",
    security_groups=("kafka", "ssh"),
    tags={},
    profile_arn="arn:aws:iam::123456789012:instance-profile/node",
    profile_id="AIPA1",
    role_name="node",
    role_arn="arn:aws:iam::123456789012:role/node",
    public_key="ssh-ed25519 AAAA",
    hop_limit=1,
)


class Host:
    """Sends requests from one address and remembers the last answer."""

    def __init__(self, service: MetadataService, address: str = ADDRESS) -> None:
        self.service = service
        self.address = address
        self.status = ""
        self.headers: dict[str, str] = {}
        self.connection = socket.socket()

    def ask(self, path: str, method: str = "GET", **headers: str) -> str:
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "REMOTE_ADDR": self.address}
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        environ["wsgi.input"] = io.BytesIO()
        environ["werkzeug.socket"] = self.connection

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
            self.status, self.headers = status, dict(headers)

        return b"".join(self.service(environ, start_response)).decode()

    def token(self, seconds: str = "60") -> str:
        return self.ask("/latest/api/token", "PUT", x_aws_ec2_metadata_token_ttl_seconds=seconds)

    def get(self, path: str) -> str:
        return self.ask(path, x_aws_ec2_metadata_token=self.token())


class Minter:
    """Counts the credentials that it mints."""

    def __init__(self, lifetime: datetime.timedelta = datetime.timedelta(hours=6)) -> None:
        self.asked: list[tuple[str, str]] = []
        self._lifetime = lifetime

    def __call__(self, role_arn: str, session: str) -> Credentials:
        self.asked.append((role_arn, session))
        end = datetime.datetime.now(datetime.UTC) + self._lifetime
        return Credentials(f"ASIA{len(self.asked)}", "secret", "token", end)


def service(identity: Identity = IDENTITY, minter: Minter | None = None) -> MetadataService:
    others = {ADDRESS: identity, OTHER: dataclasses.replace(identity, instance_id="i-2")}
    return MetadataService(others.get, minter or Minter())


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("instance-id", "i-1"),
        ("local-ipv4", "10.0.0.4"),
        ("public-ipv4", ADDRESS),
        ("placement/region", "us-east-1"),
        ("placement/availability-zone", "us-east-1a"),
        ("placement/", "availability-zone\nregion"),
        ("security-groups", "kafka\nssh"),
        ("iam/security-credentials/", "node"),
        ("public-keys/0/openssh-key", "ssh-ed25519 AAAA"),
    ],
)
def test_a_host_learns_who_it_is(path: str, answer: str) -> None:
    assert Host(service()).get(f"/latest/meta-data/{path}") == answer


def test_without_a_token_nothing_is_answered() -> None:
    host = Host(service())
    assert "i-1" not in host.ask("/latest/meta-data/instance-id")
    assert host.status.startswith("401")


def test_a_token_is_good_for_the_host_that_asked_for_it_alone() -> None:
    shared = service()
    other = Host(shared, OTHER)
    other.ask("/latest/meta-data/instance-id", x_aws_ec2_metadata_token=Host(shared).token())
    assert other.status.startswith("401")


@pytest.mark.parametrize("seconds", ["", "0", "21601", "soon", "-1"])
def test_a_token_needs_a_lifetime_of_six_hours_at_most(seconds: str) -> None:
    host = Host(service())
    host.token(seconds)
    assert host.status.startswith("400")


def test_a_forwarded_request_gets_no_token() -> None:
    host = Host(service())
    host.ask("/latest/api/token", "PUT", x_aws_ec2_metadata_token_ttl_seconds="60", x_forwarded_for="10.0.0.9")
    assert host.status.startswith("403")


def test_the_answer_to_a_token_request_contains_its_lifetime() -> None:
    host = Host(service())
    host.token("61")
    assert host.headers["X-aws-ec2-metadata-token-ttl-seconds"] == "61"


def test_a_token_goes_no_further_than_the_hop_limit() -> None:
    host = Host(service())
    host.get("/latest/meta-data/instance-id")
    assert host.connection.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 1
    far = Host(service(dataclasses.replace(IDENTITY, hop_limit=3)))
    far.token()
    assert far.connection.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 3


def test_a_role_that_does_not_trust_ec2_is_said_to_be_refused() -> None:
    def refuse(_role: str, _session: str) -> Credentials:
        raise UntrustedError("EC2 cannot assume the role")

    host = Host(MetadataService({ADDRESS: IDENTITY}.get, refuse))
    answer = json.loads(host.get("/latest/meta-data/iam/security-credentials/node"))
    assert answer["Code"] == "AssumeRoleUnauthorizedAccess"
    assert "AccessKeyId" not in answer


def test_an_address_without_an_instance_gets_nothing() -> None:
    stranger = Host(service(), "198.18.77.99")
    stranger.token()
    assert stranger.status.startswith("403")


def test_role_credentials_are_minted_once_and_kept_until_they_run_out() -> None:
    minter = Minter()
    host = Host(service(minter=minter))
    path = "/latest/meta-data/iam/security-credentials/node"
    first, second = json.loads(host.get(path)), json.loads(host.get(path))
    assert first == second
    assert minter.asked == [("arn:aws:iam::123456789012:role/node", "i-1")]
    assert set(first) >= {"Code", "AccessKeyId", "SecretAccessKey", "Token", "Expiration", "LastUpdated"}


def test_credentials_about_to_run_out_are_replaced() -> None:
    minter = Minter(datetime.timedelta(minutes=10))
    host = Host(service(minter=minter))
    path = "/latest/meta-data/iam/security-credentials/node"
    assert json.loads(host.get(path))["AccessKeyId"] != json.loads(host.get(path))["AccessKeyId"]


def test_without_an_instance_profile_there_are_no_credentials() -> None:
    bare = dataclasses.replace(IDENTITY, profile_arn=None, profile_id=None, role_name=None, role_arn=None)
    minter = Minter()
    host = Host(service(bare, minter))
    for path in ("iam/info", "iam/security-credentials/", "iam/security-credentials/node", "iam/"):
        host.get(f"/latest/meta-data/{path}")
        assert host.status.startswith("404")
    assert minter.asked == []


def test_an_unknown_path_is_not_found() -> None:
    host = Host(service())
    host.get("/latest/meta-data/nonsense")
    assert host.status.startswith("404")


def test_the_identity_document_names_instance_account_and_region() -> None:
    document = json.loads(Host(service()).get("/latest/dynamic/instance-identity/document"))
    assert (document["instanceId"], document["accountId"], document["region"]) == ("i-1", "123456789012", "us-east-1")
