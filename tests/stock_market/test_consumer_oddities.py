"""What an outside producer who may write can put into the topic stops nobody: it goes to quarantine with its reason."""

from __future__ import annotations

import time
from pathlib import Path

from tests.stock_market import raw_produce
from tests.stock_market.services import Workbench, eventually, quote

from stock_market.raw_fetches_check import batch


def peak_kilobytes(pid: int) -> int:
    """The most memory that a process has held, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def test_a_batch_that_unpacks_to_gigabytes_is_quarantined_in_bounded_memory(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send([quote(number) for number in range(10)])
    bomb = batch(0, [(b"HSI", bytes(300 << 20))], compression=4)
    assert len(bomb) < 100_000
    raw_produce.send(workbench.broker.address, workbench.topic, [(0, bomb)])
    workbench.send([quote(number) for number in range(10, 20)])
    consumer = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 21}, "what follows the batch")
    assert peak_kilobytes(consumer.process.pid) < 200 << 10
    assert consumer.finish() == 0
    workbench.bucket.check_exactly_once(20)
    bad = [line for one in workbench.bucket.objects("quarantine/") for line in one.lines]
    assert [(line["offset"], line["value"], line["reason"]) for line in bad] == [
        (10, None, "the batch of the offsets 10 to 10 unpacks to more than 33554432 bytes")
    ]


def test_timestamps_that_are_no_time_of_this_century_are_quarantined(workbench: Workbench) -> None:
    workbench.create_topic(timestamps="CreateTime")
    now = int(time.time() * 1000)
    wrong = (now * 1000, now // 1000, now * 1_000_000, 1, -1, 946_684_799_999, 4_102_444_800_000)
    for number, timestamp in enumerate(wrong):
        workbench.send([quote(number)], time_ms=now)
        raw = batch(0, [quote(90 + number)], time_ms=timestamp)
        raw_produce.send(workbench.broker.address, workbench.topic, [(0, raw)])
    workbench.send([quote(len(wrong))], time_ms=now)
    consumer = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 15}, "all of them")
    assert consumer.finish() == 0
    assert "crashed" not in consumer.log()
    workbench.bucket.check_exactly_once(8)
    bad = {line["timestamp"]: line["reason"] for one in workbench.bucket.objects("quarantine/") for line in one.lines}
    words = "is no time of this century in milliseconds since 1970"
    assert bad == {time_ms: f"the Kafka timestamp {time_ms} {words}" for time_ms in wrong if time_ms != -1} | {
        -1: "the record carries no Kafka timestamp"
    }
    places = {one.key.rpartition("/")[0] for one in workbench.bucket.objects() if not one.lines}
    assert places == {"quotes/dt=1970-01-01/hour=00"}
