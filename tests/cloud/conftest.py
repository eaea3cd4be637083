"""A cloud in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tests.local_cloud.ec2.test_nat_gateways import REPLACED as NAT_REPLACED
from tests.support.local_cloud.sent import check_before_moto

from local_cloud.ec2 import nat_gateways as ec2_nat_gateways

REGION = "us-east-1"


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Makes boto3 clients of an empty cloud."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # Hundreds of images that nobody asks for take a second to load.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

    def client(service: str) -> Any:
        made = boto3.client(service, region_name=REGION)  # type: ignore[call-overload]  # the stubs know clients by literal names only
        check_before_moto(made)
        return made

    for owner, names in NAT_REPLACED:
        for name in names:
            monkeypatch.setattr(owner, name, getattr(owner, name))
    ec2_nat_gateways.install()
    with mock_aws():
        yield client
