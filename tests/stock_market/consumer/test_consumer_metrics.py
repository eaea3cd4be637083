"""The consumer's metrics, read over HTTP while it stores what a real broker has."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from tests.support.stock_market.broker import free_port
from tests.support.stock_market.faulty_s3 import FaultyS3
from tests.support.stock_market.scraping import scrape, table, undefined, wait_until_held
from tests.support.stock_market.services import Workbench, eventually, quote

from stock_market.chain.ages import Ages
from stock_market.chain.request_times import OPERATIONS, OUTCOMES, RequestTimes, outcome
from stock_market.chain.totals import RECORD_BOUNDS, Totals
from stock_market.consumer.metrics import MAX_PARTITIONS, METRICS, ConsumerReadings
from stock_market.metrics.histogram import Histogram
from stock_market.metrics.process import COLLECTOR, PROCESS
from stock_market.quotes.validation import REASONS, flaw, kind_of
from stock_market.settings import ConsumerKafka, ConsumerSettings, MetricsListener, Storage

KNOWN = (*METRICS, *PROCESS, *COLLECTOR)


@pytest.fixture
def gateway(workbench: Workbench) -> Iterator[FaultyS3]:
    """A way to the bucket that refuses what it is told to."""
    running = FaultyS3(workbench.bucket.endpoint)
    yield running
    running.close()


def test_a_running_consumer_tells_what_it_has_read_and_stored(workbench: Workbench, gateway: FaultyS3) -> None:
    workbench.create_topic(partitions=2)
    workbench.send([quote(number) for number in range(300)])
    workbench.send([quote(number, "q") for number in range(100)], partition=1)
    workbench.send([quote(0, high="much"), (b"HSI", None), (b"HSI", b"{")], partition=1)
    port = free_port()
    began = time.time()
    gateway.faults.extend(["slow_down"] * 100_000)  # Until all have been seen, none is stored.
    consumer = workbench.consumer(seconds=3.0, extra=table(port), AWS_ENDPOINT_URL=gateway.endpoint)
    wait_until_held(consumer, port, 403)
    held = scrape(port)
    assert held.value("stock_consumer_held_bytes") == held.value("stock_consumer_bytes_total")
    assert 0 < held.value("stock_consumer_held_oldest_seconds") < time.time() - began
    gateway.recover()
    eventually(lambda: scrape(port).value("stock_consumer_record_to_object_seconds_count") == 403, "403 records stored")
    eventually(lambda: scrape(port).value("stock_consumer_held_records") == 0, "nothing held")
    found = scrape(port)
    assert undefined(found, KNOWN) == set()
    assert {metric.name for metric in METRICS if metric.kind != "histogram" and not found.has(metric.name)} == set()
    assert found.value("stock_consumer_records_total") == 403
    assert 403 * 150 < found.value("stock_consumer_bytes_total") < 403 * 400
    for partition in "01":
        assert found.value("stock_consumer_lag_records", topic=workbench.topic, partition=partition) == 0
    assert found.value("stock_consumer_held_bytes") == 0
    assert found.value("stock_consumer_held_oldest_seconds") == 0
    keys = workbench.bucket.keys()
    assert found.value("stock_consumer_objects_total") == len(keys) == 2
    assert 400 < found.value("stock_consumer_object_bytes_total") < found.value("stock_consumer_bytes_total")
    assert began < found.value("stock_consumer_last_object_timestamp_seconds") < time.time()
    assert found.value("stock_consumer_flush_interval_seconds") == 3.0
    assert found.value("stock_consumer_assigned_partitions") == 2
    assert found.value("stock_consumer_credential_failures_total") == 0
    quarantined = {reason: found.value("stock_consumer_quarantined_records_total", reason=reason) for reason in REASONS}
    assert {reason: count for reason, count in quarantined.items() if count} == {"field": 1, "empty": 1, "not_json": 1}
    # Two objects and one of the quarantine.
    assert found.value("stock_consumer_s3_request_seconds_count", operation="put", outcome="answered") == 3
    mean = found.value("stock_consumer_record_to_object_seconds_sum") / 403
    assert 0.5 < mean < time.time() - began + 60
    assert consumer.finish() == 0


def test_while_s3_refuses_the_held_records_their_age_and_the_failures_grow(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send([quote(number) for number in range(50)])
    port = free_port()
    nobody = f"http://127.0.0.1:{free_port()}"
    settings = table(port)
    consumer = workbench.consumer(extra=settings)
    consumer.logged("object_stored")
    assert consumer.finish() == 0
    # The chain's end is known from the commit and a HEAD, which S3 answers; then it goes.
    gone = workbench.consumer(extra=settings, AWS_ENDPOINT_URL=nobody)
    gone.logged("metrics_listening")
    eventually(
        lambda: (
            scrape(port).value("stock_consumer_s3_request_seconds_count", operation="head", outcome="unanswered") >= 2
        ),
        "attempts without an answer",
    )
    eventually(lambda: scrape(port).value("stock_consumer_assigned_partitions") == 1, "the partition")
    gone.process.kill()
    gone.process.wait()
    nameless = workbench.consumer(
        extra=settings, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_EC2_METADATA_DISABLED="true"
    )
    nameless.logged("metrics_listening")
    eventually(lambda: scrape(port).value("stock_consumer_credential_failures_total") >= 2, "failures")
    nameless.process.kill()


def _client_error(status: int, code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "PutObject")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, "answered"),
        (_client_error(503, "SlowDown"), "throttled"),
        (_client_error(429, "TooManyRequests"), "throttled"),
        (_client_error(403, "AccessDenied"), "refused"),
        (_client_error(400, "ExpiredToken"), "credentials"),
        (_client_error(403, "RequestTimeTooSkewed"), "credentials"),
        (NoCredentialsError(), "credentials"),
        (_client_error(500, "InternalError"), "failed"),
        (EndpointConnectionError(endpoint_url="x"), "unanswered"),
    ],
)
def test_each_end_of_a_request_has_an_outcome_of_the_closed_set(error: Exception | None, expected: str) -> None:
    assert outcome(error) == expected
    assert expected in OUTCOMES
    times = RequestTimes()
    times.note("put", 0.2, error)
    assert times.snapshot()["put", expected].counts[-1] == 1
    assert len(times.snapshot()) == len(OPERATIONS) * len(OUTCOMES)
    assert times.credential_failures == (expected == "credentials")


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        (b"HSI", None, "empty"),
        (b"HSI", b"  ", "empty"),
        (b"HSI", b"x" * 3000, "too_long"),
        (b"HSI", b"\xff", "not_text"),
        (b"HSI", b"{\n}", "not_text"),
        (b"HSI", b"{", "not_json"),
        (b"HSI", b"[1]", "not_json"),
        (b"HSI", b"{}", "field"),
        (*quote(0, volume=-1), "field"),
        (*quote(0, event_time="now"), "field"),
        (*quote(0, open=math.inf), "not_json"),
        (None, quote(0)[1], "key"),
        (b"N225", quote(0)[1], "key"),
    ],
)
def test_whatever_a_record_holds_its_reason_is_one_of_few(key: bytes | None, value: bytes | None, kind: str) -> None:
    reason = flaw(key, value)
    assert reason is not None
    assert kind_of(reason) == kind
    assert kind in REASONS


def test_ages_count_each_record_once_by_its_second_in_bounded_memory() -> None:
    ages, counted = Ages(), Histogram(RECORD_BOUNDS)
    base = 1_800_000_000_000
    ages.add(np.full(500, base + 400, np.int64))
    ages.add(np.array([base + 900, base + 1100, base + 9_000, base + 9_999], np.int64))
    ages.add(np.arange(base, base + 3_600_000, 100, dtype=np.int64))
    assert len(ages._seconds) == 3600
    ages.count(base / 1000 + 3600, counted)
    found = counted.snapshot()
    assert found.counts[-1] == 500 + 4 + 36_000
    # The sum is right up to half a second a record.
    exact = 500 * 3599.6 + 4 * 3600 - (0.9 + 1.1 + 9.0 + 9.999) + sum(3600 - each / 10 for each in range(36_000))
    assert abs(found.total - exact) < 0.5 * found.counts[-1]
    late = Histogram(RECORD_BOUNDS)
    ages.count(base / 1000 - 10, late)
    assert late.snapshot().total == 0.0


class _Bounds:
    """Tells the logs' ends."""

    def __init__(self, ends: dict[TopicPartition, int]) -> None:
        self.ends_of = ends
        self.asked = 0

    def ends(self, partitions: Any, _timeout_ms: int) -> dict[TopicPartition, int]:
        self.asked += 1
        if not self.ends_of:
            raise KafkaTimeoutError("nobody answers")
        return {where: self.ends_of[where] for where in partitions}


