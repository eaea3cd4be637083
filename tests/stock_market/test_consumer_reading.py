"""Whatever a topic holds, and however it is read: what is stored is what a transaction-aware reader would see."""

from __future__ import annotations

import subprocess

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from tests.stock_market import raw_produce
from tests.stock_market.broker import distribution
from tests.stock_market.services import Workbench, eventually, quote

pytestmark = pytest.mark.parametrize("workbench", ["batches", "records"], indirect=True)


def test_of_transactions_only_the_committed_ones_are_stored(workbench: Workbench) -> None:
    workbench.create_topic()
    producer = KafkaProducer(bootstrap_servers=workbench.broker.address, transactional_id=workbench.topic)
    producer.init_transactions()
    sequence = 0
    for kept in (True, False, True, False):
        producer.begin_transaction()
        for _ in range(20):
            key, value = quote(sequence if kept else 10_000)
            producer.send(workbench.topic, value, key, partition=0)
            sequence += kept
        producer.flush()
        if kept:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()
    consumer = workbench.consumer(seconds=0.3)
    eventually(lambda: sum(len(one.lines) for one in workbench.bucket.objects()) == 40, "the committed quotes")
    workbench.send([quote(40)])
    eventually(lambda: sum(len(one.lines) for one in workbench.bucket.objects()) == 41, "the quote after them")
    assert consumer.finish() == 0
    assert workbench.bucket.check_chain() == {0: 4 * 21 + 1}
    workbench.bucket.check_exactly_once(41)
    assert "retention_gap" not in consumer.log()


@pytest.mark.parametrize("compression", [0, 1, 3])
def test_each_compression_is_read_and_a_start_within_a_batch_skips_nothing_more(
    workbench: Workbench, compression: int
) -> None:
    workbench.create_topic()
    records = [quote(number) for number in range(300)]
    batches = raw_produce.compressed(records, 100, compression)
    raw_produce.send(workbench.broker.address, workbench.topic, [(0, one) for one in batches])
    with KafkaAdminClient(bootstrap_servers=workbench.broker.address) as admin:
        admin.delete_records({TopicPartition(workbench.topic, 0): 130})
    consumer = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 300}, "the rest of the second batch, and the third")
    assert consumer.finish() == 0
    assert [line["sequence"] for one in workbench.bucket.objects() for line in one.lines] == list(range(130, 300))


def test_a_compression_without_its_library_ends_with_a_sentence(workbench: Workbench) -> None:
    workbench.create_topic()
    place = ["--bootstrap-server", workbench.broker.address, "--topic", workbench.topic]
    command = [
        "java",
        "-Xmx64m",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{distribution()}/libs/*",
        "kafka.tools.ConsoleProducer",
    ]
    subprocess.run(
        [*command, *place, "--compression-codec", "zstd"], input=b"x" * 100, capture_output=True, check=True, timeout=60
    )
    consumer = workbench.consumer(seconds=0.3)
    assert consumer.process.wait(25) == 1
    assert "the topic's compression.type to lz4" in consumer.log()
