"""Where the consumer cuts objects, and what becomes of records that are no quotes."""

from __future__ import annotations

import base64
import time

import pytest
from tests.support.stock_market.services import Workbench, eventually, quote

HOUR_MS = 3_600_000
pytestmark = pytest.mark.parametrize("workbench", ["batches", "records"], indirect=True)


def test_an_hour_boundary_cuts_the_object(workbench: Workbench) -> None:
    workbench.create_topic(timestamps="CreateTime")
    noon = (int(time.time() * 1000) // HOUR_MS) * HOUR_MS - 5 * HOUR_MS
    workbench.send([quote(n) for n in range(10)], time_ms=noon - 1)
    workbench.send([quote(n) for n in range(10, 25)], time_ms=noon)
    consumer = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 25}, "both objects")
    assert consumer.finish() == 0
    first, second = workbench.bucket.objects()
    assert (first.end, second.start) == (10, 10)
    assert int(second.hour) == (int(first.hour) + 1) % 24
    assert f"hour={time.gmtime(noon / 1000).tm_hour:02d}/" in second.key
    assert {line["sequence"] for line in second.lines} == set(range(10, 25))


def test_records_and_bytes_cut_the_object(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send([quote(n) for n in range(250)])
    consumer = workbench.consumer(seconds=600, records=100)
    eventually(lambda: workbench.bucket.check_chain() == {0: 200}, "two full objects")
    assert consumer.finish() == 0
    assert [len(one.lines) for one in workbench.bucket.objects()] == [100, 100, 50]


def test_the_last_records_of_an_idle_topic_are_stored_within_the_interval(workbench: Workbench) -> None:
    workbench.create_topic()
    consumer = workbench.consumer(seconds=1)
    consumer.logged("partition_started")
    workbench.send([quote(0)])
    eventually(lambda: workbench.bucket.keys() != [], "the one record", 30)  # Less than the default of the interval.
    assert workbench.bucket.check_chain() == {0: 1}
    assert consumer.finish() == 0


def test_a_new_chain_has_its_first_objects_sooner_than_a_known_one(workbench: Workbench) -> None:
    workbench.create_topic()
    extra = "first_seconds = 0.5\n"
    first = workbench.consumer(seconds=600, extra=extra)
    workbench.send([quote(0)])
    eventually(lambda: len(workbench.bucket.keys()) == 1, "the first object")
    workbench.send([quote(1)])
    eventually(lambda: len(workbench.bucket.keys()) == 2, "the second object")
    assert first.finish() == 0
    second = workbench.consumer(seconds=600, extra=extra)
    second.logged("partition_started")
    workbench.send([quote(2)])
    time.sleep(3)
    assert len(workbench.bucket.keys()) == 2
    assert second.finish() == 0
    workbench.bucket.check_exactly_once(3)


def test_poison_goes_to_quarantine_once(workbench: Workbench) -> None:
    workbench.create_topic()
    good = [quote(n) for n in range(4)]
    bad: list[tuple[bytes | None, bytes | None]] = [
        (b"HSI", b"\xff\xfe"),
        (b"HSI", b"not json"),
        (b"HSI", b"[1, 2]"),
        quote(7, open="dear"),
        (b"HSI", quote(7)[1].replace(b', "volume": 7', b"")),
        (b"HSI", quote(7, producer_id="x" * 2100)[1]),
        (b"N225", quote(7)[1]),
        (b"HSI", None),
        quote(7, event_time="yesterday"),
        quote(7, event_time="2026-02-30T09:30:00.000Z"),
        (b"HSI", quote(7)[1].replace(b", ", b",\n")),
    ]
    workbench.send([good[0], *bad[:5], good[1], good[2], *bad[5:], good[3]])
    first = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 15}, "the object")
    assert first.finish() == 0
    workbench.bucket.check_exactly_once(4)
    (stored,) = workbench.bucket.objects()
    (quarantined,) = workbench.bucket.objects("quarantine/")
    assert stored.key.removeprefix("quotes/") == quarantined.key.removeprefix("quarantine/")
    assert stored.metadata["quarantined-count"] == "11"
    assert [line["offset"] for line in quarantined.lines] == [1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]
    assert {(line["topic"], line["partition"]) for line in quarantined.lines} == {(workbench.topic, 0)}
    assert base64.b64decode(quarantined.lines[0]["value"]) == b"\xff\xfe"
    assert quarantined.lines[0]["encoding"] == "base64"
    assert quarantined.lines[1]["value"] == "not json"
    expected = (
        "the value is not UTF-8: byte 0 is 0xff",
        "the value is not JSON: invalid character",
        "the value is JSON, but an array instead of an object",
        "the field open is a string instead of a number",
        "the field volume is missing",
        "the value is longer than 2048 bytes: it has",
        "the key b'N225' is not the symbol HSI",
        "the value is null",
        "the field event_time is not a UTC time like 2026-01-31T09:30:00.000Z: 'yesterday'",
        "the field event_time is not a UTC time like 2026-01-31T09:30:00.000Z: '2026-02-30T09:30:00.000Z'",
        "the value is not on one line",
    )
    for line, words in zip(quarantined.lines, expected, strict=True):
        assert line["reason"].startswith(words)


def test_a_block_of_nothing_but_poison_keeps_the_chain_going(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send([(b"k", b"rubbish")] * 20)
    workbench.send([quote(n) for n in range(20)])
    consumer = workbench.consumer(seconds=0.5, records=20)
    eventually(lambda: workbench.bucket.check_chain() == {0: 40}, "both objects")
    assert consumer.finish() == 0
    empty, full = workbench.bucket.objects()
    assert (len(empty.lines), len(full.lines)) == (0, 20)
    assert [len(one.lines) for one in workbench.bucket.objects("quarantine/")] == [20]


def test_a_missing_quarantine_object_is_written_again_before_the_chain_continues(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send([quote(0), (b"k", b"rubbish"), quote(1), (b"k", b"more")])
    first = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 4}, "the object")
    assert first.finish() == 0
    (before,) = workbench.bucket.objects("quarantine/")
    # As if the consumer had been killed between the two objects: the second is missing and nothing is committed.
    workbench.bucket.client.delete_object(Bucket=workbench.bucket.name, Key=before.key)
    workbench.send([quote(2)])
    second = workbench.consumer(seconds=0.3, group="another")
    eventually(lambda: workbench.bucket.check_chain() == {0: 5}, "the chain goes on")
    assert second.finish() == 0
    (after,) = workbench.bucket.objects("quarantine/")
    assert after.lines == before.lines
    workbench.bucket.check_exactly_once(3)
