"""Promises about late objects of hours that are history, whether their raw objects are still there or not."""

from __future__ import annotations

import gzip
import hashlib

import pytest
from tests.support.stock_market.history import NOON_HOUR, Deployment, hour_at, line, lines
from tests.support.stock_market.lake import IDENTITY, NOON, poison

from stock_market.chain.naming import ObjectName, object_key
from stock_market.chain.replays import replay_key

UNTIMED = object_key("quotes/", ObjectName("stock-quotes", IDENTITY.topic_id, 0, 100), 0)


def replay(deployment: Deployment, main_key: str, offsets: str, content: bytes, number: int = 0) -> str:
    """Writes a replay object, as `make replay` does; returns its key."""
    packed = gzip.compress(content)
    metadata = {
        "replayed-offsets": offsets,
        "record-count": str(content.count(b"\n")),
        "sha256": hashlib.sha256(packed).hexdigest(),
        "cluster-id": IDENTITY.cluster_id,
        "topic-id": IDENTITY.topic_id,
    }
    return deployment.lake.put(replay_key(main_key, number), packed, metadata)


@pytest.fixture
def noon(deployment: Deployment) -> str:
    """The key of noon's main object, with two quarantined records; noon is history, of the sequence numbers 0 to 9."""
    key = deployment.main(0, range(10), poisons=[poison(10), poison(11)])
    deployment.main(12, range(100, 101), hour=1)
    assert deployment.run().hours == [NOON_HOUR]
    return key


def test_a_replay_into_an_hour_that_is_history_is_read_once(deployment: Deployment, noon: str) -> None:
    added = replay(deployment, noon, "10", line(10))
    assert deployment.numbers() == [*range(10), 100]
    outcome = deployment.run()
    assert (outcome.problems, outcome.late) == ([], [NOON_HOUR])
    assert deployment.numbers() == [*range(11), 100]
    assert [(one.key, one.records, one.offsets) for one in deployment.manifest().replays] == [(added, 1, "10")]
    assert deployment.history.revision(NOON_HOUR) == deployment.folder().attempt
    again = replay(deployment, noon, "11", line(11), number=1)
    assert deployment.run().late == [NOON_HOUR]
    assert [one.key for one in deployment.manifest().replays] == [added, again]
    assert deployment.numbers() == [*range(12), 100]
    assert deployment.run().late == []


def test_a_replay_that_was_there_before_the_hour_was_over_belongs_to_it(deployment: Deployment) -> None:
    key = deployment.main(0, range(10), poisons=[poison(10)])
    replay(deployment, key, "10", line(10))
    deployment.main(11, range(100, 101), hour=1)
    deployment.run()
    assert deployment.numbers() == [*range(11), 100]
    assert deployment.run().late == []


def test_a_late_main_object_is_read_once(deployment: Deployment, noon: str) -> None:
    assert noon
    deployment.main(0, range(200, 205), partition=1)
    assert deployment.count() == 11
    assert deployment.run().late == [NOON_HOUR]
    assert deployment.numbers() == [*range(10), 100, *range(200, 205)]
    assert [(one.partition, one.start, one.end) for one in deployment.manifest().ranges] == [(0, 0, 12), (1, 0, 5)]


def test_a_replay_is_added_to_the_history_where_the_raw_objects_are_gone(deployment: Deployment, noon: str) -> None:
    deployment.lake.delete(noon)
    assert deployment.run().late == []
    assert deployment.count() == 11
    replay(deployment, noon, "10-11", line(10) + line(11))
    assert deployment.run().late == [NOON_HOUR]
    assert deployment.numbers() == [*range(12), 100]
    written = deployment.manifest()
    assert [(one.start, one.end, one.objects, one.records) for one in written.ranges] == [(0, 12, 1, 10)]
    assert (written.rows, len(written.replays)) == (12, 1)


def test_a_replay_is_added_where_some_raw_objects_and_earlier_replays_are_gone(deployment: Deployment) -> None:
    first = deployment.main(0, range(10), poisons=[poison(10), poison(11)])
    deployment.main(12, range(10, 20))
    gone = replay(deployment, first, "10", line(50))
    deployment.main(22, range(100, 101), hour=1)
    deployment.run()
    deployment.lake.delete(gone)
    deployment.lake.delete(first)
    kept = replay(deployment, first, "11", line(51), number=1)
    assert deployment.run().late == [NOON_HOUR]
    assert deployment.numbers() == [*range(20), 50, 51, 100]
    assert [one.key for one in deployment.manifest().replays] == [gone, kept]
    assert deployment.run().late == []


def test_objects_of_an_hour_that_had_none_are_read_once(deployment: Deployment, noon: str) -> None:
    assert noon
    deployment.main(13, range(101, 102), hour=3)
    deployment.main(14, range(102, 103), hour=4)
    deployment.run()
    assert deployment.history.revision(hour_at(2)) is None
    deployment.main(0, range(300, 303), hour=2, partition=1)
    assert deployment.count() == 13
    assert deployment.run().late == [hour_at(2)]
    assert deployment.numbers() == [*range(10), 100, 101, 102, 300, 301, 302]


def test_a_replay_of_a_record_without_a_usable_timestamp_is_read_once(deployment: Deployment, noon: str) -> None:
    assert noon
    replay(deployment, UNTIMED, "100", line(400))
    assert [hour.dt for hour in deployment.run().late] == ["1970-01-01"]
    assert 400 in deployment.numbers("dt >= '1970-01-01'")
    assert deployment.run().late == []


def test_late_objects_of_long_ago_are_taken_in_when_every_day_is_asked_for(deployment: Deployment, noon: str) -> None:
    key = deployment.lake.main(0, lines(range(500, 503)), time_ms=NOON - 20 * 86_400_000, partition=1)
    assert deployment.run().late == []
    assert [hour.dt for hour in deployment.run(every_day=True).late] == ["2025-12-12"]
    assert deployment.numbers() == [*range(10), 100, 500, 501, 502]
    assert (key < noon, deployment.run(every_day=True).late) == (True, [])


def test_a_partition_that_was_idle_for_hours_goes_on_in_a_later_hour(deployment: Deployment) -> None:
    deployment.main(0, range(5))
    deployment.main(0, range(200, 205), partition=1)
    for hour in range(1, 4):
        deployment.main(4 + hour, range(4 + hour, 5 + hour), hour=hour)
    # Without Kafka nobody can tell whether partition 1 has more.
    outcome = deployment.run()
    assert outcome.hours == []
    assert "partition 1 of stock-quotes has no object in a later hour" in outcome.waiting
    deployment.main(5, range(205, 206), hour=3, partition=1)
    assert deployment.run().hours == [NOON_HOUR, hour_at(1), hour_at(2)]
    assert deployment.numbers() == [*range(8), *range(200, 206)]


def test_a_lost_manifest_is_told_and_the_other_hours_go_on(deployment: Deployment, noon: str) -> None:
    deployment.main(13, range(101, 102), hour=2)
    deployment.run()
    deployment.lake.delete(deployment.folder().manifest_key("history/"))
    replay(deployment, noon, "10", line(10))
    later = deployment.main(0, range(300, 301), hour=1, partition=1)
    outcome = deployment.run()
    assert later
    assert outcome.late == [hour_at(1)]
    assert "manifest in" in outcome.problems[0]
    assert "is missing" in outcome.problems[0]
    assert deployment.count() == 13
