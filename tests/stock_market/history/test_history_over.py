"""Promises about when an hour is over, with a real broker and without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from tests.support.stock_market.broker import Broker, free_port
from tests.support.stock_market.lake import NOON, Lake, lines

from stock_market.history.compactor.log_ends import KafkaLogs
from stock_market.history.compactor.over import Ending
from stock_market.history.compactor.raw import Raw
from stock_market.history.naming import Hour
from stock_market.hours import HOUR_MS
from stock_market.kafka.identity import Identity
from stock_market.service import Stop
from stock_market.settings import HistoryKafka

NOON_HOUR = Hour("2026-01-01", "12")
LATER = datetime(2026, 1, 1, 20, tzinfo=UTC)
Judge = Callable[..., str]


@pytest.fixture
def raw(lake: Lake) -> Iterator[Raw]:
    """The bucket's raw objects."""
    with ThreadPoolExecutor(4) as pool:
        yield Raw(lake.bucket.client, lake.bucket.name, "quotes/", pool)


class Topic:
    """A topic of the test's own, whose timestamps the test sets; two partitions."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.name = name
        self.settings = HistoryKafka(bootstrap_servers=[broker.address], topic=name)
        with KafkaAdminClient(**broker.client) as admin:
            configs = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
            new = NewTopic(name, num_partitions=2, replication_factor=1, topic_configs=configs)
            admin.create_topics([new], wait_for_metadata=True)
        self.logs = KafkaLogs(self.settings, Stop())
        self._producer = KafkaProducer(**broker.client)

    @property
    def identity(self) -> Identity:
        """The log's."""
        ends = self.logs.at(NOON_HOUR.end_ms)
        assert ends is not None
        return Identity("cluster", ends.topic_id)

    def send(self, partition: int, *times_ms: int) -> None:
        """Sends a record at each time."""
        for time_ms in times_ms:
            self._producer.send(self.name, b"x", partition=partition, timestamp_ms=time_ms)
        self._producer.flush()

    def close(self) -> None:
        """Ends the clients."""
        self.logs.close()
        self._producer.close()


@pytest.fixture
def topic(broker: Broker, lake: Lake) -> Iterator[Topic]:
    """A topic without records."""
    made = Topic(broker, f"topic-{lake.bucket.name}")
    yield made
    made.close()


def put(lake: Lake, topic: Topic, start: int, count: int, *, partition: int = 0, hour: int = 0) -> None:
    """Writes an object of the topic's log."""
    key = lake.main(
        start,
        lines(range(count)),
        partition=partition,
        time_ms=NOON + hour * HOUR_MS,
        identity=topic.identity,
    )
    lake.bucket.client.copy_object(
        Bucket=lake.bucket.name,
        Key=key.replace("stock-quotes", topic.name),
        CopySource={"Bucket": lake.bucket.name, "Key": key},
    )
    lake.delete(key)


def test_an_hour_is_over_once_s3_has_all_that_kafka_had_at_its_end(raw: Raw, lake: Lake, topic: Topic) -> None:
    def waits() -> str:
        return Ending(raw, topic.logs, 120, 8, lambda: LATER).waits_for(NOON_HOUR)

    topic.send(0, *(NOON + second for second in range(10)))
    assert "S3 has partition 0 up to offset 0, and Kafka has records" in waits()
    put(lake, topic, 0, 6)
    assert "up to offset 6, and Kafka has records from before the hour's end up to offset 9" in waits()
    # The log's end lies in the hour.
    put(lake, topic, 6, 4)
    assert waits() == ""
    # What came later need not be there, nor anything of a partition that has no records.
    topic.send(0, NOON + HOUR_MS, NOON + HOUR_MS + 1)
    assert waits() == ""
    topic.send(1, NOON + 5)
    assert "partition 1 up to offset 0" in waits()
    put(lake, topic, 0, 1, partition=1)
    assert waits() == ""


def test_a_partition_that_is_idle_since_days_is_not_waited_for(raw: Raw, lake: Lake, topic: Topic) -> None:
    topic.send(1, NOON - 200 * HOUR_MS)
    put(lake, topic, 0, 1, partition=1, hour=-200)
    topic.send(0, NOON)
    put(lake, topic, 0, 1)
    assert Ending(raw, topic.logs, 120, 8, lambda: LATER).waits_for(NOON_HOUR) == ""


def test_logs_that_kafka_no_longer_has_are_not_waited_for(raw: Raw, lake: Lake, topic: Topic) -> None:
    lake.main(0, lines(range(5)), partition=7)
    topic.send(0, NOON)
    put(lake, topic, 0, 1)
    assert Ending(raw, topic.logs, 120, 8, lambda: LATER).waits_for(NOON_HOUR) == ""


def test_objects_that_come_after_the_first_look_count(raw: Raw, lake: Lake, topic: Topic) -> None:
    ending = Ending(raw, topic.logs, 120, 8, lambda: LATER)
    topic.send(0, NOON)
    assert ending.waits_for(NOON_HOUR)
    put(lake, topic, 0, 1)
    assert ending.waits_for(NOON_HOUR) == ""


@pytest.mark.parametrize("configured", [True, False])
def test_without_kafka_each_partition_has_to_go_on_in_a_later_hour(raw: Raw, lake: Lake, *, configured: bool) -> None:
    kafka = HistoryKafka(bootstrap_servers=[f"127.0.0.1:{free_port()}"])
    logs = KafkaLogs(kafka, Stop()) if configured else None

    def waits(now: datetime = LATER) -> str:
        return Ending(raw, logs, 120, 8, lambda: now).waits_for(NOON_HOUR)

    lake.main(0, lines(range(5)))
    lake.main(0, lines(range(5)), partition=1)
    lake.main(5, lines(range(5)), time_ms=NOON + HOUR_MS)
    assert "partition 1 of stock-quotes has no object in a later hour" in waits()
    lake.main(5, lines(range(5)), partition=1, time_ms=NOON + 2 * HOUR_MS)
    assert waits() == ""
    assert "left alone" in waits(NOON_HOUR.end + timedelta(seconds=119))
