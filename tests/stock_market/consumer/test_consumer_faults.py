"""The chain of objects holds whatever becomes of a consumer, of its offsets, and of S3's answers."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, OffsetAndMetadata, TopicPartition
from tests.stock_market.consumer.test_pipeline import caught_up
from tests.support.stock_market import raw_produce
from tests.support.stock_market.broker import Broker, free_port
from tests.support.stock_market.faulty_s3 import FaultyS3
from tests.support.stock_market.log_cutting import cut
from tests.support.stock_market.scraping import table, wait_until_held
from tests.support.stock_market.services import Workbench, eventually, market_quotes, quote


def quotes(first: int, last: int, producer_id: str = "p") -> list[tuple[bytes | None, bytes | None]]:
    """Valid records with these sequence numbers."""
    return [quote(number, producer_id) for number in range(first, last)]


@pytest.fixture
def gateway(workbench: Workbench) -> Iterator[FaultyS3]:
    """A way to the bucket on which things go wrong."""
    running = FaultyS3(workbench.bucket.endpoint)
    yield running
    running.close()


def commit(workbench: Workbench, offset: int, key: str) -> None:
    """Commits an offset for the test's group, as an earlier consumer did."""
    meddler = KafkaConsumer(
        bootstrap_servers=workbench.broker.address, group_id=workbench.group, enable_auto_commit=False
    )
    place = TopicPartition(workbench.topic, 0)
    meddler.assign([place])
    meddler.commit({place: OffsetAndMetadata(offset, key, -1)})
    meddler.close()


def test_a_killed_consumer_leaves_no_gap(workbench: Workbench) -> None:
    workbench.create_topic(partitions=2)
    producer = workbench.producer(rate=3000)
    for _ in range(2):
        stored = len(workbench.bucket.keys())
        consumer = workbench.consumer(seconds=0.3)
        eventually(lambda stored=stored: len(workbench.bucket.keys()) >= stored + 3, "objects")  # type: ignore[misc]  # mypy infers no lambda with a default
        consumer.process.kill()
    last = workbench.consumer(seconds=0.3)
    assert producer.finish() == 0
    caught_up(workbench)
    assert last.finish() == 0
    assert workbench.bucket.check_exactly_once() == workbench.record_count()


def test_a_zombie_that_wakes_up_late_doubles_nothing(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send(quotes(0, 300))
    port = free_port()
    zombie = workbench.consumer(seconds=600, extra=table(port))
    wait_until_held(zombie, port, 300)
    zombie.signal(signal.SIGSTOP)
    heir = workbench.consumer(seconds=0.3, records=120)
    eventually(lambda: workbench.bucket.check_chain() == {0: 300}, "the heir stores what the zombie held")
    zombie.signal(signal.SIGCONT)
    zombie.logged("object_exists")
    workbench.send(quotes(300, 400))
    time.sleep(0.5)  # So that it may be either of them that reads these.
    assert zombie.finish() == 0
    eventually(lambda: workbench.bucket.check_chain() == {0: 400}, "the rest, by one of them")
    assert heir.finish() == 0
    workbench.bucket.check_exactly_once(400)


def test_two_consumers_at_once_store_each_record_once(workbench: Workbench) -> None:
    workbench.create_topic(partitions=2)
    producer = workbench.producer(rate=3000)
    one = workbench.consumer(seconds=0.3, records=170, group="one")
    other = workbench.consumer(seconds=0.5, records=230, group="other")
    eventually(lambda: "object_exists" in one.log() + other.log(), "they meet")
    eventually(lambda: len(workbench.bucket.keys()) > 20, "objects")
    assert producer.finish() == 0
    caught_up(workbench)
    assert one.finish() == 0
    assert other.finish() == 0
    assert workbench.bucket.check_exactly_once() == workbench.record_count()


def test_a_joining_and_a_leaving_consumer_lose_and_double_nothing(workbench: Workbench) -> None:
    workbench.create_topic(partitions=4)
    producer = workbench.producer(rate=2000)
    one = workbench.consumer(seconds=0.3)
    one.logged("object_stored")
    other = workbench.consumer(seconds=0.3)
    other.logged("object_stored")
    assert one.finish() == 0
    assert producer.finish() == 0
    caught_up(workbench)
    assert other.finish() == 0
    assert workbench.bucket.check_exactly_once() == workbench.record_count()


def test_sigterm_finishes_what_it_holds(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send(quotes(0, 250))
    port = free_port()
    consumer = workbench.consumer(seconds=600, extra=table(port))
    wait_until_held(consumer, port, 250)
    assert workbench.bucket.keys() == []
    assert consumer.finish() == 0
    workbench.bucket.check_exactly_once(250)
    assert workbench.committed() == 250


def test_a_lost_committed_offset_walks_the_chain(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send(quotes(0, 100))
    first = workbench.consumer(seconds=600, records=30)
    first.logged(" end=90")
    assert first.finish() == 0
    with KafkaAdminClient(bootstrap_servers=workbench.broker.address) as admin:
        admin.delete_groups([workbench.group])
    assert workbench.committed() is None
    workbench.send(quotes(100, 150))
    second = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 150}, "the rest")
    assert "partition_started partition=0 offset=100" in second.log()
    assert second.finish() == 0
    workbench.bucket.check_exactly_once(150)


def test_a_committed_offset_within_an_object_is_not_believed(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send(quotes(0, 100))
    first = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 100}, "objects")
    assert first.finish() == 0
    commit(workbench, 37, "")
    second = workbench.consumer(seconds=0.3)
    second.logged("committed_offset_foreign")
    workbench.send(quotes(100, 120))
    eventually(lambda: workbench.bucket.check_chain() == {0: 120}, "the rest")
    assert second.finish() == 0
    workbench.bucket.check_exactly_once(120)


