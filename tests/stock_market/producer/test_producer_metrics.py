"""The producer's metrics, read over HTTP while it streams to a real broker."""

from __future__ import annotations

import time

from kafka.errors import KafkaTimeoutError, OutOfOrderSequenceNumberError, TopicAuthorizationFailedError
from tests.support.stock_market.broker import free_port
from tests.support.stock_market.scraping import scrape, table, undefined
from tests.support.stock_market.services import Workbench, eventually

from stock_market.kafka.error_counts import REASONS, ErrorCounts
from stock_market.metrics.process import COLLECTOR, PROCESS
from stock_market.producer.metrics import METRICS

KNOWN = (*METRICS, *PROCESS, *COLLECTOR)


def test_a_running_producer_tells_what_it_has_sent(workbench: Workbench) -> None:
    workbench.create_topic(partitions=3)
    port = free_port()
    producer = workbench.producer(rate=500, extra=table(port))
    producer.logged("started")
    eventually(lambda: scrape(port).value("stock_producer_records_total") > 300, "records")
    producer.finish()
    began, started = time.monotonic(), time.time()
    last = workbench.producer(rate=500, extra=table(port))
    last.logged("started")
    eventually(lambda: scrape(port).value("stock_producer_records_total") > 400, "records of the second one")
    found = scrape(port)
    seconds = time.monotonic() - began
    assert undefined(found, KNOWN) == set()
    assert {metric.name for metric in METRICS if metric.kind != "histogram" and not found.has(metric.name)} == set()
    records = found.value("stock_producer_records_total")
    assert records <= workbench.record_count()
    assert 400 < records <= 500 * seconds
    assert 150 < found.value("stock_producer_bytes_total") / records < 500
    assert found.value("stock_producer_target_records_per_second") == 500
    assert started < found.value("stock_producer_last_acknowledged_timestamp_seconds") < time.time()
    batches = found.value("stock_producer_acknowledge_seconds_count")
    assert 1 < batches <= records
    assert 0 < found.value("stock_producer_acknowledge_seconds_sum") / batches < seconds
    assert found.labels("stock_producer_errors_total", "reason") == set(REASONS)
    ((name, labels),) = [each for each in found.samples if each[0] == "stock_producer_info"]
    assert name
    assert dict(labels)["topic"] == workbench.topic
    assert dict(labels)["producer_id"] in last.log()


def test_while_the_broker_is_away_errors_grow_records_wait_and_no_counter_falls(workbench: Workbench) -> None:
    workbench.create_topic()
    port = free_port()
    producer = workbench.producer(rate=1000, extra=table(port))
    producer.logged("started")
    eventually(lambda: scrape(port).value("stock_producer_records_total") > 500, "records")
    workbench.broker.kill()
    try:
        eventually(
            lambda: (
                scrape(port).value("stock_producer_errors_total", reason="connection") > 0
                and time.time() - scrape(port).value("stock_producer_last_acknowledged_timestamp_seconds") > 2
            ),
            "errors and no acknowledgement",
        )
        assert scrape(port).value("stock_producer_buffered_records") > 0
        assert scrape(port).value("stock_producer_buffered_bytes") > 0
        stopped = scrape(port).value("stock_producer_last_acknowledged_timestamp_seconds")
        before = scrape(port).value("stock_producer_records_total")
    finally:
        workbench.broker.start()
    eventually(lambda: scrape(port).value("stock_producer_records_total") > before + 1000, "records again")
    assert scrape(port).value("stock_producer_last_acknowledged_timestamp_seconds") > stopped
    assert producer.finish() == 0
    assert scrape_is_over(port)


def scrape_is_over(port: int) -> bool:
    """Whether nobody listens any more."""
    try:
        scrape(port)
    except OSError:
        return True
    return False


def test_a_producer_without_a_port_to_itself_streams_and_says_so(workbench: Workbench) -> None:
    workbench.create_topic()
    port = free_port()
    workbench.producer(rate=200, extra=table(port)).logged("metrics_listening")
    other = workbench.producer(rate=200, extra=table(port))
    other.logged("metrics_unavailable")
    other.logged("started")
    assert "Address already in use" in other.log()
    assert other.finish() == 0
    assert "unsent=0" in other.log()


def test_errors_have_a_closed_set_of_reasons() -> None:
    counts = ErrorCounts()
    before = counts.counts()
    for error in (
        TopicAuthorizationFailedError("t"),
        KafkaTimeoutError("late"),
        OutOfOrderSequenceNumberError("x"),
        ValueError("what nobody expects"),
    ):
        counts.note(error)
    after = counts.counts()
    assert tuple(after) == REASONS
    grown = {reason: after[reason] - before[reason] for reason in REASONS if after[reason] != before[reason]}
    assert grown == {"authorization": 1, "timeout": 1, "other": 2}
