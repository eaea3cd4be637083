"""What an unclean election takes is told with its range: a follower that was behind leads, and its log goes on."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from tests.support.stock_market.broker import (
    BROKER_MAIN,
    Broker,
    answers,
    broker_settings,
    distribution,
    free_port,
    java_command,
)
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.services import Workbench, eventually, quote

pytestmark = pytest.mark.usefixtures("operator")


class Follower:
    """A second broker beside another.

    Args:
        broker: the other one.
        folder: for data, settings and logs.
    """

    def __init__(self, broker: Broker, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        settings = broker_settings(port, broker.zookeeper_port, folder / "follower")
        (folder / "follower.properties").write_text(settings.replace("broker.id=1", "broker.id=2"))

    def start(self) -> None:
        """Starts it, and waits until it answers."""

        def up() -> bool:
            # One that was killed is still there for ZooKeeper until its session ends, and another gives up.
            if self._process is None or self._process.poll() is not None:
                command = java_command(distribution(), BROKER_MAIN, self._folder / "follower.properties", "160m")
                with (self._folder / "follower.log").open("ab") as log:
                    self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
            return answers(self.address)

        eventually(up, "the follower", 180)

    def kill(self) -> None:
        """Kills it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Broker, Follower]]:
    """Two brokers, of which the first has the groups."""
    leader = Broker(distribution(), tmp_path)
    follower = Follower(leader, tmp_path)
    try:
        leader.start()
        with KafkaAdminClient(bootstrap_servers=leader.address) as admin:
            options = {"num_partitions": 1, "replication_factor": 1, "configs": {"cleanup.policy": "compact"}}
            admin.create_topics({"__consumer_offsets": options}, wait_for_metadata=True)
        follower.start()
        yield leader, follower
    finally:
        follower.kill()
        leader.stop()


def send(address: str, topic: str, producer_id: str, first: int, last: int) -> None:
    """Sends quotes, each acknowledged by all replicas that are in sync."""
    producer = KafkaProducer(bootstrap_servers=address, acks="all")
    sent = [
        producer.send(topic, value, key, partition=0)
        for key, value in (quote(number, producer_id) for number in range(first, last))
    ]
    for future in sent:
        future.get(60)
    producer.close()


def test_a_running_consumer_reports_the_records_lost_in_an_unclean_election(
    pair: tuple[Broker, Follower], bucket: Bucket, tmp_path: Path
) -> None:
    leader, follower = pair
    bench = Workbench(leader, bucket, tmp_path)
    configs = {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}
    wanted = {"num_partitions": -1, "replication_factor": -1, "assignments": {0: [1, 2]}, "configs": configs}
    with KafkaAdminClient(bootstrap_servers=leader.address) as admin:
        admin.create_topics({bench.topic: wanted}, wait_for_metadata=True)
    consumer = bench.consumer(seconds=0.2, session=30)
    try:
        send(leader.address, bench.topic, "p", 0, 20)
        eventually(lambda: bucket.check_chain() == {0: 20}, "the first objects")
        follower.kill()
        send(leader.address, bench.topic, "p", 20, 50)
        eventually(lambda: bucket.check_chain() == {0: 50}, "what the follower lacks")
        # Else it finds the log too short, which is another matter.
        consumer.signal(signal.SIGSTOP)
        leader.kill()
        follower.start()
        send(follower.address, bench.topic, "q", 0, 60)
        leader.start()
        consumer.signal(signal.SIGCONT)
        eventually(lambda: bucket.check_chain() == {0: 80}, "what came after the election")
        assert "event=log_cut_back partition=0 start=20 end=50 lost=30 leader_epoch=" in consumer.log()
        assert consumer.finish() == 0
    finally:
        bench.end()
    told = [(one.start, one.metadata.get("cut-start-offset")) for one in bucket.objects()]
    assert (50, "20") in told
    assert {name: sorted(counts) for name, counts in bucket.sequences().items()} == {
        "p": [*range(50)],
        "q": [*range(30, 60)],
    }
