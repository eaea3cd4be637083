"""Promises of the module kafka_topic, on a real broker."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import RefusedError, config_text
from kafka.admin import KafkaAdminClient
from plugins.modules.kafka_topic import Topic, check_shape, config_changes
from tests.support.stock_market.broker import Broker

KNOWN = {
    "retention.ms": {"value": "100", "config_source": "DYNAMIC_TOPIC_CONFIG"},
    "compression.type": {"value": "producer", "config_source": "DEFAULT_CONFIG"},
    "segment.ms": {"value": "5", "config_source": "STATIC_BROKER_CONFIG"},
}


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (60000, "60000"), (["compact", "delete"], "compact,delete"), (None, None)]
)
def test_values_are_written_as_kafka_writes_them(value: object, text: str | None) -> None:
    assert config_text(value) == text


def test_only_what_differs_is_changed() -> None:
    assert config_changes({"retention.ms": "100"}, KNOWN) == {}
    assert config_changes({"retention.ms": "200"}, KNOWN) == {"retention.ms": ("100", "200")}


def test_a_brokers_default_is_pinned_when_it_is_wanted() -> None:
    assert config_changes({"compression.type": "producer"}, KNOWN) == {"compression.type": (None, "producer")}


def test_null_takes_the_topics_own_value_away_and_only_that() -> None:
    assert config_changes({"retention.ms": None, "segment.ms": None}, KNOWN) == {"retention.ms": ("100", None)}


def test_an_unknown_configuration_is_refused_by_its_name() -> None:
    with pytest.raises(RefusedError, match=r"no topic configuration retention\.m;"):
        config_changes({"retention.m": "1"}, KNOWN)


def test_fewer_partitions_and_other_replicas_are_refused() -> None:
    topic = {"partitions": [{"replica_nodes": [1]}, {"replica_nodes": [1]}]}
    assert check_shape("quotes", topic, 3, -1) == 2
    with pytest.raises(RefusedError, match="has 2 partitions and Kafka can't take any away; 1 were asked for"):
        check_shape("quotes", topic, 1, -1)
    with pytest.raises(RefusedError, match="1 replicas of each partition, 3 were asked for"):
        check_shape("quotes", topic, 2, 3)


class Bench:
    """A topic's name of the test's own, and the module's work on it."""

    def __init__(self, admin: KafkaAdminClient) -> None:
        self.admin = admin
        self.name = f"topic-{uuid.uuid4().hex[:12]}"

    def topic(self, partitions: int = 1, config: Mapping[str, object] | None = None, state: str = "present") -> Topic:
        options = {
            "name": self.name,
            "partitions": partitions,
            "replication_factor": -1,
            "config": {name.replace("_", "."): value for name, value in (config or {}).items()},
            "state": state,
            "timeout": 20,
        }
        return Topic(self.admin, options)

    def apply(self, partitions: int, *, check_mode: bool = False, **config: object) -> dict[str, Any]:
        return self.topic(partitions, config).apply(check_mode)

    def delete(self, *, check_mode: bool = False) -> dict[str, Any]:
        return self.topic(state="absent").apply(check_mode)

    def partitions(self) -> int:
        return len((self.topic().describe() or {"partitions": []})["partitions"])


@pytest.fixture
def bench(kafka: Broker) -> Any:
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        yield Bench(admin)


def test_check_mode_says_what_it_would_create_and_creates_nothing(bench: Bench) -> None:
    result = bench.apply(3, check_mode=True, retention_ms=60000)
    assert result["changed"]
    assert result["diff"]["after"] == "partitions: 3\nretention.ms: 60000\n"
    assert bench.partitions() == 0


def test_the_second_run_changes_nothing(bench: Bench) -> None:
    assert bench.apply(3, retention_ms=60000)["changed"]
    assert not bench.apply(3, retention_ms=60000)["changed"]
    assert bench.partitions() == 3


def test_partitions_are_added_and_configuration_is_changed_with_a_diff(bench: Bench) -> None:
    bench.apply(1, retention_ms=60000, segment_bytes=2000000)
    planned = bench.apply(2, check_mode=True, retention_ms=90000)
    assert bench.partitions() == 1
    assert bench.apply(2, retention_ms=90000)["diff"] == planned["diff"]
    assert planned["diff"]["before"] == "partitions: 1\nretention.ms: 60000\n"
    assert planned["diff"]["after"] == "partitions: 2\nretention.ms: 90000\n"
    assert bench.partitions() == 2
    assert not bench.apply(2, retention_ms=90000, segment_bytes=2000000)["changed"]


def test_a_value_that_the_broker_does_not_take_is_refused_and_changes_nothing(bench: Bench) -> None:
    bench.apply(1, retention_ms=60000)
    with pytest.raises(RefusedError, match="did not take"):
        bench.apply(2, retention_ms="soon")
    assert bench.partitions() == 1
    assert not bench.apply(1, retention_ms=60000)["changed"]


def test_a_topic_is_deleted_once_and_check_mode_only_says_so(bench: Bench) -> None:
    bench.apply(2)
    planned = bench.delete(check_mode=True)
    assert bench.partitions() == 2
    assert bench.delete()["diff"] == planned["diff"]
    assert planned["diff"]["before"] == "partitions: 2\n"
    assert planned["diff"]["after"] == ""
    assert bench.partitions() == 0
    assert not bench.delete()["changed"]
