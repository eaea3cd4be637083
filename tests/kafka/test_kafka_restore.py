"""Promises of the modules kafka_snapshot and kafka_restore, on real brokers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError
from tests.kafka.conftest import Run
from tests.kafka.test_kafka_description import commit
from tests.kafka.test_kafka_security import as_user
from tests.support.stock_market.broker import Broker
from tests.support.stock_market.services import eventually


class Scene:
    """A topic with five records in its partition 1 and a group that has read three of them."""

    def __init__(self, kafka: Broker, run: Run, admin: KafkaAdminClient) -> None:
        self.kafka, self.admin, self._run = kafka, admin, run
        name = uuid.uuid4().hex[:8]
        self.topic, self.group = f"topic-{name}", f"group-{name}"
        config = {"retention.ms": "60000", "segment.bytes": "2000000"}
        admin.create_topics({self.topic: {"num_partitions": 2, "replication_factor": 1, "configs": config}})
        admin.wait_for_topics([self.topic])
        self.produce(5)
        commit(admin, self.group, TopicPartition(self.topic, 1), 3)

    def produce(self, count: int) -> None:
        with KafkaProducer(bootstrap_servers=self.kafka.address) as producer:
            for _ in range(count):
                producer.send(self.topic, b"value", partition=1).get(60)

    def own(self) -> dict[str, Any]:
        """What a snapshot has of this scene, as it lies in S3."""
        told = self._run("kafka_snapshot", bootstrap_servers=[self.kafka.address])
        assert told["changed"] is False
        whole: dict[str, Any] = json.loads(json.dumps(told["snapshot"]))
        assert not [topic for topic in whole["topics"] if topic.startswith("__")]
        return whole | {
            "topics": {self.topic: whole["topics"].get(self.topic)},
            "groups": {self.group: whole["groups"].get(self.group)},
        }

    def restore(self, snapshot: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
        result = self._run("kafka_restore", _check=check, bootstrap_servers=[self.kafka.address], snapshot=snapshot)
        assert not result.get("failed"), result["msg"]
        return result

    def forget_topic(self) -> None:
        self.admin.delete_topics([self.topic])

        def name_is_free() -> bool:
            try:
                self.admin.create_topics({self.topic: {"num_partitions": 1}}, validate_only=True)
            except TopicAlreadyExistsError:
                return False
            return True

        eventually(name_is_free, "the topic is gone")

    def forget_group(self) -> None:
        self.admin.delete_groups([self.group])


@pytest.fixture
def scene(kafka: Broker, run: Run) -> Iterator[Scene]:
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        yield Scene(kafka, run, admin)


def test_a_snapshot_has_definitions_and_offsets_and_nothing_is_missing_where_it_was_taken(scene: Scene) -> None:
    snapshot = scene.own()
    assert snapshot["topics"][scene.topic] == {
        "partitions": 2,
        "replication_factor": 1,
        "config": {"retention.ms": "60000", "segment.bytes": "2000000"},
    }
    assert snapshot["groups"][scene.group] == [{"topic": scene.topic, "partition": 1, "offset": 3}]
    result = scene.restore(snapshot)
    assert (result["changed"], result["restored"], result["not_restored"]) == (False, [], [])


def test_offsets_are_restored_where_the_log_has_them_and_the_second_run_changes_nothing(scene: Scene) -> None:
    snapshot = scene.own()
    scene.forget_group()
    planned = scene.restore(snapshot, check=True)
    assert scene.own()["groups"][scene.group] is None
    done = scene.restore(snapshot)
    assert done["diff"] == planned["diff"]
    assert done["restored"] == [f"group {scene.group}: {scene.topic}-1 at 3"]
    assert scene.own()["groups"] == snapshot["groups"]
    assert not scene.restore(snapshot)["changed"]


def test_a_lost_topic_comes_back_and_its_old_offsets_are_refused_with_a_sentence(scene: Scene) -> None:
    snapshot = scene.own()
    scene.forget_group()
    scene.forget_topic()
    planned = scene.restore(snapshot, check=True)
    assert scene.topic not in scene.admin.list_topics()
    done = scene.restore(snapshot)
    assert done["diff"] == planned["diff"]
    assert done["diff"]["before"] == ""
    assert scene.own()["topics"] == snapshot["topics"]
    assert scene.own()["groups"][scene.group] in (None, [])
    (sentence,) = done["not_restored"]
    assert f"The offset 3 of the group {scene.group} in {scene.topic}-1: the log has 0 to 0 only" in sentence
    assert not scene.restore(snapshot)["changed"]


def test_missing_partitions_and_configuration_come_back_and_more_partitions_stay(scene: Scene) -> None:
    snapshot = scene.own()
    snapshot["topics"][scene.topic] |= {"partitions": 3, "config": {"retention.ms": "90000"}}
    done = scene.restore(snapshot)
    assert done["diff"]["before"] == f"topic {scene.topic}: 2 partitions\ntopic {scene.topic}: retention.ms=60000\n"
    assert done["diff"]["after"] == f"topic {scene.topic}: 3 partitions\ntopic {scene.topic}: retention.ms=90000\n"
    assert scene.own()["topics"][scene.topic]["config"] == {"retention.ms": "90000", "segment.bytes": "2000000"}
    snapshot["topics"][scene.topic]["partitions"] = 1
    again = scene.restore(snapshot)
    assert not again["changed"]
    assert "has 3 partitions, the backup 1" in again["not_restored"][0]


def test_a_topic_of_a_larger_cluster_gets_the_replicas_that_there_are_and_can_be_written(scene: Scene) -> None:
    snapshot = scene.own()
    scene.forget_topic()
    snapshot["topics"][scene.topic] |= {"replication_factor": 3, "config": {"min.insync.replicas": "2"}}
    done = scene.restore(snapshot)
    assert any("had 3 replicas and gets 1" in said for said in done["not_restored"])
    assert any("min.insync.replicas" in said for said in done["not_restored"])
    scene.produce(1)


def test_a_committed_offset_is_not_moved(scene: Scene) -> None:
    snapshot = scene.own()
    commit(scene.admin, scene.group, TopicPartition(scene.topic, 1), 4)
    done = scene.restore(snapshot)
    assert not done["changed"]
    assert "has committed other ones, which stay" in done["not_restored"][0]
    assert scene.own()["groups"][scene.group][0]["offset"] == 4


def test_the_offsets_of_a_running_group_are_refused(scene: Scene) -> None:
    snapshot = scene.own()
    snapshot["groups"][scene.group].append({"topic": scene.topic, "partition": 0, "offset": 0})
    consumer = KafkaConsumer(
        scene.topic, bootstrap_servers=scene.kafka.address, group_id=scene.group, enable_auto_commit=False
    )
    with consumer:
        # Long polls: kafka-python throws a join away that ends between two of them.
        eventually(lambda: bool(consumer.poll(3000) or consumer.assignment()), "an assignment")
        done = scene.restore(snapshot)
    assert not done["changed"]
    assert f"The offsets of the group {scene.group}: it is running" in done["not_restored"][0]


def test_acls_without_an_authorizer_are_reported(scene: Scene) -> None:
    snapshot = scene.own()
    assert snapshot["acls"] is None
    snapshot["acls"] = [{"principal": "User:a"}]
    assert "no authorizer" in scene.restore(snapshot)["not_restored"][0]


def test_acls_come_back_and_missing_users_are_named(secured_kafka: Broker, run: Run) -> None:
    user = f"user-{uuid.uuid4().hex[:8]}"
    connection = as_user(secured_kafka)
    binding = {"resource_type": "topic", "resource_name": user, "pattern": "prefixed", "operations": ["read"]}
    run("kafka_acl", principals=[{"principal": f"User:{user}", "bindings": [binding]}], **connection)
    run("kafka_user", users=[{"name": user, "password": "a" * 32}], **connection)
    snapshot = json.loads(json.dumps(run("kafka_snapshot", **connection)["snapshot"]))
    assert snapshot["users"][user] == [{"mechanism": "SCRAM-SHA-512", "iterations": 4096}]
    assert not run("kafka_restore", snapshot=snapshot, **connection)["changed"]

    run("kafka_acl", principals=[{"principal": f"User:{user}", "bindings": []}], **connection)
    run("kafka_user", users=[{"name": user, "state": "absent"}], **connection)
    eventually(lambda: user not in run("kafka_snapshot", **connection)["snapshot"]["users"], "the user is gone")
    planned = run("kafka_restore", _check=True, snapshot=snapshot, **connection)
    done = run("kafka_restore", snapshot=snapshot, **connection)
    assert done["diff"] == planned["diff"]
    assert done["restored"] == [f"acl User:{user}: allow read on topic {user}*"]
    assert done["users_missing"] == [user]
    assert run("kafka_snapshot", **connection)["snapshot"]["acls"] == snapshot["acls"]
