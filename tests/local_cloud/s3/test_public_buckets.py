"""An unsigned request may do what a bucket's policy lets everybody do, where public access is not blocked."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mypy_boto3_s3.type_defs import PublicAccessBlockConfigurationTypeDef
from tests.support.local_cloud.enforcing import Enforcing, enforcing_cloud

OPEN: PublicAccessBlockConfigurationTypeDef = {
    "BlockPublicAcls": False,
    "IgnorePublicAcls": False,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": False,
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Enforcing]:
    """A cloud with a bucket of packages that everybody may read by its policy."""
    with enforcing_cloud(tmp_path) as running:
        s3 = running.operator.s3
        s3.create_bucket(Bucket="packages")
        reading = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::packages/a*",
        }
        s3.put_bucket_policy(Bucket="packages", Policy=json.dumps({"Version": "2012-10-17", "Statement": [reading]}))
        for key in ("agent.deb", "secret"):
            s3.put_object(Bucket="packages", Key=key, Body=key.encode(), ACL="public-read")
        yield running


def status(cloud: Enforcing, key: str, method: str = "GET") -> int:
    """How S3 answers an unsigned request."""
    request = urllib.request.Request(f"{cloud.endpoint}/packages/{key}", method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            assert answer.read() in (key.encode(), b"")
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_new_bucket_is_not_public_whatever_its_policy_says(cloud: Enforcing) -> None:
    assert status(cloud, "agent.deb") == 403


def test_everybody_reads_what_the_policy_opens_and_nothing_else(cloud: Enforcing) -> None:
    cloud.operator.s3.put_public_access_block(Bucket="packages", PublicAccessBlockConfiguration=OPEN)
    assert status(cloud, "agent.deb") == 200
    assert status(cloud, "secret") == 403
    assert status(cloud, "absent") == 403
    assert status(cloud, "agent.deb", "DELETE") == 403
    assert status(cloud, "") == 403
