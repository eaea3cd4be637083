"""Hands the files of tests to the workers: the longest first, and files that share a server to one of them."""

from __future__ import annotations

import gc
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

_TESTS = Path(__file__).parent
ASK_TRINO = (
    "local_cloud/athena/test_outside_clients.py",
    "local_cloud/athena/test_athena_sql.py",
    "local_cloud/athena/test_athena_writing.py",
    "local_cloud/athena/test_athena_queries.py",
    "local_cloud/athena/test_athena_executions.py",
    "local_cloud/iam/test_least_privilege.py",
    "local_cloud/iam/test_history_role.py",
    "analyses/test_analyses_role.py",
    "analyses/test_analyses_sql.py",
    "analyses/test_new_hours.py",
    "stock_market_ops/test_query_program.py",
    "stock_market_ops/live/test_live_history.py",
    "stock_market_ops/test_compact_program.py",
    "stock_market_ops/report/test_report_program.py",
    "stock_market_ops/test_status_program.py",
    "stock_market_ops/test_verify_program.py",
    "stock_market/history/test_history_adoption.py",
    "stock_market/history/test_history_faults.py",
    "stock_market/history/test_history_hours.py",
    "stock_market/history/test_history_iceberg.py",
    "stock_market/history/test_history_late.py",
    "stock_market/history/test_history_pyiceberg.py",
    "stock_market/history/test_history_sums.py",
    "stock_market/history/test_verify_sums.py",
    "local_cloud/trino/test_trino_engine.py",  # It kills Trino, and one that is new is slow.
)
ASK_KAFKA = (
    "kafka/test_kafka_reassignment.py",
    "kafka/test_kafka_gate.py",
    "kafka/test_kafka_change.py",
    "kafka/test_kafka_broker_config.py",
    "kafka/test_kafka_restore.py",
    "kafka/test_kafka_security.py",
    "kafka/test_kafka_ready.py",
    "kafka/test_kafka_topic.py",
    "kafka/test_kafka_description.py",
)
LOG_IN = (
    "stock_market/kafka/test_secured.py",
    "stock_market/consumer/test_timestamps.py",
    "stock_market_ops/test_status_secured.py",
)
TOGETHER = {
    "those that ask Trino": ASK_TRINO,
    "those of tests/kafka that ask a broker": ASK_KAFKA,
    "those that log in to a broker": LOG_IN,
}
"""Their worker starts one Trino, one broker of each kind with one cluster, or one secured broker for all of them."""
LONGEST = (
    *ASK_TRINO,
    "stock_market/consumer/test_consumer_faults.py",
    *LOG_IN,
    "cloud/test_deployments.py",
    "local_cloud/ec2/test_session_manager.py",
    "cloud/test_access.py",
    "cloud/test_private_subnets.py",
    "cloud/test_kafka_metadata.py",
    "cloud/test_migrating_services.py",
    "local_cloud/iam/test_operator_rights.py",
    "chaos/test_chaos.py",
    "soak/test_soak.py",
    *ASK_KAFKA,
    "kafka/test_kafka_dual_write.py",
    "local_cloud/hosts/test_first_boot.py",
    "stock_market/consumer/test_group_member.py",
    "stock_market/consumer/test_consumer_cut_logs.py",
    "stock_market/consumer/test_consumer_reading.py",
    "stock_market/producer/test_publisher.py",
    "stock_market/consumer/test_consumer_objects.py",
    "stock_market_ops/test_plan.py",
    "stock_market_ops/test_catalog_role.py",
    "repository/test_operator_shell.py",
    "stock_market/kafka/test_kafka_client.py",
    "local_cloud/ec2/test_lifecycle.py",
    "stock_market/consumer/test_consumer_logs.py",
)
"""Beneath `tests`; xdist hands the files out in the order of collection (`--no-loadscope-reorder`)."""
LONG = (
    "chaos/test_chaos.py",
    "cloud/test_access.py",
    "cloud/test_deployments.py",
    "cloud/test_kafka_metadata.py",
    "cloud/test_migrating_services.py",
    "cloud/test_private_subnets.py",
    "kafka/test_kafka_dual_write.py",
    "local_cloud/athena/test_outside_clients.py",
    "local_cloud/ec2/test_session_manager.py",
    "local_cloud/hosts/test_first_boot.py",
    "soak/test_soak.py",
    "stock_market/history/test_history_adoption.py",
    "stock_market/history/test_history_faults.py",
    "stock_market/history/test_history_iceberg.py",
    "stock_market/history/test_history_pyiceberg.py",
)
"""Beneath `tests`: trials that take minutes each. The marker `long` keeps them for `make test-long`."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Looks for no garbage while imports and cases grow, and takes what is there afterwards for lasting.

    That is a third of the collection's processor time, which each worker spends.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the long tests, and sorts all by file; within a file, and among all other files, the order stays."""
    long = {_TESTS / name for name in LONG}
    for item in items:
        if item.path in long:
            item.add_marker("long")
    place = {_TESTS / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


class _Files(LoadFileScheduling):  # type: ignore[misc]  # xdist ships no types
    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        name = file.removeprefix("tests/")
        return next((group for group, files in TOGETHER.items() if name in files), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Keep the tests of a file together, and those of a group of files."""
    return _Files(config, log)
