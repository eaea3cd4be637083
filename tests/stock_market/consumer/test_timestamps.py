"""Whoever sets the records' timestamps: it is said at the start, and none of them stops the stream."""

from __future__ import annotations

import logging
import resource
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACLOperation, ResourceType
from kafka.record.memory_records import MemoryRecordsBuilder
from tests.support.stock_market import raw_produce
from tests.support.stock_market.services import Workbench, eventually, quote

from stock_market.chain.segment import Segment
from stock_market.chain.totals import Totals
from stock_market.consumer import rates
from stock_market.kafka.record_block import Record, RecordBlock
from stock_market.kafka.topic_settings import tell_timestamps
from stock_market.service import Systemd
from stock_market.settings import Kafka, KafkaSecurity

_NOON_MS = 1_795_608_000_000  # 2026-11-25T12:00:00Z
_HOUR_MS = 3_600_000


def stamped(records: Sequence[tuple[int, bytes | None, bytes | None]]) -> bytes:
    """A batch of records with timestamps of their own."""
    builder = MemoryRecordsBuilder(2, 0, 1 << 24)
    for time_ms, key, value in records:
        builder.append(time_ms, key, value, [])
    builder.close()
    return bytes(builder.buffer())


def told_of(caplog: pytest.LogCaptureFixture) -> list[tuple[int, dict[str, Any]]]:
    """Level and fields of what was said of the timestamps."""
    return [(each.levelno, getattr(each, "event_fields", {})) for each in caplog.records if each.msg == "%s"]


@pytest.mark.parametrize(
    ("kind", "level", "set_by"),
    [("LogAppendTime", logging.INFO, "broker"), ("CreateTime", logging.WARNING, "producer")],
)
def test_who_sets_the_timestamps_is_said(
    workbench: Workbench, caplog: pytest.LogCaptureFixture, kind: str, level: int, set_by: str
) -> None:
    workbench.create_topic(timestamps=kind)
    caplog.set_level(logging.INFO, "stock_market")
    tell_timestamps(Kafka(bootstrap_servers=[workbench.broker.address], topic=workbench.topic))
    ((found, fields),) = told_of(caplog)
    assert found == level
    assert (fields["timestamp_type"], fields["set_by"], fields["topic"]) == (kind, set_by, workbench.topic)


def test_one_right_more_than_reading_is_needed_and_its_lack_is_said(
    secured_workbench: Workbench, caplog: pytest.LogCaptureFixture
) -> None:
    bench, secured = secured_workbench, secured_workbench.broker.secured
    assert secured is not None
    bench.create_topic()
    table = msgspec.toml.decode(secured.table("consumer"))["kafka"]["security"]
    settings = Kafka(bootstrap_servers=[bench.broker.address], topic=bench.topic, security=KafkaSecurity(**table))
    caplog.set_level(logging.INFO, "stock_market")
    tell_timestamps(settings)
    unknown = f"{bench.topic}-of-others"
    with KafkaAdminClient(**bench.broker.client) as admin:
        admin.create_topics({unknown: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        secured.allow(admin, "consumer", ResourceType.TOPIC, unknown, ACLOperation.READ)
    tell_timestamps(msgspec.structs.replace(settings, topic=unknown))
    first, second = told_of(caplog)
    assert first[1]["timestamp_type"] == "LogAppendTime"
    assert second[0] == logging.WARNING
    assert second[1]["timestamp_type"] == "unknown"
    assert second[1]["error"] == "the broker does not describe the topic's configuration to this user"
    assert "DescribeConfigs" in second[1]["advice"]


NONSENSE = {
    "seconds": _NOON_MS // 1000,
    "microseconds": _NOON_MS * 1000,
    "nanoseconds": _NOON_MS * 1_000_000,
    "none": -1,
    "zero": 0,
    "1999": 946_684_799_999,
    "2100": 4_102_444_800_000,
    "the largest": (1 << 63) - 1,
}


def test_records_with_invalid_timestamps_go_to_the_quarantine_and_the_stream_continues(
    workbench: Workbench,
) -> None:
    workbench.create_topic(timestamps="CreateTime")
    batches = []
    for number, time_ms in enumerate(NONSENSE.values()):
        batches += [stamped([(_NOON_MS, *quote(number))]), stamped([(time_ms, *quote(1000 + number))])]
    raw_produce.send(workbench.broker.address, workbench.topic, [(0, one) for one in batches])
    consumer = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: len(batches)}, "all of them")
    assert consumer.finish() == 0
    assert "set_by=producer" in consumer.log()
    good = [(one.key.split("/")[1:3], line["sequence"]) for one in workbench.bucket.objects() for line in one.lines]
    assert good == [(["dt=2026-11-25", "hour=12"], number) for number in range(len(NONSENSE))]
    bad = [(one.key.split("/")[1:3], line) for one in workbench.bucket.objects("quarantine/") for line in one.lines]
    assert [line["timestamp"] for _, line in bad] == list(NONSENSE.values())
    assert {tuple(place) for place, _ in bad} == {("dt=1970-01-01", "hour=00")}
    reasons = [line["reason"] for _, line in bad]
    assert reasons[3] == "the record carries no Kafka timestamp"
    assert all("is no time of this century" in reason for number, reason in enumerate(reasons) if number != 3)


def test_timestamps_that_go_to_and_fro_between_hours_keep_the_chain(workbench: Workbench) -> None:
    workbench.create_topic(timestamps="CreateTime")
    records = [(_NOON_MS + (number % 2) * _HOUR_MS, *quote(number)) for number in range(24)]
    raw_produce.send(workbench.broker.address, workbench.topic, [(0, stamped(records))])
    consumer = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 24}, "an object for each record")
    assert consumer.finish() == 0
    workbench.bucket.check_exactly_once(24)
    objects = workbench.bucket.objects()
    assert [one.hour for one in objects] == ["12", "13"] * 12
    assert [line["sequence"] for one in objects for line in one.lines] == list(range(24))


@pytest.mark.parametrize(("ended", "told"), [(20, False), (21, True)])
def test_more_hours_than_time_has_are_told_each_minute(
    ended: int, told: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rates, "_SECONDS", 1e-9)
    totals = Totals(records=1000, hours_ended=5)
    report = rates.Rates(totals, Systemd())
    writers: dict[Any, Any] = dict.fromkeys("ab", SimpleNamespace(growing_bytes=0, sealed_bytes=0))
    report.report(writers, lambda: "0")
    totals.hours_ended += ended
    report.report(writers, lambda: "0")
    said = [fields for level, fields in told_of(caplog) if level == logging.WARNING]
    assert said == ([{"hours_ended": ended, "records": 0}] if told else [])


def test_many_closed_segments_of_one_record_take_little_memory() -> None:
    key, value = quote(0)
    segments = []
    before = resident()
    for number in range(600):
        segment = Segment("t", 0, number)
        segment.add(RecordBlock.of_records([Record(number, _NOON_MS, key, value)]))
        segment.close()
        segments.append(segment)
    assert resident() - before < 40 << 20
    assert all(segment.good.finish() == segments[0].good.finish() for segment in segments)


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