def test_a_put_whose_answer_is_lost_counts_once(workbench: Workbench, gateway: FaultyS3) -> None:
    workbench.create_topic()
    workbench.send(quotes(0, 40))
    gateway.faults += ["slow_down", "lose_answer"]
    consumer = workbench.consumer(seconds=0.2, AWS_ENDPOINT_URL=gateway.endpoint)
    consumer.logged("end=40")
    gateway.faults += ["error", "lose_answer"]
    workbench.send(quotes(40, 90))
    consumer.logged(" end=90")
    assert "object_exists" not in consumer.log()
    assert gateway.met == ["slow_down", "lose_answer", "error", "lose_answer"]
    assert consumer.finish() == 0
    workbench.bucket.check_chain()
    workbench.bucket.check_exactly_once(90)


def cut_log(broker: Broker, topic: str, offset: int) -> None:
    """Kills the broker, takes from its log what lies at this offset and behind, and starts it again."""
    broker.kill()
    assert cut(broker.folder / f"data/{topic}-0", offset) == offset
    broker.start()


def test_a_log_that_was_cut_and_has_grown_again_is_reported_with_its_range(workbench: Workbench) -> None:
    workbench.create_topic()
    for first in (0, 20, 40):
        workbench.send(quotes(first, first + 20))
    consumer = workbench.consumer(seconds=0.2)
    eventually(lambda: workbench.bucket.check_chain() == {0: 60}, "objects")
    assert consumer.finish() == 0
    cut_log(workbench.broker, workbench.topic, 40)
    workbench.send(quotes(0, 30, "q"))
    second = workbench.consumer(seconds=0.2)
    second.logged("log_cut_back partition=0 start=40 end=60 lost=20")
    second.logged(" end=70")
    # While it runs, too: what it holds and what it reads next is of another epoch.
    workbench.send(quotes(30, 50, "q"))
    second.logged(" end=90")
    cut_log(workbench.broker, workbench.topic, 70)
    workbench.send(quotes(0, 40, "r"))
    second.logged("log_cut_back partition=0 start=70 end=90 lost=20")
    second.logged(" end=110")
    assert second.finish() == 0
    assert workbench.bucket.check_chain() == {0: 110}
    assert {name: sorted(counts) for name, counts in workbench.bucket.sequences().items()} == {
        "p": list(range(60)),
        "q": list(range(20, 50)),
        "r": list(range(20, 40)),
    }
    cuts = [
        (one.start, one.metadata["cut-start-offset"])
        for one in workbench.bucket.objects()
        if "cut-start-offset" in one.metadata
    ]
    assert cuts == [(60, "40"), (90, "70")]


