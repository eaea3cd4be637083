"""Faults that the local cloud has on demand; clients of boto3 get over all of them but expired credentials."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from moto.moto_api._internal.models import moto_api_backend
from tests.support.local_cloud.enforcing import Quiet
from werkzeug.serving import make_server

from local_cloud.api.application import Application
from local_cloud.api.authorizer import Authorizer
from local_cloud.api.dispatcher import Dispatcher
from local_cloud.settings import ADMINISTRATOR, ADMINISTRATOR_SESSION, FaultSettings, Settings

# A call that lists, of each protocol that AWS speaks, and how AWS refuses it to who asks too often and to who is late.
CALLS = {
    "ec2": ("describe_vpcs", "RequestLimitExceeded", "RequestExpired"),
    "s3": ("list_buckets", "SlowDown", "ExpiredToken"),
    "iam": ("list_roles", "Throttling", "ExpiredToken"),
    "sts": ("get_caller_identity", "Throttling", "ExpiredToken"),
    "glue": ("get_databases", "ThrottlingException", "ExpiredTokenException"),
    "athena": ("list_work_groups", "ThrottlingException", "ExpiredTokenException"),
    "ssm": ("describe_parameters", "ThrottlingException", "ExpiredTokenException"),
    "resourcegroupstaggingapi": ("get_resources", "ThrottlingException", "ExpiredTokenException"),
}


@contextmanager
def cloud(directory: Path, **faults: int) -> Iterator[str]:
    """An empty cloud with faults; gives its address."""
    moto_api_backend.reset()
    api = Dispatcher()
    settings = Settings("unit-test", 77, directory / "unit-test", FaultSettings(**faults))
    gate = Application(settings, api, 4711, Authorizer().admit)
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@functools.cache
def session(key: str) -> boto3.Session:
    """A caller's session, which keeps what it has read of the services; a session's key is its token, too."""
    return boto3.Session(key, key, None if key == ADMINISTRATOR else key, region_name="us-east-1")


def client(endpoint: str, service: str, key: str = ADMINISTRATOR, attempts: int = 1) -> Any:
    """A client that asks so often in all."""
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return session(key).client(service, endpoint_url=endpoint, config=Config(retries=retries))  # type: ignore[call-overload]  # the stubs know clients by literal names only


def refusal(call: Any) -> str:
    """The code with which a call is refused; empty if it is not."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.parametrize("service", CALLS)
def test_every_second_request_of_an_action_is_throttled_and_repeated_by_clients(tmp_path: Path, service: str) -> None:
    operation, code, _ = CALLS[service]
    with cloud(tmp_path, throttle_every=2) as endpoint:
        once = getattr(client(endpoint, service), operation)
        assert [refusal(once) for _ in range(4)] == ["", code, "", code]
        again = getattr(client(endpoint, service, attempts=2), operation)
        assert [refusal(again) for _ in range(3)] == ["", "", ""]


@pytest.mark.parametrize("service", CALLS)
def test_every_second_connection_is_lost_before_anything_is_done(tmp_path: Path, service: str) -> None:
    operation = CALLS[service][0]
    with cloud(tmp_path, drop_every=2) as endpoint:
        once = getattr(client(endpoint, service), operation)
        once()
        with pytest.raises(ConnectionClosedError):
            once()
        again = getattr(client(endpoint, service, attempts=2), operation)
        assert [refusal(again) for _ in range(3)] == ["", "", ""]


@pytest.mark.parametrize("faults", [{"drop_every": 1}, {"throttle_every": 1}])
def test_a_third_try_passes_whoever_else_asks(tmp_path: Path, faults: dict[str, int]) -> None:
    """Two deployments at once took each other's turns, until one of them had asked as often as it may."""
    with cloud(tmp_path, **faults) as endpoint:
        with pytest.raises((ClientError, ConnectionClosedError)):
            client(endpoint, "ec2", attempts=2).describe_vpcs()
        assert client(endpoint, "ec2", attempts=3).describe_vpcs()["Vpcs"] is not None


def test_a_lost_request_has_made_nothing(tmp_path: Path) -> None:
    with cloud(tmp_path, drop_every=1) as endpoint:
        with pytest.raises(ConnectionClosedError):
            client(endpoint, "s3").create_bucket(Bucket="quotes")
        with pytest.raises(ConnectionClosedError):
            client(endpoint, "s3").list_buckets()
    with cloud(tmp_path) as endpoint:
        assert client(endpoint, "s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize("service", CALLS)
def test_a_session_expires_after_its_requests_and_the_administrators_own_key_does_not(
    tmp_path: Path, service: str
) -> None:
    operation, _, code = CALLS[service]
    with cloud(tmp_path, expire_after=2) as endpoint:
        late = getattr(client(endpoint, service, ADMINISTRATOR_SESSION), operation)
        assert [refusal(late) for _ in range(4)] == ["", "", code, code]
        lasting = getattr(client(endpoint, service), operation)
        assert [refusal(lasting) for _ in range(4)] == [""] * 4
