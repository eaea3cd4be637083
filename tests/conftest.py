"""Puts the files that take longest first, so that none of them is alone at the end while the other workers wait."""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
LONGEST = (
    "chaos/test_chaos.py",
    "stock_market/test_consumer_faults.py",
    "stock_market/test_secured.py",
    "kafka/test_kafka_reassignment.py",
    "kafka/test_kafka_broker_config.py",
    "soak/test_soak.py",
    "stock_market/test_publisher.py",
    "stock_market/test_connections.py",
)
"""Beneath `tests`; xdist hands the files out in the order of collection (`--no-loadscope-reorder`)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the tests by file; within a file, and among all other files, the order stays."""
    place = {_TESTS / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