def test_a_log_that_was_cut_is_noticed_although_no_record_comes(workbench: Workbench) -> None:
    workbench.create_topic()
    for first in (0, 20, 40):
        workbench.send(quotes(first, first + 20))
    consumer = workbench.consumer(seconds=0.2)
    eventually(lambda: workbench.bucket.check_chain() == {0: 60}, "objects")
    cut_log(workbench.broker, workbench.topic, 40)
    assert consumer.ended() == 3
    assert "reach offset 60, but Kafka's log ends at 40" in consumer.log()
    assert "log_cut_back" not in consumer.log()


def test_objects_beyond_the_end_of_the_log_stop_with_a_sentence(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send(quotes(0, 50))
    first = workbench.consumer(seconds=0.2)
    eventually(lambda: workbench.bucket.check_chain() == {0: 50}, "objects")
    assert first.finish() == 0
    stored = workbench.bucket.objects()[0]
    workbench.bucket.client.put_object(
        Bucket=workbench.bucket.name,
        Key=stored.key.replace("+00000000000000000000", "+00000000000000000050"),
        Metadata=stored.metadata | {"start-offset": "50", "end-offset": "70", "record-count": "0"},
    )
    second = workbench.consumer(seconds=0.2, group="another")
    assert second.ended() == 3
    assert "the broker has lost records that S3 still has" in second.log()


def test_what_retention_has_removed_is_reported_and_kept_in_the_chain(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send(quotes(0, 50))
    first = workbench.consumer(seconds=0.2)
    eventually(lambda: workbench.bucket.check_chain() == {0: 50}, "objects")
    assert first.finish() == 0
    workbench.send(quotes(50, 100))
    with KafkaAdminClient(bootstrap_servers=workbench.broker.address) as admin:
        admin.delete_records({TopicPartition(workbench.topic, 0): 80})
    second = workbench.consumer(seconds=0.2)
    eventually(lambda: workbench.bucket.check_chain() == {0: 100}, "the rest")
    assert second.finish() == 0
    assert "event=retention_gap partition=0 start=50 end=80 lost=30" in second.log()
    last = workbench.bucket.objects()[-1]
    assert (last.start, last.metadata["gap-end-offset"], len(last.lines)) == (50, "80", 20)


def stored_in_tens(workbench: Workbench, count: int) -> list[str]:
    """Stores `count` quotes, ten to an object; returns the objects' keys in the order of the chain."""
    workbench.create_topic()
    workbench.send(quotes(0, count))
    consumer = workbench.consumer(seconds=0.3, records=10)
    eventually(lambda: workbench.bucket.check_chain() == {0: count}, "objects")
    assert consumer.finish() == 0
    return [one.key for one in workbench.bucket.objects()]


def test_a_deleted_last_object_is_reported_and_stored_again(workbench: Workbench) -> None:
    keys = stored_in_tens(workbench, 50)
    for key in keys[3:]:
        workbench.bucket.client.delete_object(Bucket=workbench.bucket.name, Key=key)
    second = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 50}, "the deleted range once more")
    assert second.finish() == 0
    assert "event=objects_missing partition=0 start=30 end=50" in second.log()
    workbench.bucket.check_exactly_once(50)


def test_a_deleted_object_amidst_the_chain_is_reported_with_its_range(workbench: Workbench) -> None:
    keys = stored_in_tens(workbench, 60)
    for key in keys[2:4]:
        workbench.bucket.client.delete_object(Bucket=workbench.bucket.name, Key=key)
    second = workbench.consumer(seconds=0.3)
    second.logged("event=chain_hole partition=0 start=20 end=40")
    assert second.finish() == 0


def test_a_lost_committed_offset_is_reported(workbench: Workbench) -> None:
    stored_in_tens(workbench, 20)
    second = workbench.consumer(seconds=0.3, group="another")
    second.logged("event=committed_offset_lost partition=0 offset=20")
    assert second.finish() == 0


