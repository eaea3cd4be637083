"""From a producer through a real broker to S3: what must hold whatever happens on the way."""

from __future__ import annotations

import time

import msgspec
import pytest
from tests.support.stock_market.services import Workbench, eventually

from stock_market.producer import sample
from stock_market.producer.replay_file import Order, ReplayFile
from stock_market_ops.market_data.market import Options, prepare


def caught_up(bench: Workbench) -> None:
    """Waits until the objects reach the end of every partition."""
    expected = bench.record_count()
    eventually(lambda: sum(bench.bucket.check_chain().values()) == expected, f"{expected} records in the bucket")


def test_every_record_of_a_producer_is_in_the_bucket_once(workbench: Workbench) -> None:
    workbench.create_topic(partitions=3)
    consumer = workbench.consumer()
    producer = workbench.producer(rate=5000)
    eventually(lambda: len(workbench.bucket.keys()) >= 6, "two objects a partition")
    assert producer.finish() == 0
    caught_up(workbench)
    assert consumer.finish() == 0
    assert workbench.bucket.check_exactly_once() == workbench.record_count()


def test_a_broker_restart_loses_and_doubles_nothing(workbench: Workbench) -> None:
    workbench.create_topic(partitions=2)
    consumer = workbench.consumer()
    producer = workbench.producer(rate=2000)
    eventually(lambda: len(workbench.bucket.keys()) >= 2, "the first objects")
    before = workbench.record_count()
    workbench.broker.kill()
    time.sleep(1.5)
    workbench.broker.start()
    eventually(lambda: workbench.record_count() > before + 1000, "records after the restart")
    assert producer.finish() == 0
    assert "unsent=0" in producer.log()
    caught_up(workbench)
    assert consumer.finish() == 0
    assert workbench.bucket.check_exactly_once() == workbench.record_count()


def test_a_killed_producer_leaves_a_sequence_without_gaps(workbench: Workbench) -> None:
    workbench.create_topic()
    first = workbench.producer(rate=5000)
    eventually(lambda: workbench.record_count() > 500, "records")
    first.process.kill()
    first.process.wait()
    before = workbench.record_count()
    second = workbench.producer(rate=5000)
    # More than the first one may have had on its way.
    eventually(lambda: workbench.record_count() > before + 2000, "records of the second one")
    assert second.finish() == 0
    sequences: dict[str, list[int]] = {}
    for record in workbench.records_in_topic():
        sequences.setdefault(record["producer_id"], []).append(record["sequence"])
    assert len(sequences) == 2
    for numbers in sequences.values():
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("order", ["file", "random", "time"])
def test_a_replayed_file_is_sent_whole_and_the_program_ends(workbench: Workbench, order: Order) -> None:
    workbench.create_topic()
    data = workbench.folder / "sample.csv"
    data.write_bytes(sample.content())
    told = msgspec.json.decode(prepare(Options(path=str(data), order=order), workbench.folder))
    extra = f'mode = "replay"\n[replay]\npath = "{told["path"]}"\nspeed = 1e9\nloop = false'
    producer = workbench.producer(rate=100_000, extra=extra)
    assert producer.ended() == 0
    sent = workbench.records_in_topic()
    rows = [msgspec.json.decode(line) for line in ReplayFile(told["path"]).lines(loop=False, seed=1)]
    assert len(sent) == len(rows) == 254
    assert [record["sequence"] for record in sent] == list(range(254))
    found = [{name: value for name, value in record.items() if name in rows[0]} for record in sent]
    assert found == rows
    times = [record["event_time"] for record in sent]
    assert (times == sorted(times)) == (order != "random")
