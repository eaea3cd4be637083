"""What Trino reads of S3 by the short way is what S3 answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.moto_api._internal.models import moto_api_backend
from moto.s3.models import s3_backends

from local_cloud.iam.callers import administrator
from local_cloud.trino.api import EngineApi

BUCKET = "data"
KEYS = [
    "a/1",
    "a/10",
    "a/2",
    "a/b c&d<e>.gz",
    "a/z\u00e4\u00f6+%",
    "b/1",
    *(f"many/{number:04}" for number in range(2300)),
]
BODY = bytes(range(256)) * 8


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineApi]:
    moto_api_backend.reset()
    made = EngineApi("127.0.0.1", Path(tmp_path_factory.mktemp("engine")))
    backend = s3_backends["123456789012"]["aws"]
    backend.create_bucket(BUCKET, "us-east-1")
    for key in KEYS:
        backend.put_object(BUCKET, key, BODY)
    yield made
    made.close()
    moto_api_backend.reset()


@pytest.fixture
def s3(api: EngineApi) -> Any:
    return client(api, api.keys.access_key_id, api.keys.secret)


def client(api: EngineApi, key: str, secret: str, token: str | None = None) -> Any:
    once = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    session = boto3.Session(key, secret, token, region_name="us-east-1")
    return session.client("s3", endpoint_url=api.url, config=once)


def listed(s3: Any, **options: Any) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, **options)
    found = [entry for page in pages for entry in page.get("Contents", [])]
    assert {entry["Size"] for entry in found} <= {len(BODY)}
    assert len({entry["ETag"] for entry in found}) <= 1
    return [entry["Key"] for entry in found]


@pytest.mark.parametrize(
    ("prefix", "size"),
    [("", 1000), ("many/", 700), ("a/", 1), ("a/", 2), ("a/1", 1), ("many/001", 3), ("nothing/", 5), ("a/b c&d<", 1)],
)
def test_a_list_has_every_key_once_in_order(s3: Any, prefix: str, size: int) -> None:
    wanted = sorted(key for key in KEYS if key.startswith(prefix))
    assert listed(s3, Prefix=prefix, PaginationConfig={"PageSize": size}) == wanted
    plain = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix, MaxKeys=size)
    assert (plain["KeyCount"], plain["IsTruncated"]) == (min(size, len(wanted)), len(wanted) > size)


def test_a_list_by_folders_is_moto_s(s3: Any) -> None:
    found = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    assert [each["Prefix"] for each in found["CommonPrefixes"]] == ["a/", "b/", "many/"]


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=2040-9999", slice(2040, None)),
        ("bytes=-9999", slice(0, None)),
    ],
)
def test_a_part_of_an_object(s3: Any, asked: str, span: slice) -> None:
    part = s3.get_object(Bucket=BUCKET, Key="a/b c&d<e>.gz", Range=asked)
    body = part["Body"].read()
    assert body == BODY[span]
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    first = len(BODY) - len(BODY[span]) if span.stop is None else span.start
    assert part["ContentRange"] == f"bytes {first}-{first + len(body) - 1}/{len(BODY)}"


def test_an_object_and_its_head(s3: Any) -> None:
    whole = s3.get_object(Bucket=BUCKET, Key="a/z\u00e4\u00f6+%")
    head = s3.head_object(Bucket=BUCKET, Key="a/z\u00e4\u00f6+%")
    assert whole["Body"].read() == BODY
    for name in ("ETag", "LastModified", "ContentLength"):
        assert whole[name] == head[name]
    assert head["ContentLength"] == len(BODY)


@pytest.mark.parametrize(
    ("call", "arguments", "code"),
    [
        ("get_object", {"Key": "nosuch"}, "NoSuchKey"),
        ("head_object", {"Key": "nosuch"}, "404"),
        ("get_object", {"Key": "a/1", "Range": "bytes=5000-6000"}, "InvalidRange"),
        ("get_object", {"Key": "a/1", "IfMatch": '"other"'}, "PreconditionFailed"),
        ("get_object", {"Bucket": "nosuch-bucket", "Key": "a/1"}, "NoSuchBucket"),
    ],
)
def test_what_is_not_there_is_refused_as_by_s3(s3: Any, call: str, arguments: dict[str, str], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(s3, call)(**({"Bucket": BUCKET} | arguments))
    assert refused.value.response["Error"]["Code"] == code


def test_nothing_is_read_without_the_callers_rights(api: EngineApi) -> None:
    role = api.accesses.role_of(administrator("210987654321"))
    key = api.keys.find(api.keys.id_of(role))
    assert key is not None
    stranger = client(api, api.keys.id_of(role), key.secret, key.token)
    for call, more in (("get_object", {"Key": "a/1"}), ("head_object", {"Key": "a/1"}), ("list_objects_v2", {})):
        with pytest.raises(ClientError) as refused:
            getattr(stranger, call)(Bucket=BUCKET, **more)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