def test_what_retention_has_removed_is_reported_before_anything_follows_it(workbench: Workbench) -> None:
    stored_in_tens(workbench, 20)
    workbench.send(quotes(20, 30))
    with KafkaAdminClient(bootstrap_servers=workbench.broker.address) as admin:
        admin.delete_records({TopicPartition(workbench.topic, 0): 30})
    second = workbench.consumer(seconds=0.3)
    second.logged("event=behind_log_start partition=0 start=20 end=30")
    workbench.send(quotes(30, 40))
    second.logged("event=retention_gap partition=0 start=20 end=30 lost=10")
    assert second.finish() == 0


def test_a_reader_far_behind_the_chain_that_retention_overtakes_doubles_nothing(workbench: Workbench) -> None:
    workbench.create_topic(timestamps="CreateTime")
    hour = (int(time.time()) // 3600 - 3) * 3_600_000
    workbench.send(quotes(0, 20), time_ms=hour + 1)
    workbench.send(quotes(20, 30), time_ms=hour + 3_600_001)
    first = workbench.consumer(seconds=0.3, records=10)
    eventually(lambda: workbench.bucket.check_chain() == {0: 30}, "objects")
    assert first.finish() == 0
    # The commits since the first object got lost, and the first record that Kafka still has is of another hour.
    commit(workbench, 10, workbench.bucket.objects()[0].key)
    with KafkaAdminClient(bootstrap_servers=workbench.broker.address) as admin:
        admin.delete_records({TopicPartition(workbench.topic, 0): 25})
    workbench.send(quotes(30, 40), time_ms=hour + 3_600_002)
    second = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 40}, "the rest")
    assert second.finish() == 0
    assert "event=retention_gap" not in second.log()
    workbench.bucket.check_exactly_once(40)


def test_what_retention_has_removed_before_the_first_object_is_a_gap_too(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send(quotes(0, 30))
    with KafkaAdminClient(bootstrap_servers=workbench.broker.address) as admin:
        admin.delete_records({TopicPartition(workbench.topic, 0): 20})
    consumer = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 30}, "the object")
    assert consumer.finish() == 0
    assert "event=retention_gap partition=0 start=0 end=20 lost=20" in consumer.log()
    assert workbench.bucket.objects()[0].metadata["gap-end-offset"] == "20"


def test_a_quarantine_object_that_kafka_can_no_longer_give_is_reported_by_name(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send([*quotes(0, 5), (b"HSI", b"no quote"), *quotes(5, 10)])
    first = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.keys("quarantine/") != [], "the quarantine")
    assert first.finish() == 0
    lost = workbench.bucket.keys("quarantine/")[0]
    workbench.bucket.client.delete_object(Bucket=workbench.bucket.name, Key=lost)
    workbench.send(quotes(10, 20))
    with KafkaAdminClient(bootstrap_servers=workbench.broker.address) as admin:
        admin.delete_records({TopicPartition(workbench.topic, 0): 11})
    second = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 21}, "the rest")
    assert second.finish() == 0
    assert "event=quarantine_lost partition=0" in second.log()
    assert "event=retention_gap" not in second.log()
    workbench.bucket.check_exactly_once(20)


def test_memory_is_bounded_while_s3_is_away_and_everything_is_stored_afterwards(
    workbench: Workbench, gateway: FaultyS3
) -> None:
    workbench.create_topic(partitions=8)
    batches = raw_produce.compressed(market_quotes(4000), 250)
    places = [(number % 8, one) for number, one in enumerate(batches * 15)]
    raw_produce.send(workbench.broker.address, workbench.topic, places)
    limits = "[limits]\nbuffer_bytes = 1048576\nfetch_bytes = 65536\n"
    gateway.faults.extend(["slow_down"] * 100_000)  # Of all writes; so the consumer starts, and stores nothing.
    consumer = workbench.consumer(seconds=0.5, extra=limits, AWS_ENDPOINT_URL=gateway.endpoint)
    consumer.logged("reading_paused")
    held = int(consumer.log().partition("held_bytes=")[2].split()[0])
    assert 1_048_576 < held < 1_600_000
    time.sleep(1)
    assert consumer.log().count("reading_paused") == 1
    assert workbench.bucket.keys() == []
    gateway.recover()
    eventually(lambda: sum(workbench.bucket.check_chain().values()) == 60_000, "all of it, once S3 is back")
    assert consumer.finish() == 0
