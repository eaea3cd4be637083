"""A real broker, on loopback, and moto's S3, both started once for all tests; and what sessions of botocore share."""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from moto.moto_server import threaded_moto_server
from moto.server import ThreadedMotoServer
from tests.support.stock_market.broker import Broker, distribution
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.lake import Lake
from tests.support.stock_market.secured import Secured
from tests.support.stock_market.services import Workbench
from tests.support.stock_market.verifying import Ask

from local_cloud.api.dispatcher import Dispatcher
from local_cloud.s3 import writes as s3_writes


@pytest.fixture(scope="session", autouse=True)
def _one_loader() -> Iterator[None]:
    """Lets sessions share what botocore has read of the services: a client is 5 ms of work then, not 35 to 150."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_look_for_services() -> Iterator[None]:
    """Lets moto's servers look for each host's service once, as the local cloud's do, and not for each request."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threaded_moto_server, "DomainDispatcherApplication", lambda _create_app: Dispatcher())
        yield


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Kafka with ZooKeeper."""
    running = Broker(distribution(), tmp_path_factory.mktemp("kafka"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def secured_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The same with SASL_SSL, closed ACLs, and a ZooKeeper that wants certificates."""
    secured = Secured(tmp_path_factory.mktemp("secrets"))
    running = Broker(distribution(), tmp_path_factory.mktemp("kafka-secured"), secured)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 that lives as long as the tests."""
    s3_writes.install()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_endpoint: str) -> Bucket:
    """A bucket of the test's own."""
    return Bucket(s3_endpoint, f"test-{uuid.uuid4().hex[:20]}")


@pytest.fixture
def lake(bucket: Bucket) -> Lake:
    """The bucket, to be filled with objects of the chain."""
    return Lake(bucket)


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's own credentials, for the operator's programs."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def ask(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The verifier, on the bucket."""
    return Ask(bucket, capsys)


@pytest.fixture
def workbench(request: pytest.FixtureRequest, broker: Broker, bucket: Bucket, tmp_path: Path) -> Iterator[Workbench]:
    """A topic of the test's own, and the means to run services against it; whatever still runs is ended.

    Its parameter, where there is one, is how consumers read: `batches` or `records`.
    """
    bench = Workbench(broker, bucket, tmp_path)
    bench.reader = getattr(request, "param", bench.reader)
    yield bench
    bench.end()


@pytest.fixture
def secured_workbench(secured_broker: Broker, bucket: Bucket, tmp_path: Path) -> Iterator[Workbench]:
    """The same on a broker that takes nobody without a password."""
    bench = Workbench(secured_broker, bucket, tmp_path)
    yield bench
    bench.end()