class _Consumer:
    """Has partitions, some paused."""

    def __init__(self, assigned: list[TopicPartition], highwater: int | None) -> None:
        self.assigned, self.fetched = assigned, highwater
        self.still: set[TopicPartition] = set()

    def assignment(self) -> set[TopicPartition]:
        return set(self.assigned)

    def paused(self) -> set[TopicPartition]:
        return self.still

    def highwater(self, _where: TopicPartition) -> int | None:
        return self.fetched


def _readings(monkeypatch: pytest.MonkeyPatch) -> ConsumerReadings:
    monkeypatch.setattr("stock_market.consumer.metrics._LOOK_SECONDS", 0.0001)
    monkeypatch.setattr("stock_market.consumer.metrics._ASK_SECONDS", 0.0001)
    settings = ConsumerSettings(
        kafka=ConsumerKafka(bootstrap_servers=["a:1"]),
        s3=Storage(bucket="bucket"),
        metrics=MetricsListener(address="127.0.0.1", port=9430),
    )
    return ConsumerReadings(settings, Totals(), RequestTimes())


def _writer(position: int) -> Any:
    held = [SimpleNamespace(records=1, plain_bytes=230, opened=time.monotonic() - age) for age in (7, 2)]
    return SimpleNamespace(position=position, held=held)


