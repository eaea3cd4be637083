"""A broker of these tests' own, and the project's module_utils where Ansible's modules look for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ansible.module_utils
import pytest
from tests.stock_market.broker import Broker, distribution

ansible.module_utils.__path__.append(str(Path(__file__).resolve().parents[2] / "plugins" / "module_utils"))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Kafka with ZooKeeper, as broker 1."""
    running = Broker(distribution(), tmp_path_factory.mktemp("kafka-roles"))
    running.start()
    yield running
    running.stop()
