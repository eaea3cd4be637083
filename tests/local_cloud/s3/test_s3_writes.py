"""PutObject is one step: of two conditional writers one succeeds, and nobody sees an object without its metadata."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.s3.models import FakeKey, S3Backend, s3_backends
from moto.s3.responses import S3Response
from moto.s3.utils import _VersionedKeyStore
from moto.server import ThreadedMotoServer

from local_cloud.s3 import writes as s3_writes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET, KEY = "quotes-data", "quotes/object"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    """A bucket of an S3 that answers several requests at once."""
    monkeypatch.setattr(S3Response, "put_object", S3Response.put_object)
    monkeypatch.setattr(_VersionedKeyStore, "setlist", _VersionedKeyStore.setlist)
    s3_writes.install()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = boto3.Session("test", "test", region_name="us-east-1")
    client = session.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket=BUCKET)
    yield client
    s3_backends["123456789012"]["aws"].reset()
    server.stop()


def slowly(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    """Has a method of moto's begin late."""
    of_moto: Callable[..., Any] = getattr(owner, name)

    def late(*args: Any, **options: Any) -> Any:
        time.sleep(0.3)
        return of_moto(*args, **options)

    monkeypatch.setattr(owner, name, late)


def written(s3: S3Client, **condition: Any) -> int:
    """The status of a write."""
    try:
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"1", Metadata={"end-offset": "7"}, **condition)
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return 200


@pytest.mark.parametrize("name", ["IfNoneMatch", "IfMatch"])
def test_of_writers_at_once_under_a_condition_one_succeeds(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value = "*"
    if name == "IfMatch":
        value = s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"0")["ETag"]
    slowly(monkeypatch, S3Backend, "put_object")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: written(s3, **{name: value}), range(4)))
    assert sorted(found) == [200, 412, 412, 412]


def test_an_object_appears_with_its_metadata(s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    slowly(monkeypatch, FakeKey, "set_metadata")
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(written, s3)
        while not (s3.list_objects_v2(Bucket=BUCKET).get("Contents") or writing.done()):
            time.sleep(0.01)
        assert s3.head_object(Bucket=BUCKET, Key=KEY)["Metadata"] == {"end-offset": "7"}
        assert writing.result() == 200