def _look(
    readings: ConsumerReadings, consumer: _Consumer, bounds: _Bounds, writers: dict[TopicPartition, Any]
) -> dict[str, Any]:
    time.sleep(0.001)
    readings.look(cast("Any", consumer), cast("Any", bounds), writers, [_writer(0)])
    return {metric.name.removeprefix("stock_consumer_"): values for metric, values in readings.read().items()}


def test_the_lag_has_a_bounded_number_of_partitions_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [TopicPartition("t", number) for number in range(MAX_PARTITIONS + 88)]
    consumer = _Consumer(places, 110)
    found = _look(_readings(monkeypatch), consumer, _Bounds({}), {where: _writer(100) for where in places})
    lag = found["lag_records"]
    assert len(lag) == MAX_PARTITIONS + 1
    assert lag["t", "0"] == lag["t", "511"] == 10
    assert lag["t", "others"] == 880
    assert sum(lag.values()) == 10 * len(places)
    assert found["assigned_partitions"] == len(places)
    assert found["held_records"] == 2 * (len(places) + 1)
    assert 7 <= found["held_oldest_seconds"] < 9
    assert found["held_bytes"] == 460 * (len(places) + 1)


def test_the_lag_of_a_paused_partition_goes_on_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    where = TopicPartition("t", 3)
    consumer, bounds, readings = _Consumer([where], 110), _Bounds({where: 500}), _readings(monkeypatch)
    assert _look(readings, consumer, bounds, {where: _writer(100)})["lag_records"] == {("t", "3"): 10}
    assert bounds.asked == 0
    consumer.still = {where}
    assert _look(readings, consumer, bounds, {where: _writer(100)})["lag_records"] == {("t", "3"): 400}
    bounds.ends_of = {}
    assert _look(readings, consumer, bounds, {where: _writer(100)})["lag_records"] == {("t", "3"): 400}
    # A partition that another member has now is no longer told.
    consumer.assigned = []
    assert _look(readings, consumer, bounds, {})["lag_records"] == {}
