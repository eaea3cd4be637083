"""Tag keys that are AWS's own are refused by each service, in its own way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.local_cloud.enforcing import Enforcing, enforcing_cloud, error_of

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
ARN = "arn:aws:{}:us-east-1:123456789012:{}"


def pairs(key: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": "x"}]


def specification(kind: str, key: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": pairs(key)}]


# Service, call, its arguments with a tag of the given key, and the error for one of AWS's own.
CALLS: list[tuple[str, str, Callable[[str], dict[str, Any]], str]] = [
    ("ec2", "create_tags", lambda key: {"Resources": ["vpc-1"], "Tags": pairs(key)}, "InvalidParameterValue"),
    (
        "ec2",
        "create_vpc",
        lambda key: {"CidrBlock": "10.0.0.0/16", "TagSpecifications": specification("vpc", key)},
        "InvalidParameterValue",
    ),
    (
        "iam",
        "create_role",
        lambda key: {"RoleName": "x", "AssumeRolePolicyDocument": TRUST, "Tags": pairs(key)},
        "InvalidInput",
    ),
    ("iam", "tag_user", lambda key: {"UserName": "x", "Tags": pairs(key)}, "InvalidInput"),
    (
        "glue",
        "create_database",
        lambda key: {"DatabaseInput": {"Name": "x"}, "Tags": {key: "x"}},
        "InvalidInputException",
    ),
    (
        "glue",
        "tag_resource",
        lambda key: {"ResourceArn": ARN.format("glue", "database/x"), "TagsToAdd": {key: "x"}},
        "InvalidInputException",
    ),
    ("athena", "create_work_group", lambda key: {"Name": "x", "Tags": pairs(key)}, "InvalidRequestException"),
    (
        "ssm",
        "put_parameter",
        lambda key: {"Name": "/x", "Value": "x", "Type": "String", "Tags": pairs(key)},
        "ValidationException",
    ),
    (
        "resourcegroupstaggingapi",
        "tag_resources",
        lambda key: {"ResourceARNList": [ARN.format("glue", "database/x")], "Tags": {key: "x"}},
        "InvalidParameterException",
    ),
    ("s3", "put_bucket_tagging", lambda key: {"Bucket": "tagged", "Tagging": {"TagSet": pairs(key)}}, "InvalidTag"),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enforcing]:
    with enforcing_cloud(tmp_path_factory.mktemp("tags")) as cloud:
        cloud.operator.s3.create_bucket(Bucket="tagged")
        cloud.operator.iam.create_user(UserName="x")
        yield cloud


@pytest.mark.parametrize(("service", "operation", "arguments", "code"), CALLS, ids=[f"{c[0]}:{c[1]}" for c in CALLS])
def test_a_tag_of_awss_own_is_refused(
    cloud: Enforcing, service: str, operation: str, arguments: Callable[[str], dict[str, Any]], code: str
) -> None:
    call = getattr(cloud.operator.client(service), operation)
    assert error_of(call, **arguments("aws:owner")) == (code, 400)


def test_other_tags_and_filters_by_awss_own_are_taken(cloud: Enforcing) -> None:
    ec2 = cloud.operator.ec2
    specified: Any = specification("vpc", "of:aws:")
    ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specified)
    assert ec2.describe_vpcs(Filters=[{"Name": "tag:aws:owner", "Values": ["x"]}])["Vpcs"] == []
    cloud.operator.glue.create_database(DatabaseInput={"Name": "taken"}, Tags={"awsome": "x"})
