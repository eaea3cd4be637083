"""A log that was cut under a new leader epoch is found by its epochs, and told with the exact range."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from tests.support.stock_market.broker import (
    BROKER_MAIN,
    Broker,
    broker_settings,
    distribution,
    free_port,
    java_command,
)
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.log_cutting import cut
from tests.support.stock_market.services import Workbench, eventually, quote
from tests.support.stock_market.verifying import Ask

pytestmark = pytest.mark.usefixtures("operator")

MOMENT = int(time.time() * 1000)
"""Of all records, in milliseconds; not so old that retention takes them."""


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker whose logs are cut, and another that is the controller: one that is alone starts with its old epoch."""
    home, folder = distribution(), tmp_path_factory.mktemp("fragile")
    running = Broker(home, folder)
    running.start()
    other = folder / "controller.properties"
    settings = broker_settings(free_port(), running.zookeeper_port, folder / "controller")
    other.write_text(settings.replace("broker.id=1", "broker.id=2"))
    with (folder / "controller.log").open("wb") as log:
        controller = subprocess.Popen(
            java_command(home, BROKER_MAIN, other, "160m"), stdout=log, stderr=log, cwd=folder
        )
    try:
        eventually(lambda: _brokers(running) == {1, 2}, "the other broker")
        running.kill()
        running.start()
        yield running
    finally:
        controller.kill()
        controller.wait()
        running.stop()


def _brokers(broker: Broker) -> set[int]:
    try:
        with KafkaAdminClient(**broker.client) as admin:
            return {each["broker_id"] for each in admin.describe_cluster()["brokers"]}
    except KafkaError:  # One that is listed may not listen yet.
        return set()


@pytest.fixture
def bench(fragile: Broker, bucket: Bucket, tmp_path: Path) -> Iterator[Workbench]:
    """A topic of the test's own on that broker, with two partitions."""
    made = Workbench(fragile, bucket, tmp_path)
    # Producers set the timestamps, and all are the same: only epochs can tell.
    configs = {"message.timestamp.type": "CreateTime"}
    wanted = {"num_partitions": -1, "replication_factor": -1, "assignments": {0: [1], 1: [1]}, "configs": configs}
    with KafkaAdminClient(**fragile.client) as admin:
        admin.create_topics({made.topic: wanted}, wait_for_metadata=True)
    yield made
    made.end()


def send(bench: Workbench, first: int, last: int, producer_id: str = "p", step: int = 10) -> None:
    """Sends quotes in batches, which are what a log can be cut between."""
    for start in range(first, last, step):
        bench.send([quote(number, producer_id) for number in range(start, min(start + step, last))], time_ms=MOMENT)


def lose(bench: Workbench, *offsets: int) -> None:
    """Has the broker lose the end of each partition's log, from an offset on."""
    bench.broker.kill()
    for partition, offset in enumerate(offsets):
        assert cut(bench.broker.folder / f"data/{bench.topic}-{partition}", offset) == offset
    bench.broker.start()


def stored(bench: Workbench, *ends: int) -> None:
    """Waits until the partitions' chains reach these offsets."""
    expected = dict(enumerate(ends))
    eventually(lambda: bench.bucket.check_chain() == expected, f"objects up to {expected}")


def test_a_log_cut_while_the_consumer_is_stopped_is_reported_with_its_range(bench: Workbench, ask: Ask) -> None:
    send(bench, 0, 50)
    bench.send([*(quote(number, "r") for number in range(9)), (b"HSI", b"no quote")], partition=1, time_ms=MOMENT)
    first = bench.consumer(seconds=0.2)
    eventually(lambda: bench.bucket.keys("quarantine/") != [], "the quarantine")
    stored(bench, 50, 10)
    assert first.finish() == 0
    (quarantined,) = bench.bucket.keys("quarantine/")
    bench.bucket.client.delete_object(Bucket=bench.bucket.name, Key=quarantined)
    lose(bench, 30, 0)
    send(bench, 0, 40, "q", step=40)
    bench.send([quote(number, "s") for number in range(25)], partition=1, time_ms=MOMENT)
    second = bench.consumer(seconds=0.2)
    stored(bench, 70, 25)
    assert second.finish() == 0
    assert "event=log_cut_back partition=0 start=30 end=50 lost=20 leader_epoch=" in second.log()
    before, last = [one for one in bench.bucket.objects() if one.partition == 0][-2:]
    assert (last.start, last.metadata["cut-start-offset"]) == (50, "30")
    assert int(last.metadata["leader-epoch"]) > int(before.metadata["leader-epoch"])
    # What the broker lost is in S3; of what took its place all but the offsets of the range.
    sequences = {name: sorted(counts) for name, counts in bench.bucket.sequences().items()}
    assert sequences == {"p": [*range(50)], "q": [*range(20, 40)], "r": [*range(9)], "s": [*range(10, 25)]}
    # A missing quarantine object is not made of records that are others now.
    assert "event=log_cut_back partition=1 start=0 end=10 lost=10" in second.log()
    assert "event=quarantine_lost partition=1 key=" in second.log()
    assert bench.bucket.keys("quarantine/") == []
    answer = ask()
    cuts = [finding for finding in answer.document["findings"] if finding["kind"] == "cut"]
    assert (answer.code, sorted((told["start"], told["end"]) for told in cuts)) == (1, [(0, 10), (30, 50)])
    assert "cut" not in {finding["kind"] for finding in ask("--accept-gaps").document["findings"]}
    # It is told once: the next start finds the log as it is.
    third = bench.consumer(seconds=0.2)
    eventually(lambda: third.log().count("partition_started") == 2, "the partitions")
    assert third.finish() == 0
    assert "log_cut_back" not in third.log()


def test_a_new_epoch_is_not_a_cut_and_a_log_that_is_too_short_ends_the_consumer_after_it_has_stored_its_records(
    bench: Workbench,
) -> None:
    send(bench, 0, 20)
    consumer = bench.consumer(seconds=600, session=30, records=25)
    eventually(lambda: consumer.log().count("partition_started") == 2, "the partitions")
    bench.broker.kill()
    bench.broker.start()
    send(bench, 20, 30)
    stored(bench, 25)  # Five more are held, for a batch is read whole.
    assert "log_cut_back" not in consumer.log()
    lose(bench, 20)
    send(bench, 0, 5, "q")
    assert consumer.ended() == 3
    assert "reach offset 30, but Kafka's log ends at 25" in consumer.log()
    assert bench.bucket.check_chain() == {0: 30}
    assert {name: sorted(counts) for name, counts in bench.bucket.sequences().items()} == {"p": [*range(30)]}
