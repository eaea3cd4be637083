"""Topics stay within the brokers' volumes: their bounds, what is refused, and how much history remains."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

_FILE = Path(__file__).parents[2] / "plugins" / "filter" / "kafka_disk.py"
_SPEC = importlib.util.spec_from_file_location("kafka_disk", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
rules = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(rules)

MIB, GIB = 1 << 20, 1 << 30


def disk(**changes: Any) -> dict[str, Any]:
    """One broker on a volume of 20 GiB, and a producer of 50 records per second."""
    return {
        "volume_gib": 20.0,
        "brokers": 1,
        "segment_bytes": 256 * MIB,
        "retention_hours": 168,
        "topic": "stock-quotes",
        "producer_rate": 50.0,
        "rate": 50.0,
        "least_hours": 12.0,
    } | changes


def topic(name: str = "stock-quotes", partitions: int = 3, **config: Any) -> dict[str, Any]:
    named = {key.replace("_", "."): value for key, value in config.items()}
    return {"name": name, "partitions": partitions, "config": {"retention.ms": 604800000, **named}}


def on_disk(topics: list[dict[str, Any]], replicas: int, segment: int = 256 * MIB) -> int:
    """What the topics may take of one broker, each partition with a segment beyond its bound."""
    return sum(
        (int(found["config"]["retention.bytes"]) + (found["config"].get("segment.bytes") or segment)) * replicas
        for found in topics
    )


@pytest.mark.parametrize(("volume", "brokers"), [(8, 1), (20, 1), (20, 3), (20, 5), (100, 3), (16384, 1)])
@pytest.mark.parametrize("partitions", [1, 3, 12, 40])
@pytest.mark.parametrize("rate", [1, 50, 1000])
def test_a_derived_bound_fits_whatever_the_volume(volume: int, brokers: int, partitions: int, rate: int) -> None:
    given = disk(volume_gib=volume, brokers=brokers, producer_rate=rate, rate=rate, least_hours=0)
    bounded = rules.bounded_topics([topic(partitions=partitions)], given)
    assert rules.disk_faults([topic(partitions=partitions)], given) == []
    replicas = -(-partitions * min(3, brokers) // brokers)
    # 4.5 GiB are the system's, and a fifth of the others stays free.
    assert 0.8 < on_disk(bounded, replicas) / (0.8 * (volume - 4.5) * GIB) <= 1
    # What is derived passes as if the user had given it.
    assert rules.disk_faults(bounded, given) == []


def test_the_default_deployment_keeps_its_seven_days() -> None:
    (bounded,) = rules.bounded_topics([topic()], disk())
    assert bounded["config"]["retention.bytes"] == 3975 * MIB
    assert bounded["config"]["segment.bytes"] is None
    history = rules.topic_history([topic()], disk())
    assert (history["hours"], history["wanted_hours"]) == (168, 168)


def test_a_thousand_records_a_second_are_bounded_instead_of_filling_the_volume_in_two_days() -> None:
    given = disk(rate=1000, producer_rate=1000)
    assert rules.disk_faults([topic()], given) == []
    assert rules.topic_history([topic()], given)["hours"] == pytest.approx(22.8, abs=0.2)
    assert rules.topic_history([topic()], disk(rate=1000, producer_rate=1000, volume_gib=200))["hours"] == 168


def test_many_partitions_get_smaller_segments() -> None:
    (bounded,) = rules.bounded_topics([topic(partitions=100)], disk())
    assert bounded["config"]["segment.bytes"] == 31 * MIB
    assert bounded["config"]["retention.bytes"] == 95 * MIB


def test_topics_share_the_volume_and_what_is_given_or_compacted_keeps_out_of_it() -> None:
    topics = [
        topic(),
        topic("orders", 3),
        topic("audit", 1, retention_bytes=GIB),
        topic("state", 5, cleanup_policy="compact"),
        {"name": "old", "state": "absent"},
    ]
    quotes, orders, audit, state, old = rules.bounded_topics(topics, disk())
    assert orders["config"]["retention.bytes"] == pytest.approx(quotes["config"]["retention.bytes"], abs=8 * MIB)
    assert audit["config"] == topics[2]["config"]
    assert "retention.bytes" not in state["config"]
    assert old["config"] == {}
    assert on_disk([quotes, orders], 3) + on_disk([audit], 1) <= 0.8 * 15.5 * GIB
    assert rules.bounded_topics([{"name": "bare"}], disk())[0]["config"]["retention.bytes"] > 10 * GIB


@pytest.mark.parametrize(
    ("definitions", "changes", "words"),
    [
        ([topic(retention_bytes=-1)], {"rate": 1000, "producer_rate": 1000}, "has no bound in bytes"),
        ([topic(retention_bytes=-1, retention_ms=-1)], {}, "fills any volume in time"),
        ([topic("mine", retention_bytes="-1", retention_ms="-1")], {}, "The topic mine keeps everything"),
        ([topic(retention_bytes=5 * GIB)], {}, "come to 15.8 GiB on a broker"),
        ([topic(retention_bytes="5368709120")], {}, "come to 15.8 GiB on a broker"),
        ([topic(retention_bytes="5G")], {}, "retention.bytes '5G'"),
        ([topic(retention_bytes=-5)], {}, "retention.bytes '-5'"),
        ([topic(partitions=400)], {}, "less than 64 MiB: set a larger instances_volume_size"),
        ([topic(), topic("big", 1, retention_bytes=13 * GIB)], {}, "big (1 partition)"),
        ([topic()], {"rate": 5000, "producer_rate": 5000}, "kafka_topics_least_hours asks for 12"),
        ([topic()], {"rate": 3000, "producer_rate": 1000}, "would keep 7.5 hours"),
        ([topic()], {"volume_gib": 4}, "0.0 GiB of a broker's volume of 4 GiB"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    definitions: list[dict[str, Any]], changes: dict[str, Any], words: str
) -> None:
    (sentence,) = rules.disk_faults(definitions, disk(**changes))
    assert words in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("definitions", "changes"),
    [
        ([topic(retention_bytes=-1)], {}),
        ([topic(retention_bytes=GIB)], {"rate": 50}),
        # An hour is all that is wanted, and so less than kafka_topics_least_hours is no fault of the volume.
        ([topic(retention_ms=3600000)], {"rate": 5000, "producer_rate": 5000}),
        ([topic()], {"rate": 5000, "producer_rate": 5000, "least_hours": 0}),
        ([topic()], {"rate": 5000, "producer_rate": 5000, "volume_gib": 100}),
        ([topic(cleanup_policy="compact")], {"rate": 5000, "producer_rate": 5000}),
    ],
)
def test_what_fits_is_not_refused(definitions: list[dict[str, Any]], changes: dict[str, Any]) -> None:
    assert rules.disk_faults(definitions, disk(**changes)) == []


def test_a_record_takes_what_was_measured() -> None:
    assert [round(rules.record_bytes(rate)) for rate in (1, 10, 50, 1000, 10_000, 1e6)] == [293, 293, 199, 152, 80, 60]
    assert 158 < rules.record_bytes(100) < 199
