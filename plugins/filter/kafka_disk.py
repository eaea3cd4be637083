"""Filters that keep Kafka's topics within the brokers' volumes: one rule for site.yml and for `make plan`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

MIB, GIB = 1 << 20, 1 << 30
SYSTEM_BYTES = 4 * GIB
"""Debian, Java, two versions of Kafka, the services' environments (2 GiB together), their logs and the journal."""
INTERNAL_TOPICS_BYTES = GIB // 2
"""__consumer_offsets and __transaction_state, which are compacted: a few active segments of 100 MB."""
USABLE_SHARE = 0.8
"""Of what is left. The rest is for the file system itself, a broker that catches up, and the alarm in time."""
LEAST_SEGMENT, LEAST_SEGMENTS = 16 * MIB, 4
# A log is over its bound for as long as the broker does not look (log.retention.check.interval.ms, 5 minutes) and keeps
# the files of what it deleted (log.segment.delete.delay.ms, 1 minute).
_LATE_SECONDS = 360
# Bytes that a record of the simulation takes in the log of a broker, by the rate of one producer in records per second:
# measured over 11 s each, three partitions, lz4, linger 5 ms, as the role stock_producer has them (docs/operations.md).
# A slow stream has small batches: each costs a header of 61 bytes, and lz4 saves little in few records. The last is
# docs/performance.md's "size on the wire", of full batches.
_MEASURED = ((10, 293), (50, 199), (200, 158), (1000, 152), (10_000, 80), (100_000, 60))


def record_bytes(rate: float) -> float:
    """Return what a record takes on a broker's disk, in bytes, where a producer sends `rate` records per second.

    Between two rates that were measured it goes by the rate's logarithm.
    """
    rate = min(max(rate, _MEASURED[0][0]), _MEASURED[-1][0])
    (below, most), (above, least) = next(pair for pair in pairwise(_MEASURED) if rate <= pair[1][0])
    return most + (least - most) * math.log(rate / below) / math.log(above / below)


def _config(topic: Mapping[str, Any]) -> dict[str, Any]:
    return dict(topic.get("config") or {})


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _is_compacted(topic: Mapping[str, Any]) -> bool:
    return "compact" in str(_config(topic).get("cleanup.policy") or "delete").split(",")


def _replicas(topic: Mapping[str, Any], brokers: int) -> int:
    """Return how many of the topic's replicas the broker with the most of them has."""
    factor = int(topic.get("replication_factor") or -1)
    factor = min(3, brokers) if factor < 1 else min(factor, brokers)
    return math.ceil(int(topic.get("partitions") or 1) * factor / brokers)


def _share(volume_gib: float) -> float:
    """Return what topics may take of a broker's volume, in bytes."""
    return max(0.0, (volume_gib * GIB - SYSTEM_BYTES - INTERNAL_TOPICS_BYTES) * USABLE_SHARE)


def _late_bytes(topic: Mapping[str, Any], disk: Mapping[str, Any]) -> float:
    """Return how far one partition passes its bound, beside its last segment, before the broker deletes."""
    if topic["name"] != disk["topic"]:
        return 0.0
    size = record_bytes(float(disk["producer_rate"]))
    return float(disk["rate"]) * size / int(topic.get("partitions") or 1) * _LATE_SECONDS


def _segment(topic: Mapping[str, Any], disk: Mapping[str, Any]) -> int:
    return _number(_config(topic).get("segment.bytes")) or int(disk["segment_bytes"])


def _is_bounded(topic: Mapping[str, Any]) -> bool:
    """Whether the topic is there and not compacted, so that a bound in bytes counts."""
    return topic.get("state", "present") == "present" and not _is_compacted(topic)


def _bound(topic: Mapping[str, Any]) -> int | None:
    """Return the retention.bytes that the user has given, -1 for none at all, and None where nothing is said."""
    return _number(_config(topic).get("retention.bytes"))


