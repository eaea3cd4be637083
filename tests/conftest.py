"""Puts the files that take longest first, so that no worker has one of them left when the others have nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
LONGEST = (
    "stock_market/consumer/test_consumer_faults.py",
    "stock_market/kafka/test_secured.py",
    "cloud/test_deployments.py",
    "local_cloud/ec2/test_session_manager.py",
    "cloud/test_access.py",
    "cloud/test_private_subnets.py",
    "local_cloud/iam/test_operator_rights.py",
    "chaos/test_chaos.py",
    "soak/test_soak.py",
    "local_cloud/hosts/test_first_boot.py",
    "stock_market/consumer/test_group_member.py",
    "stock_market/consumer/test_consumer_cut_logs.py",
    "stock_market/consumer/test_consumer_reading.py",
    "stock_market/producer/test_publisher.py",
    "stock_market/consumer/test_consumer_objects.py",
    "repository/test_operator_shell.py",
    "stock_market/kafka/test_kafka_client.py",
    "local_cloud/athena/test_outside_clients.py",
    "local_cloud/athena/test_athena_sql.py",
    "local_cloud/athena/test_athena_writing.py",
    "local_cloud/ec2/test_lifecycle.py",
    "stock_market/consumer/test_consumer_logs.py",
    "kafka/test_kafka_reassignment.py",
)
"""Beneath `tests`; xdist hands the files out in the order of collection (`--no-loadscope-reorder`)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the tests by file; within a file, and among all other files, the order stays."""
    place = {_TESTS / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
