"""Lifecycle rules remove what they name at the midnight at which S3 would, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from moto.s3.models import FakeKey, S3Backend, s3_backends
from tests.support.local_cloud.enforcing import enforcing_cloud, error_of

from local_cloud.s3 import lifecycle

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "quotes-data"
ACCOUNT = "123456789012"
TAG = {"Key": "history", "Value": "verified"}
WRITTEN = datetime(2014, 1, 15, 10, 30, tzinfo=UTC)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("put_bucket_lifecycle_configuration", "create_multipart_upload", "delete_object"):
        monkeypatch.setattr(S3Backend, name, getattr(S3Backend, name))
    lifecycle.install()


@pytest.fixture
def s3(installed: None) -> Iterator[S3Client]:  # noqa: ARG001 - moto with our functions in it
    with mock_aws():
        client = boto3.client("s3", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        client.create_bucket(Bucket=BUCKET)
        yield client


def backend() -> S3Backend:
    found: S3Backend = s3_backends[ACCOUNT]["aws"]
    return found


def put(s3: S3Client, key: str, *tags: Any, written: datetime = WRITTEN) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    if tags:
        s3.put_object_tagging(Bucket=BUCKET, Key=key, Tagging={"TagSet": list(tags)})
    held = backend().buckets[BUCKET].keys[key]
    assert isinstance(held, FakeKey)
    held.last_modified = written.replace(tzinfo=None)


def rule(s3: S3Client, filter_: Any, days: int = 3, status: Any = "Enabled", **more: Any) -> None:
    one: Any = {"ID": "a", "Status": status, "Filter": filter_, "Expiration": {"Days": days}} | more
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [one]})


def left(s3: S3Client) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_days_are_rounded_up_to_the_next_midnight_as_in_s3s_own_example(s3: S3Client) -> None:
    put(s3, "a")
    rule(s3, {"Prefix": ""})
    midnight = datetime(2014, 1, 19, tzinfo=UTC)
    assert lifecycle.carry_out(backend(), midnight - timedelta(microseconds=1)) == 0
    assert left(s3) == ["a"]
    assert lifecycle.carry_out(backend(), midnight) == 1
    assert left(s3) == []


@pytest.mark.parametrize(
    ("filter_", "expired"),
    [
        ({}, {"quotes/a", "quotes/b", "history/a", "history/b", "quotes/c"}),
        ({"Prefix": "quotes/"}, {"quotes/a", "quotes/b", "quotes/c"}),
        ({"Tag": TAG}, {"quotes/a", "history/a"}),
        ({"And": {"Prefix": "quotes/", "Tags": [TAG]}}, {"quotes/a"}),
        ({"And": {"Prefix": "quotes/", "Tags": [TAG, {"Key": "more", "Value": ""}]}}, set()),
    ],
)
def test_a_rule_removes_what_its_filter_names(s3: S3Client, filter_: Any, expired: set[str]) -> None:
    put(s3, "quotes/a", TAG)
    put(s3, "quotes/b")
    put(s3, "quotes/c", {"Key": "history", "Value": "pending"})
    put(s3, "history/a", TAG)
    put(s3, "history/b")
    put(s3, "quotes/young", TAG, {"Key": "more", "Value": ""}, written=WRITTEN + timedelta(days=30))
    before = set(left(s3))
    rule(s3, filter_)
    assert lifecycle.carry_out(backend(), WRITTEN + timedelta(days=10)) == len(expired)
    assert before - set(left(s3)) == expired


def test_a_rule_that_is_disabled_or_gone_removes_nothing(s3: S3Client) -> None:
    put(s3, "a")
    rule(s3, {"Prefix": ""}, status="Disabled")
    assert lifecycle.carry_out(backend(), WRITTEN + timedelta(days=99)) == 0
    rule(s3, {"Prefix": ""})
    s3.delete_bucket_lifecycle(Bucket=BUCKET)
    assert lifecycle.carry_out(backend(), WRITTEN + timedelta(days=99)) == 0
    assert left(s3) == ["a"]


def test_a_date_expires_what_is_there(s3: S3Client) -> None:
    put(s3, "a")
    rule(s3, {"Prefix": ""}, Expiration={"Date": datetime(2014, 2, 1, tzinfo=UTC)})
    assert lifecycle.carry_out(backend(), datetime(2014, 1, 31, 23, tzinfo=UTC)) == 0
    assert lifecycle.carry_out(backend(), datetime(2014, 2, 1, tzinfo=UTC)) == 1


def test_in_a_versioned_bucket_an_expired_object_gets_a_delete_marker(s3: S3Client) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    put(s3, "a")
    rule(s3, {"Prefix": ""})
    assert lifecycle.carry_out(backend(), WRITTEN + timedelta(days=5)) == 1
    assert lifecycle.carry_out(backend(), WRITTEN + timedelta(days=5)) == 0
    assert left(s3) == []
    versions = s3.list_object_versions(Bucket=BUCKET)
    assert (len(versions["Versions"]), len(versions["DeleteMarkers"])) == (1, 1)


def test_an_upload_that_nobody_completes_ends(s3: S3Client) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="quotes/parts")
    abort = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    rule(s3, {"Prefix": "quotes/"}, days=300, **abort)
    now = datetime.now(UTC)
    assert lifecycle.carry_out(backend(), now) == 0
    assert lifecycle.carry_out(backend(), now + timedelta(days=2)) == 1
    assert error_of(s3.list_parts, Bucket=BUCKET, Key="quotes/parts", UploadId=upload["UploadId"])[1] == 404


def test_an_objects_tags_end_with_it(s3: S3Client) -> None:
    put(s3, "a", TAG)
    s3.delete_object(Bucket=BUCKET, Key="a")
    put(s3, "a")
    assert s3.get_object_tagging(Bucket=BUCKET, Key="a")["TagSet"] == []


UNSERVED: list[dict[str, Any]] = [
    {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]},
    {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
    {"Filter": {"ObjectSizeGreaterThan": 5}},
    {"Expiration": {"ExpiredObjectDeleteMarker": True}},
]


@pytest.mark.usefixtures("installed")
def test_a_rule_that_would_not_be_carried_out_is_refused(tmp_path: Path) -> None:
    with enforcing_cloud(tmp_path) as cloud:
        s3 = cloud.operator.s3
        s3.create_bucket(Bucket=BUCKET)
        for unserved in UNSERVED:
            one: Any = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}} | unserved
            configuration = {"Bucket": BUCKET, "LifecycleConfiguration": {"Rules": [one]}}
            assert error_of(s3.put_bucket_lifecycle_configuration, **configuration) == ("NotImplemented", 501)
        assert error_of(s3.get_bucket_lifecycle_configuration, Bucket=BUCKET)[0] == "NoSuchLifecycleConfiguration"


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_rules_clock_can_be_set_ahead(s3: S3Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_LOOK_SECONDS", 0.02)
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"x")
    rule(s3, {"Prefix": ""}, days=7)
    ahead = tmp_path / "days_ahead"
    running = lifecycle.Lifecycle(backend(), ahead)
    try:
        time.sleep(0.1)
        assert left(s3) == ["a"]
        ahead.write_text("9\n")
        _until(lambda: not left(s3))
    finally:
        running.close()


def test_a_policy_that_denies_everything_does_not_hold_a_rule_back(s3: S3Client) -> None:
    put(s3, "a")
    deny = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}'
    rule(s3, {"Prefix": ""})
    backend().put_bucket_policy(BUCKET, deny.encode())
    assert lifecycle.carry_out(backend(), WRITTEN + timedelta(days=5)) == 1
