"""Promises of the module kafka_broker_config, on real brokers: cluster-wide properties change while they run."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_dynamic
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_dynamic import Property, plain, same
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import MessageSizeTooLargeError
from plugins.modules.kafka_broker_config import lagging, next_step, stubborn
from tests.kafka.cluster import Brokers
from tests.kafka.conftest import Run
from tests.support.stock_market.broker import Broker
from tests.support.stock_market.services import eventually

MANAGED = ["log.retention.ms", "log.segment.bytes", "message.max.bytes", "num.io.threads", "num.network.threads"]


class Bench:
    """The module's work on one broker."""

    def __init__(self, kafka: Broker, run: Run) -> None:
        self.kafka = kafka
        self._run = partial(run, "kafka_broker_config", bootstrap_servers=[kafka.address], managed=MANAGED, timeout=60)

    def apply(self, *, _check: bool = False, **config: Any) -> dict[str, Any]:
        result = self._run(config={name.replace("_", "."): value for name, value in config.items()}, _check=_check)
        return dict(result)

    def set(self) -> dict[str, str | None]:
        """What the broker says is set for all of them."""
        with KafkaAdminClient(bootstrap_servers=self.kafka.address) as admin:
            return dict(kafka_dynamic.declared(admin))

    def held(self, name: str) -> Property:
        """What the broker has of a property."""
        with KafkaAdminClient(bootstrap_servers=self.kafka.address) as admin:
            found: Property = kafka_dynamic.properties(admin, 1, [name])[name]
            return found

    def topic(self) -> str:
        name = f"plain-{uuid.uuid4().hex[:12]}"
        with KafkaAdminClient(bootstrap_servers=self.kafka.address) as admin:
            admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
            admin.wait_for_topics([name])
        return name

    def produce(self, topic: str, size: int) -> None:
        with KafkaProducer(bootstrap_servers=self.kafka.address, acks="all", max_request_size=10_000_000) as producer:
            producer.send(topic, b"x" * size).get(60)

    def first_offset(self, topic: str) -> int:
        with KafkaConsumer(bootstrap_servers=self.kafka.address) as consumer:
            return int(consumer.beginning_offsets([TopicPartition(topic, 0)])[TopicPartition(topic, 0)])


@pytest.fixture
def bench(kafka: Broker, run: Run) -> Iterator[Bench]:
    found = Bench(kafka, run)
    yield found
    assert not found.apply().get("failed")
    assert found.set() == {}


def test_the_second_run_changes_nothing_and_check_mode_sets_nothing(bench: Bench) -> None:
    planned = bench.apply(log_retention_ms=86400000, _check=True)
    assert bench.set() == {}
    done = bench.apply(log_retention_ms=86400000)
    assert done["changed"]
    assert done["diff"] == planned["diff"]
    assert (done["diff"]["before"], done["diff"]["after"]) == ("", "log.retention.ms: 86400000\n")
    assert bench.set() == done["config"] == planned["config"] == {"log.retention.ms": "86400000"}
    assert not bench.apply(log_retention_ms=86400000)["changed"]


def test_a_running_broker_deletes_what_a_shorter_retention_says(bench: Bench) -> None:
    topic = bench.topic()
    bench.produce(topic, 100)
    bench.apply(log_retention_ms=86400000)
    assert bench.first_offset(topic) == 0
    bench.apply(log_retention_ms=500)
    eventually(lambda: bench.first_offset(topic) == 1, "the record is deleted")


def test_a_running_broker_takes_larger_records_as_soon_as_the_module_returns(bench: Bench) -> None:
    topic = bench.topic()
    with pytest.raises(MessageSizeTooLargeError):
        bench.produce(topic, 2_000_000)
    bench.apply(message_max_bytes=3_000_000)
    bench.produce(topic, 2_000_000)


def test_what_is_declared_no_more_is_taken_away_and_what_is_not_managed_stays(bench: Bench) -> None:
    bench.apply(log_retention_ms=1000, log_segment_bytes=2000000, max_connections=500)
    result = bench.apply(log_segment_bytes=None)
    assert result["diff"]["before"] == "log.retention.ms: 1000\nlog.segment.bytes: 2000000\n"
    assert result["diff"]["after"] == ""
    assert bench.set() == result["config"] == {"max.connections": "500"}
    assert not bench.held("log.segment.bytes").of_cluster
    with KafkaAdminClient(bootstrap_servers=bench.kafka.address) as admin:
        assert not kafka_dynamic.refusal(admin, 1, {"max.connections": None}, validate_only=False)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"log_retention_ms": "soon"},
            (
                "Kafka refuses the brokers' configuration (log.retention.ms=soon, log.segment.bytes=2000000), and "
                "nothing was set: Invalid value soon for configuration log.retention.ms: Not a number of type LONG. "
                "Correct the value."
            ),
        ),
        ({"max_connections": 0}, "and nothing was set: Invalid max.connections 0. Correct the value."),
        ({"num_io_threads": 0}, "Invalid value 0 for configuration num.io.threads: Value must be at least 1"),
        (
            {"log_cleaner_threads": 64, "log_cleaner_dedupe_buffer_size": 8388608},
            "nothing was set: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread. Correct",
        ),
        ({"num_io_threads": 64, "log_roll_ms": 0}, "log.roll.ms must be greater than or equal to 1"),
        ({"log_dirs": "/tmp"}, "Cannot update these configs dynamically: Set(log.dirs)"),
        ({"log_retention_m": 1}, "Kafka knows no broker configuration log.retention.m; correct the name."),
    ],
)
def test_a_value_that_kafka_refuses_is_named_and_nothing_is_set(
    bench: Bench, wrong: dict[str, object], words: str, check: bool
) -> None:
    result = bench.apply(log_segment_bytes=2000000, **wrong, _check=check)
    assert result["failed"]
    assert words in result["msg"]
    assert bench.set() == {}


