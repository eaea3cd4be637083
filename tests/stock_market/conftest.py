"""A real broker, on loopback, and moto's S3, both started once for all tests of the producer and the consumer."""

from __future__ import annotations

import logging
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from tests.stock_market.broker import Broker, distribution
from tests.stock_market.bucket import Bucket
from tests.stock_market.services import Workbench


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Kafka with ZooKeeper."""
    running = Broker(distribution(), tmp_path_factory.mktemp("kafka"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 that lives as long as the tests."""
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
def workbench(broker: Broker, bucket: Bucket, tmp_path: Path) -> Iterator[Workbench]:
    """A topic of the test's own, and the means to run services against it; whatever still runs is ended."""
    bench = Workbench(broker, bucket, tmp_path)
    yield bench
    for service in bench.services:
        if service.process.poll() is None:
            os.kill(service.process.pid, signal.SIGCONT)
            service.process.kill()
        service.process.wait(10)
