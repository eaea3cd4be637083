"""What we mend of kafka-python holds against a real broker."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import TopicAlreadyExistsError
from kafka.structs import MemberState
from tests.support.stock_market.services import PATIENCE_SECONDS, Workbench, eventually, quote

from stock_market.kafka.client import MendedConsumer

_COUNT = 3000


def _read_around_a_pause(workbench: Workbench, kind: type[KafkaConsumer]) -> tuple[int, int]:
    """Pauses a partition read in part; returns what comes of it after `resume`, and of the other meanwhile."""
    workbench.create_topic(partitions=2)
    for partition in (0, 1):
        workbench.send([quote(number) for number in range(_COUNT)], partition)
    consumer = kind(bootstrap_servers=workbench.broker.address, group_id=None, auto_offset_reset="earliest")
    places = [TopicPartition(workbench.topic, partition) for partition in (0, 1)]
    consumer.assign(places)

    def read(wanted: int) -> int:
        """Polls until that many records have come, and some times more for such as should not."""
        found, more, end = 0, 5, time.monotonic() + PATIENCE_SECONDS
        while more and time.monotonic() < end:
            found += sum(map(len, consumer.poll(timeout_ms=200).values()))
            more -= found >= wanted
        return found

    first: dict[TopicPartition, object] = {}
    while not first:
        first = consumer.poll(timeout_ms=200, max_records=100)
    (paused,) = first
    consumer.pause(paused)
    other = read(_COUNT)
    consumer.resume(paused)
    rest = read(_COUNT - 100)
    consumer.close()
    return rest, other


def test_a_paused_partition_is_read_on_after_resume(workbench: Workbench) -> None:
    assert _read_around_a_pause(workbench, MendedConsumer) == (_COUNT - 100, _COUNT)


def _claim_after_an_expulsion(workbench: Workbench, kind: type[KafkaConsumer]) -> list[int]:
    """The partitions that a consumer says it has when it joins again after it was thrown out of its group."""
    workbench.create_topic(partitions=4)
    consumer = kind(
        bootstrap_servers=workbench.broker.address,
        group_id=workbench.group,
        partition_assignment_strategy=[CooperativeStickyAssignor],
        session_timeout_ms=3000,
        heartbeat_interval_ms=300,
        max_poll_interval_ms=5000,
    )
    coordinator = consumer._coordinator
    claims: list[list[int]] = []
    tell = coordinator.group_protocols

    def listen() -> Any:
        protocols = tell()
        claims.append(
            [number for _, said in protocols for owned in said.owned_partitions for number in owned.partitions]
        )
        return protocols

    def assigned() -> bool:
        consumer.poll(timeout_ms=100)
        return len(consumer.assignment()) == 4

    consumer.subscribe([workbench.topic])
    eventually(assigned, "all partitions")
    coordinator.group_protocols = listen
    coordinator.reset_generation()  # What it does when the group's coordinator does not know it any more.
    eventually(lambda: assigned() and bool(claims), "all partitions again")
    consumer.close()
    return claims[0]


def test_a_consumer_thrown_out_of_its_group_claims_nothing(workbench: Workbench) -> None:
    assert _claim_after_an_expulsion(workbench, MendedConsumer) == []


def _joins_after_topics_were_gone(workbench: Workbench, kind: type[KafkaConsumer]) -> bool:
    """Whether a group's leader is a member again after one of its topics was gone while it joined, as far as a broker
    that starts may tell."""
    workbench.create_topic(partitions=2)
    other = f"{workbench.topic}-other"

    def create_other(admin: KafkaAdminClient) -> bool:
        try:
            admin.create_topics({other: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            return False
        return True

    def member(name: str) -> KafkaConsumer:
        consumer = kind(
            bootstrap_servers=workbench.broker.address,
            client_id=name,
            group_id=workbench.group,
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=2000,
            heartbeat_interval_ms=200,
            max_poll_interval_ms=30_000,
        )
        consumer.subscribe([workbench.topic, other])
        return consumer

    def told(there: bool) -> bool:
        cluster = leader._manager.cluster
        cluster.request_update()
        return (cluster.partitions_for_topic(other) is not None) == there

    def begins_to_join() -> bool:
        leader.poll(timeout_ms=50)
        return bool(leader.group_metadata().state == MemberState.REBALANCING)

    def joined(one: KafkaConsumer) -> bool:
        one.poll(timeout_ms=500)
        return bool(one.group_metadata().state == MemberState.STABLE and one.assignment())

    def poll_until_joined(one: KafkaConsumer) -> None:
        eventually(lambda: joined(one), "it joins")

    with KafkaAdminClient(**workbench.broker.client) as admin:
        create_other(admin)
        leader = member("leader")
        poll_until_joined(leader)
        # The round does not end before this one, which soon polls no more, has joined it, too, or has left.
        follower = member("follower")
        with ThreadPoolExecutor(1) as pool:
            joining = pool.submit(poll_until_joined, follower)
            eventually(lambda: joined(leader) and joining.done(), "both are members")
            joining.result()
        admin.delete_topics([other])
        eventually(lambda: told(False), "the leader hears that the topic is gone")
        eventually(begins_to_join, "the leader begins to join again")
        eventually(lambda: create_other(admin), "the topic's name is free")
        eventually(lambda: told(True), "the leader hears that the topic is back")
        follower.close()
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and not joined(leader):
            pass
        found = joined(leader)
        leader.close()
        admin.delete_topics([other])
    return found


def test_a_leader_that_has_begun_to_join_again_goes_through_with_it(workbench: Workbench) -> None:
    assert _joins_after_topics_were_gone(workbench, MendedConsumer)


OTHER = """
from kafka import KafkaConsumer
KafkaConsumer.__init__ = lambda self, *topics, **options: self.__dict__.update(PARTS)
KafkaConsumer.poll = lambda self, **options: {}
from stock_market.kafka import client
client.Log.warning = lambda self, event, **fields: print(fields["methods"])
for _ in range(2):
    assert client.MendedConsumer(group_id="g").poll(timeout_ms=1) == {}
"""
PARTS = {
    "{}": ["Fetcher._next_partition_records", "KafkaConsumer._coordinator"],
    "{'_coordinator': object()}": [
        "Fetcher._next_partition_records",
        "ConsumerCoordinator.need_rejoin",
        "CooperativeStickyAssignor.metadata",
    ],
}


@pytest.mark.parametrize("parts", PARTS)
def test_another_kafka_python_is_left_alone_and_named_once(parts: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", OTHER.replace("PARTS", parts)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines() == PARTS[parts]
