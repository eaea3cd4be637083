"""Brokers for these tests, and a way to run the modules that use them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from tests.kafka.cluster import Brokers
from tests.support.stock_market.broker import Broker, distribution
from tests.support.stock_market.secured import Secured

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Kafka with ZooKeeper, as broker 1."""
    running = Broker(distribution(), tmp_path_factory.mktemp("kafka-roles"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The same with SASL_SSL, closed ACLs, and a ZooKeeper that wants certificates."""
    secured = Secured(tmp_path_factory.mktemp("secrets"))
    running = Broker(distribution(), tmp_path_factory.mktemp("kafka-secured"), secured)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def started_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Three brokers that any test may have stopped; see `brokers`."""
    running = Brokers(distribution(), tmp_path_factory.mktemp("kafka-cluster"))
    try:
        running.start()
        running.wait()
        yield running
    finally:
        running.stop_all()


@pytest.fixture
def brokers(started_brokers: Brokers) -> Brokers:
    """Three brokers that run, without topics."""
    started_brokers.wait()
    started_brokers.delete_topics()
    return started_brokers


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a module: `run("kafka_user", name="x", _check=True)` gives its result."""

    def run_module(_module: str, *, _check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {**options, "_ansible_check_mode": _check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            importlib.import_module(f"plugins.modules.{_module}").main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return result

    return run_module
