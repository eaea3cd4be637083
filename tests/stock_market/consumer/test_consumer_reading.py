"""Whatever a topic holds, and however it is read: what is stored is what a transaction-aware reader would see."""

from __future__ import annotations

import base64
import subprocess

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from tests.support.stock_market import raw_produce
from tests.support.stock_market.broker import VERSION, distribution, tool_command
from tests.support.stock_market.fetched import batch
from tests.support.stock_market.services import Workbench, eventually, quote

from kafka_distribution.tools import tools

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


@pytest.mark.parametrize("compression", [0, 1, 2, 3, 4])
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


def test_what_an_outside_java_producer_compresses_is_read(workbench: Workbench) -> None:
    workbench.create_topic()
    place = ["--bootstrap-server", workbench.broker.address, "--topic", workbench.topic]
    command = tool_command(
        distribution(), tools(VERSION)["kafka-console-producer"], *place, "--property", "parse.key=true"
    )
    codecs = ["zstd", "snappy"]
    for number, codec in enumerate(codecs):
        pairs = (quote(sequence) for sequence in range(400 * number, 400 * (number + 1)))
        lines = b"".join(b"%b\t%b\n" % pair for pair in pairs)
        subprocess.run(
            [*command, "--compression-codec", codec],
            input=lines,
            capture_output=True,
            check=True,
            timeout=180,
        )
    consumer = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 800}, "what both have sent")
    assert consumer.finish() == 0
    assert [line["sequence"] for one in workbench.bucket.objects() for line in one.lines] == list(range(800))
    assert workbench.bucket.objects("quarantine/") == []


def test_a_batch_that_is_too_large_unpacked_goes_to_the_quarantine_and_the_stream_continues(
    workbench: Workbench,
) -> None:
    workbench.create_topic()
    bomb = batch(0, [(b"k", bytes(9 << 20)), quote(0)], compression=4)
    assert len(bomb) < 4000
    before, after = batch(0, [quote(0), quote(1)]), batch(0, [quote(2)], compression=2)
    raw_produce.send(workbench.broker.address, workbench.topic, [(0, before), (0, bomb), (0, after)])
    consumer = workbench.consumer(seconds=0.3, extra="[limits]\nunpacked_batch_bytes = 1048576\n")
    eventually(lambda: workbench.bucket.check_chain() == {0: 5}, "the quote after the bomb")
    assert consumer.finish() == 0
    assert [line["sequence"] for one in workbench.bucket.objects() for line in one.lines] == [0, 1, 2]
    lines = [line for one in workbench.bucket.objects("quarantine/") for line in one.lines]
    assert [line["offset"] for line in lines] == [2, 3]
    reason = "the record batch of the offsets 2 to 3 (compression zstd) cannot be read: it is larger than 1048576 bytes"
    assert all(line["reason"].startswith(reason) for line in lines)
    held = bytearray(base64.b64decode(lines[0]["value"]))
    assert held[61:] == bomb[61:]
    assert "event=batch_unreadable" in consumer.log()