def _per_partition(definitions: Iterable[Mapping[str, Any]], disk: Mapping[str, Any]) -> float:
    """Return the bytes that every partition whose bound is not given may have on a broker, its segment and all."""
    brokers, left, replicas = int(disk["brokers"]), _share(float(disk["volume_gib"])), 0
    for topic in filter(_is_bounded, definitions):
        bound, count = _bound(topic), _replicas(topic, brokers)
        if bound is None:
            replicas += count
            left -= _late_bytes(topic, disk) * count
        elif bound >= 0:
            left -= (bound + _segment(topic, disk) + _late_bytes(topic, disk)) * count
    return left / replicas if replicas else left


def bounded_topics(definitions: Iterable[Mapping[str, Any]], disk: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the topics with a retention.bytes each, and a smaller segment.bytes where Kafka's own would not fit.

    Retention removes whole closed segments: a partition takes up to retention.bytes, one segment, and what comes in
    before the broker looks. A retention.bytes that is given stays; a compacted topic has none.

    Args:
        definitions: as kafka_topics_definitions.
        disk: `volume_gib` of the smallest broker, `brokers`, the brokers' `segment_bytes`, and for the `topic` of the
            quotes the `rate` of all producers and the `producer_rate` of one, in records per second.
    """
    definitions = list(definitions)
    share = _per_partition(definitions, disk)
    bounded = []
    for topic in definitions:
        config = _config(topic)
        if _is_bounded(topic) and _bound(topic) is None:
            if "segment.bytes" not in config:
                fits = max(int(share / LEAST_SEGMENTS) // MIB * MIB, LEAST_SEGMENT)
                # null gives the brokers' own back, where an earlier, smaller volume had a smaller one.
                config["segment.bytes"] = fits if fits < int(disk["segment_bytes"]) else None
            segment = _number(config["segment.bytes"]) or int(disk["segment_bytes"])
            config["retention.bytes"] = max(int(share - segment) // MIB * MIB, MIB)
        bounded.append({**topic, "config": config})
    return bounded


def topic_history(definitions: Iterable[Mapping[str, Any]], disk: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Kafka keeps of the quotes; empty where the topic is not declared.

    `hours` it is, `wanted_hours` by retention.ms (-1 without end), and `retention_bytes` and `segment_bytes` are of a
    partition.

    Args:
        definitions: as kafka_topics_definitions.
        disk: as for bounded_topics, and `retention_hours` of the brokers.
    """
    topic = next((topic for topic in bounded_topics(definitions, disk) if topic["name"] == disk["topic"]), None)
    if topic is None or not _is_bounded(topic):
        return {}
    given = _number(_config(topic).get("retention.ms"))
    wanted = float(disk["retention_hours"]) if given is None else given / 3_600_000
    size = record_bytes(float(disk["producer_rate"]))
    per_hour = float(disk["rate"]) * size / int(topic.get("partitions") or 1) * 3600
    bound = _bound(topic) or 0
    by_size = bound / per_hour if bound >= 0 and per_hour else math.inf
    hours = min(by_size, wanted if wanted >= 0 else math.inf)
    return {
        "topic": topic["name"],
        "hours": hours if math.isfinite(hours) else -1,
        "wanted_hours": wanted if wanted >= 0 else -1,
        "bytes_per_record": round(size),
        "retention_bytes": bound,
        "segment_bytes": _segment(topic, disk),
        "volume_gib": float(disk["volume_gib"]),
        "rate": float(disk["rate"]),
    }


def _named(topic: Mapping[str, Any]) -> str:
    count = int(topic.get("partitions") or 1)
    return f"{topic['name']} ({count} partition{'s' if count != 1 else ''})"


def disk_faults(definitions: Iterable[Mapping[str, Any]], disk: Mapping[str, Any]) -> list[str]:
    """Return a sentence for all that would fill the volume of a broker, or keeps less than is asked for.

    Args:
        definitions: as kafka_topics_definitions.
        disk: as for topic_history, and `least_hours` of quotes that Kafka has to keep.
    """
    definitions = list(definitions)
    brokers, volume = int(disk["brokers"]), float(disk["volume_gib"])
    topics, share = list(filter(_is_bounded, definitions)), _share(volume)
    room = f"{share / GIB:.1f} GiB of a broker's volume of {volume:g} GiB (instances_volume_size) are for topics"
    faults = []
    for topic in topics:
        given = _config(topic).get("retention.bytes")
        bound = _bound(topic)
        if given is not None and (bound is None or bound < -1):
            faults.append(
                f"The topic {topic['name']} has the retention.bytes '{given}' in kafka_topics_definitions: it is a "
                "number of bytes per partition, or -1 for no bound."
            )
        elif bound == -1:
            faults.extend(_unbounded(topic, disk, share, room))
    if faults:
        return faults
    given_bytes = sum(
        (bound + _segment(topic, disk) + _late_bytes(topic, disk)) * _replicas(topic, brokers)
        for topic in topics
        if (bound := _bound(topic)) is not None and bound >= 0
    )
    free = [topic for topic in topics if _bound(topic) is None]
    if given_bytes > share:
        names = ", ".join(_named(topic) for topic in topics if _bound(topic) is not None)
        sentence = (
            f"The retention.bytes that kafka_topics_definitions gives {names} come to {given_bytes / GIB:.1f} GiB on a "
            f"broker, a segment for each partition included, and {room}: lower them, leave them out and they are "
            "derived, or set a larger instances_volume_size."
        )
        return [sentence]
    least = LEAST_SEGMENT * LEAST_SEGMENTS
    if free and _per_partition(definitions, disk) < least:
        sentence = (
            f"{room}, which leaves each replica of {', '.join(_named(topic) for topic in free)} less than "
            f"{least // MIB} MiB: set a larger instances_volume_size, fewer partitions in kafka_topics_definitions, or "
            "a lower stock_producer_rate."
        )
        return [sentence]
    history = topic_history(definitions, disk)
    wanted = float(disk["least_hours"])
    if history and wanted > history["hours"] >= 0 and not 0 <= history["wanted_hours"] <= history["hours"]:
        sentence = (
            f"At {history['rate']:g} records/s of about {history['bytes_per_record']} bytes (stock_producer_rate times "
            f"the producers), Kafka would keep {history['hours']:.1f} hours of {history['topic']}, and "
            f"kafka_topics_least_hours asks for {wanted:g}; {room}: set a larger instances_volume_size, a lower "
            "stock_producer_rate, or a lower kafka_topics_least_hours."
        )
        return [sentence]
    return []


def _unbounded(topic: Mapping[str, Any], disk: Mapping[str, Any], share: float, room: str) -> list[str]:
    """Return the sentence about a topic with no bound in bytes, where time alone does not keep it small enough."""
    given = _number(_config(topic).get("retention.ms"))
    hours = float(disk["retention_hours"]) if given is None else given / 3_600_000
    if hours < 0:
        sentence = (
            f"The topic {topic['name']} keeps everything (retention.bytes -1 and retention.ms -1), which fills any "
            "volume in time: leave retention.bytes out of kafka_topics_definitions and it is derived from the volume."
        )
        return [sentence]
    if topic["name"] != disk["topic"]:
        return []
    size = record_bytes(float(disk["producer_rate"]))
    stored = float(disk["rate"]) * size * hours * 3600 / int(topic.get("partitions") or 1)
    needed = (stored + _segment(topic, disk)) * _replicas(topic, int(disk["brokers"]))
    if needed <= share:
        return []
    sentence = (
        f"The topic {topic['name']} has no bound in bytes (retention.bytes -1): {hours:g} hours (retention.ms) of "
        f"{disk['rate']:g} records/s of about {size:.0f} bytes (stock_producer_rate) come to {needed / GIB:.1f} GiB on "
        f"a broker, and {room}: leave retention.bytes out and it is derived, lower retention.ms, or set a larger "
        "instances_volume_size."
    )
    return [sentence]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "bounded_topics": bounded_topics,
            "disk_faults": disk_faults,
            "record_size": lambda rate: round(record_bytes(float(rate))),
            "topic_history": topic_history,
        }