def test_threads_go_as_far_as_wanted_and_back_though_kafka_only_doubles_and_halves(bench: Bench) -> None:
    few = bench.held("num.io.threads").value
    assert few == "2"
    assert bench.apply(num_io_threads=33, num_network_threads=5, _check=True)["changed"]
    assert bench.held("num.io.threads").value == few
    result = bench.apply(num_io_threads=33, num_network_threads=5, log_segment_bytes=2000000)
    assert result["diff"]["after"] == "log.segment.bytes: 2000000\nnum.io.threads: 33\nnum.network.threads: 5\n"
    assert bench.held("num.io.threads").value == "33"
    assert bench.held("num.network.threads").value == "5"
    assert not bench.apply(num_io_threads=33, num_network_threads=5, log_segment_bytes=2000000)["changed"]
    assert bench.apply()["changed"]
    assert bench.held("num.io.threads").value == few


def test_every_broker_has_it_and_one_that_was_away_reads_it_when_it_starts(brokers: Brokers, run: Run) -> None:
    options = {"bootstrap_servers": brokers.servers, "managed": MANAGED, "timeout": 30}
    brokers.stop(3)
    result = run("kafka_broker_config", config={"num.io.threads": 16, "log.retention.ms": 1000}, **options)
    assert result["changed"]
    with brokers.admin() as admin:
        for broker in (1, 2):
            held = kafka_dynamic.properties(admin, broker, MANAGED)
            assert (held["num.io.threads"].value, held["log.retention.ms"].value) == ("16", "1000")
    brokers.start(3)
    brokers.wait()
    assert not run("kafka_broker_config", config={"num.io.threads": 16, "log.retention.ms": 1000}, **options)["changed"]
    with brokers.admin() as admin:
        assert kafka_dynamic.properties(admin, 3, MANAGED)["num.io.threads"].value == "16"

        _own_threads(admin, "12")
        again = run("kafka_broker_config", config={"num.io.threads": 17}, **options)
        assert "Broker 2 has a num.io.threads of its own, 12, so that of the cluster, 17," in str(again["warnings"])
        _own_threads(admin, None)
    assert run("kafka_broker_config", config={}, **options)["config"] == {}


def _own_threads(admin: KafkaAdminClient, value: str | None) -> None:
    """Gives broker 2 a number of threads of its own, or takes it away."""
    operation = ("DELETE", None) if value is None else ("SET", value)
    admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, "2", {"num.io.threads": operation})])


def has(value: str, *, own: bool = False, fallback: str = "8") -> dict[str, Property]:
    return {"num.io.threads": Property(value, own, not own, fallback)}


def test_a_step_is_within_the_reach_of_every_broker() -> None:
    up, down = {"num.io.threads": "64", "log.retention.ms": "1"}, {"num.io.threads": None}
    assert next_step(up, {1: has("8")}) == {"num.io.threads": "16", "log.retention.ms": "1"}
    assert next_step(up, {1: has("8"), 2: has("10")})["num.io.threads"] == "16"
    assert next_step(up, {1: has("32"), 2: has("8", own=True)}) == up
    assert next_step(down, {1: has("64")}) == {"num.io.threads": "32"}
    assert next_step(down, {1: has("16")}) == down
    assert next_step({"num.io.threads": "many"}, {1: has("8")}) == {"num.io.threads": "many"}


def test_a_broker_that_did_not_apply_a_value_lags_and_one_with_its_own_is_stubborn() -> None:
    wanted = {"num.io.threads": "16"}
    brokers = {1: has("16"), 2: has("8"), 3: has("4", own=True)}
    assert lagging(wanted, brokers) == ["num.io.threads is 8 on broker 2"]
    assert [words[:38] for words in stubborn(wanted, brokers)] == ["Broker 3 has a num.io.threads of its o"]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [("0.50", "0.5", True), ("TRUE", "true", True), ("a, b", "a,b", True), ("1", "2", False), ("a", "b", False)],
)
def test_values_that_kafka_reads_alike_are_the_same(one: str, other: str, alike: bool) -> None:
    assert same(one, other) is alike


def test_kafkas_words_come_without_its_classes() -> None:
    inner = "Dynamic thread count update validation failed for num.io.threads=64"
    outer = "Invalid value org.apache.kafka.common.config.ConfigException: {} for configuration {}"
    assert plain(outer.format(inner, "Invalid dynamic configuration")) == inner
    assert plain("Not a number.") == "Not a number"
