"""What the publisher promises whatever the broker does, by both ways to hand records to kafka-python."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from tests.support.stock_market.broker import free_port
from tests.support.stock_market.scraping import scrape, table
from tests.support.stock_market.services import Service, Workbench, eventually, quote

from stock_market.kafka import compared
from stock_market.kafka.batch_builder import Records, gather, join
from stock_market.producer.publisher import Publisher
from stock_market.producer.record_writer import RecordWriter
from stock_market.producer.source import partition_of
from stock_market.service import Stop, Systemd
from stock_market.settings import ProducerKafka

WRITERS = pytest.mark.parametrize("writer", ["batches", "records"])


class Watched(Publisher):
    """A publisher whose counters may never fall: Prometheus would take that for a new process."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("acknowledged", "acknowledged_bytes"):
            assert value >= getattr(self, name, 0), f"{name} falls"
        super().__setattr__(name, value)


def publisher(bench: Workbench, writer: Any, **options: Any) -> Publisher:
    settings = ProducerKafka(
        bootstrap_servers=[bench.broker.address], topic=bench.topic, linger_ms=50, writer=writer, **options
    )
    opened = Watched(settings, Stop(), Systemd({}))
    assert opened.open()
    return opened


def numbered(first: int, end: int, partitions: int = 2) -> list[Records]:
    pairs = [quote(number, symbol=f"S{number % 7}") for number in range(first, end)]
    return gather([(partition_of(pair[0], partitions), pair) for pair in pairs], 20_000)


def complete_and_in_order(records: Sequence[dict[str, Any]], count: int) -> None:
    """Checks that the topic has each record once, and each symbol's in their order."""
    by_symbol: dict[str, list[int]] = defaultdict(list)
    for record in records:
        by_symbol[record["symbol"]].append(record["sequence"])
    assert sorted(number for numbers in by_symbol.values() for number in numbers) == list(range(count))
    for numbers in by_symbol.values():
        assert numbers == sorted(numbers)


def rss_megabytes(service: Service, field: str = "VmHWM") -> float:
    with open(f"/proc/{service.process.pid}/status", encoding="utf-8") as status:  # noqa: PTH123
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


def lose_the_network_thread(sender: Publisher) -> None:
    """kafka-python gives up what it has not had an answer to, as it does after an error that it calls fatal."""
    network_thread = sender._producer._sender  # type: ignore[union-attr]  # the publisher is open
    network_thread.force_close()
    network_thread.join(60)
    assert not network_thread.is_alive()


@WRITERS
def test_records_arrive_in_the_partitions_they_were_made_for(workbench: Workbench, writer: str) -> None:
    workbench.create_topic(partitions=3)
    sender = publisher(workbench, writer)
    batches = numbered(0, 500, partitions=3)
    sender.send(batches)
    assert sender.close() == 0
    assert sender.acknowledged == 500
    assert sender.acknowledged_bytes == sum(len(batch.body) for batch in batches)
    assert sender.acknowledge_seconds.snapshot().counts[-1] == len(batches)
    complete_and_in_order(workbench.records_in_topic(), 500)


@WRITERS
def test_a_producer_that_fails_for_good_sends_again_only_what_is_missing(workbench: Workbench, writer: str) -> None:
    workbench.create_topic(partitions=2)
    sender = publisher(workbench, writer)
    sender.send(numbered(0, 2000))
    eventually(lambda: workbench.record_count() == 2000, "the first records")
    with workbench.broker.paused():
        sender.send(numbered(2000, 4000))
        time.sleep(0.1)  # Some may be in the broker's connection by then, and are in the topic afterwards.
        lose_the_network_thread(sender)
    assert sender.close() == 0
    assert sender.recoveries == 1
    assert sender.acknowledged == 4000
    complete_and_in_order(workbench.records_in_topic(), 4000)


@WRITERS
def test_a_broken_sequence_is_got_over_without_loss_double_or_disorder(workbench: Workbench, writer: str) -> None:
    workbench.create_topic(partitions=2)
    sender = publisher(workbench, writer)
    sender.send(numbered(0, 1000))
    eventually(lambda: sender.settle() or sender.in_flight_records == 0, "acknowledgements")  # type: ignore[func-returns-value]  # its None is meant
    # As if batches had been lost: the broker refuses the next numbers with OUT_OF_ORDER_SEQUENCE_NUMBER.
    numbers = sender._producer._transaction_manager._sequence_numbers  # type: ignore[union-attr]  # the publisher is open
    for place in list(numbers):
        numbers[place] += 100
    for first in range(1000, 5000, 500):
        sender.send(numbered(first, first + 500))
    assert sender.close() == 0
    assert sender.recoveries >= 1
    assert sender.errors.counts()["other"] >= 1
    assert sender.acknowledged == 5000
    records = workbench.records_in_topic()
    if writer == "batches":
        complete_and_in_order(records, 5000)
    assert sorted(record["sequence"] for record in records) == list(range(5000))


@WRITERS
def test_a_topic_that_takes_only_smaller_batches_gets_them_split(workbench: Workbench, writer: str) -> None:
    workbench.create_topic()
    with KafkaAdminClient(bootstrap_servers=workbench.broker.address) as admin:
        change = ConfigResource(ConfigResourceType.TOPIC, workbench.topic, {"max.message.bytes": "3000"})
        admin.alter_configs([change])
    sender = publisher(workbench, writer)
    pairs = [quote(number, producer_id=os.urandom(20).hex()) for number in range(300)]
    sender.send([join(0, pairs)])
    assert sender.close() == 0
    assert sender.recoveries == 0
    assert [record["sequence"] for record in workbench.records_in_topic()] == list(range(300))


@WRITERS
def test_memory_is_bounded_while_the_broker_is_away_and_nothing_is_lost(workbench: Workbench, writer: str) -> None:
    workbench.create_topic(partitions=3)
    port = free_port()
    producer = workbench.producer(rate=20_000, extra=table(port), in_flight_bytes=1 << 20, writer=writer)
    eventually(lambda: workbench.record_count() > 100, "records")
    workbench.broker.kill()
    # What may be in flight is made in less than a second; what would be held beyond it, at 5 MB a second.
    eventually(lambda: scrape(port).value("stock_producer_buffered_bytes") >= 1 << 20, "all that may be in flight")
    before = rss_megabytes(producer, "VmRSS")
    time.sleep(2)
    assert rss_megabytes(producer, "VmRSS") < before + 8
    workbench.broker.start()
    held = workbench.record_count()
    eventually(lambda: workbench.record_count() > held, "records after the restart")
    assert rss_megabytes(producer) < 256
    assert producer.finish() == 0, producer.log()
    assert "unsent=0" in producer.log()
    records = workbench.records_in_topic()
    complete_and_in_order(records, len(records))


def test_with_another_kafka_python_records_are_sent_one_by_one_and_the_log_says_so_once(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    workbench.create_topic(partitions=2)
    monkeypatch.setattr(compared, "__version__", "3.0.99")
    compared.fits.cache_clear()
    for number in (0, 300):
        sender = publisher(workbench, "batches")
        sender.send(numbered(number, number + 300))
        assert isinstance(sender._writer, RecordWriter)
        assert sender.close() == 0
    compared.fits.cache_clear()
    assert [record.message for record in caplog.records].count("whole_batches_not_used") == 1
    complete_and_in_order(workbench.records_in_topic(), 600)


def test_the_producer_keeps_the_order_of_batches(workbench: Workbench) -> None:
    workbench.create_topic()
    sender = publisher(workbench, "batches")
    assert sender._producer is not None
    assert sender._producer._sender.config["guarantee_message_order"]
    assert sender.close() == 0
