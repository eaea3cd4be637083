"""What the live page says of a fault: what it is, what it means, and whether the stream stands still."""

from __future__ import annotations

from stock_market_ops.live import findings
from stock_market_ops.live.brokers import Partition
from stock_market_ops.live.prometheus import Service
from stock_market_ops.live.state import Broker

ALL = [Partition(number, number + 1, [1, 2, 3], [1, 2, 3]) for number in range(3)]


def brokers(*up: bool) -> list[Broker]:
    """Brokers 1, 2, ..., that answer or do not."""
    return [Broker(at, f"kafka-{at}", f"10.0.0.{at}:9092", one, at == 1, []) for at, one in enumerate(up, 1)]


def services(*up: bool) -> list[Service]:
    """Services on pipeline-1, pipeline-2, ..., that run or do not."""
    return [Service(f"pipeline-{at}", one, {}) for at, one in enumerate(up, 1)]


def test_a_deployment_that_is_well_has_none() -> None:
    assert findings.find(brokers(True, True, True), ALL, services(True), services(True, True)) == []


def test_a_killed_broker_of_three_stops_nothing_once_others_lead() -> None:
    led = [Partition(number, 2, [1, 2, 3], [2, 3]) for number in range(3)]
    [found] = findings.find(brokers(False, True, True), led, [], [])
    assert found.what == "kafka-1 does not answer"
    assert "nothing is lost" in found.meaning
    assert not found.stops


def test_partitions_of_a_killed_broker_stand_still_until_another_leads_them() -> None:
    found = findings.find(brokers(False, True, True), ALL, [], [])
    assert [one.what for one in found] == ["No leader: partition 0", "kafka-1 does not answer"]
    assert found[0].stops


def test_the_only_broker_stops_all() -> None:
    [found] = findings.find(brokers(False), [Partition(0, 1, [1], [1])], [], [])
    assert found.what == "kafka-1 does not answer"
    assert found.stops


def test_a_broker_that_catches_up_is_said() -> None:
    lagging = [Partition(0, 1, [1, 2, 3], [1, 3])]
    [found] = findings.find(brokers(True, True, True), lagging, [], [])
    assert found.what == "Not fully replicated: partition 0"


def test_one_of_two_consumers_is_replaced_by_the_other_and_the_last_by_none() -> None:
    [found] = findings.find([], [], [], services(True, False))
    assert (found.what, found.stops) == ("The consumer on pipeline-2 is down", False)
    assert "take over" in found.meaning
    first, _ = findings.find([], [], [], services(False, False))
    assert first.stops
    assert "Nothing is written to S3" in first.meaning


def test_a_stopped_producer_is_said() -> None:
    [found] = findings.find([], [], services(False), [])
    assert (found.what, found.stops) == ("The producer on pipeline-1 is down", True)


def test_records_that_wait_too_long_for_s3_are_said() -> None:
    [found] = findings.find([], [], [], [], 120.4)
    assert found.what == "Nothing new in S3 for 120 s"
