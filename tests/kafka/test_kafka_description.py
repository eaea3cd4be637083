"""Promises of the module kafka_description, on a real broker."""

from __future__ import annotations

import uuid

from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, NoError, NotCoordinatorError
from kafka.structs import OffsetAndMetadata
from tests.kafka.conftest import Run
from tests.support.stock_market.broker import Broker
from tests.support.stock_market.services import eventually


def commit(admin: KafkaAdminClient, group: str, partition: TopicPartition, offset: int) -> None:
    """Commit an offset, as soon as the broker has made the topic of the groups' offsets."""

    def done() -> bool:
        try:
            answer = admin.alter_group_offsets(group, {partition: OffsetAndMetadata(offset, "", -1)})
        except (CoordinatorNotAvailableError, NotCoordinatorError):
            return False
        return bool(answer[partition] is NoError)

    eventually(done, "a coordinator")


def test_topics_partitions_and_lag_are_described(kafka: Broker, run: Run) -> None:
    topic, group = f"topic-{uuid.uuid4().hex[:8]}", f"group-{uuid.uuid4().hex[:8]}"
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 1}})
        with KafkaProducer(bootstrap_servers=kafka.address) as producer:
            for _ in range(5):
                producer.send(topic, b"value", partition=1).get(20)
        commit(admin, group, TopicPartition(topic, 1), 3)
    options = {"bootstrap_servers": [kafka.address], "managed": ["log.segment.bytes"]}
    run("kafka_broker_config", config={"log.segment.bytes": 2000000}, **options)
    told = run("kafka_description", bootstrap_servers=[kafka.address])
    run("kafka_broker_config", config={}, **options)
    assert told["changed"] is False
    assert told["config"] == {"log.segment.bytes": "2000000"}
    assert (told["controller"], [broker["broker_id"] for broker in told["brokers"]]) == (1, [1])
    assert told["topics"][topic][1] == {"partition": 1, "leader": 1, "replicas": [1], "isr": [1], "end": 5}
    assert told["groups"][group]["state"] == "Empty"
    assert told["groups"][group]["partitions"] == [{"topic": topic, "partition": 1, "committed": 3, "end": 5, "lag": 2}]


def test_brokers_that_are_away_are_one_sentence(run: Run) -> None:
    told = run("kafka_description", bootstrap_servers=["127.0.0.1:9"], timeout=1)
    assert told["failed"]
    assert "127.0.0.1:9" in told["msg"]
