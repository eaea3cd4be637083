"""Names that AWS refuses are refused here too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.iam.models import IAMBackend
from moto.s3.exceptions import InvalidBucketName
from moto.s3.models import S3Backend, s3_backends

from local_cloud import names_refused


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for owner, name in (
        (S3Backend, "create_bucket"),
        (SecurityGroupBackend, "create_security_group"),
        (IAMBackend, "create_role"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    names_refused.install()
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")


def code(call: Any, **arguments: Any) -> str:
    """The code with which a call is refused; empty if it is not."""
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.parametrize(
    "name",
    [
        *("192.168.5.4", "xn--quotes", "sthree-quotes", "amzn-s3-demo-quotes", "quotes-s3alias", "quotes--x-s3"),
        *("Quotes", "quo_tes", "-quotes", "quotes-", "quo..tes", "a" * 64, "ab"),
    ],
)
def test_a_bucket_has_a_name_that_s3_takes(client: Any, name: str) -> None:
    assert client is not None
    with pytest.raises(InvalidBucketName):
        s3_backends["123456789012"]["aws"].create_bucket(name, "us-east-1")


def test_ordinary_names_are_taken(client: Any) -> None:
    for name in ("stock-market-data-123456789012", "quotes.of.today", "1quotes", "a" * 63):
        assert code(client("s3").create_bucket, Bucket=name) == ""
    vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = {"Description": "x", "VpcId": vpc}
    assert code(client("ec2").create_security_group, GroupName="stock-market-kafka", **group) == ""
    trust = {"AssumeRolePolicyDocument": '{"Version": "2012-10-17", "Statement": []}'}
    assert code(client("iam").create_role, RoleName="stock-market-glue", **trust) == ""


@pytest.mark.parametrize("name", ["sg-quotes", "quo<tes", "x" * 256])
def test_a_security_group_has_a_name_that_ec2_takes(client: Any, name: str) -> None:
    vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    refused = code(client("ec2").create_security_group, GroupName=name, Description="x", VpcId=vpc)
    assert refused == "InvalidParameterValue"


@pytest.mark.parametrize("name", ["x" * 65, "quo tes"])
def test_a_role_has_a_name_that_iam_takes(client: Any, name: str) -> None:
    trust = '{"Version": "2012-10-17", "Statement": []}'
    assert code(client("iam").create_role, RoleName=name, AssumeRolePolicyDocument=trust) == "ValidationError"
