"""Buckets are emptied as Ansible does it: a page of versions is listed, deleted, and the next page is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.s3.models import S3Backend

from local_cloud.s3 import versions as s3_versions

BUCKET = "emptied"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(S3Backend, "list_object_versions", S3Backend.list_object_versions)
    s3_versions.install()
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        client.create_bucket(Bucket=BUCKET)
        yield client


def pages(s3: Any) -> Iterator[list[dict[str, str]]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 7}):
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]


@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize("kept", [0, 3])
def test_a_bucket_is_emptied_page_by_page(s3: Any, versioned: bool, kept: int) -> None:
    if versioned:
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for number in range(40):
        for _ in range(1 + versioned * (number % 2)):
            s3.put_object(Bucket=BUCKET, Key=f"quotes/{number:02}", Body=b"x")
    listed = []
    for page in pages(s3):
        listed += page
        s3.delete_objects(
            Bucket=BUCKET, Delete={"Objects": [each for each in page if each["Key"] >= f"quotes/{kept:02}"]}
        )
    assert sorted({each["Key"] for each in listed}) == [f"quotes/{number:02}" for number in range(40)]
    assert len(listed) == (60 if versioned else 40)
    left = [each["Key"] for page in pages(s3) for each in page]
    assert sorted(set(left)) == [f"quotes/{number:02}" for number in range(kept)]
