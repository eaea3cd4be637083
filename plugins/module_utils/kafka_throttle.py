"""A limit for the copying of replicas, so that it leaves clients their part of disk and network.

Kafka throttles the replicas that a topic names, at the rate that each broker has:
https://kafka.apache.org/39/documentation.html#rep-throttle

Only what leaders send is limited. They leave out the replicas that are in sync; a follower throttles itself even then,
as soon as it is a record behind, and whoever writes with acks=all waits for it until the other copies have used less.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import RefusedError
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_assignment import Key
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_cluster import ask

with contextlib.suppress(ImportError):
    from kafka.admin import ConfigResource, ConfigResourceType
    from kafka.protocol.admin import DescribeConfigsRequest

_RATE, _LEADERS = "leader.replication.throttled.rate", "leader.replication.throttled.replicas"


def throttle(admin: Any, brokers: Collection[int], rate: int, copies: Mapping[Key, Collection[int]]) -> None:
    """Limit what all brokers together send of copies.

    Args:
        admin: a connected client.
        brokers: those that are alive.
        rate: bytes a second, of which each broker gets its share: all may send to the same one.
        copies: partition that is copied -> brokers that have it.
    """
    leaders: defaultdict[str, list[str]] = defaultdict(list)
    for (topic, number), having in sorted(copies.items()):
        leaders[topic] += [f"{number}:{broker}" for broker in sorted(having)]
    # The topics first: where they name replicas, `clear` knows that there are rates as well.
    wanted = [
        ConfigResource(ConfigResourceType.TOPIC, topic, {_LEADERS: ("SET", ",".join(names))})
        for topic, names in leaders.items()
    ]
    _alter(admin, wanted)
    share = {_RATE: ("SET", str(max(1, rate // len(brokers))))}
    _alter(admin, [ConfigResource(ConfigResourceType.BROKER, str(broker), share) for broker in brokers])


def throttled(admin: Any, controller: int, topics: Iterable[str]) -> list[str]:
    """Return those of the topics that name replicas to be throttled."""
    wanted = [(ConfigResourceType.TOPIC, topic, [_LEADERS]) for topic in topics]
    if not wanted:
        return []
    results = ask(admin, DescribeConfigsRequest(resources=wanted), controller)["results"]
    return [result["resource_name"] for result in results if any(option["value"] for option in result["configs"])]


def clear(admin: Any, brokers: Iterable[int], topics: Iterable[str]) -> None:
    """Take the limits away from the brokers that are alive, then from these topics."""
    rate, names = {_RATE: ("DELETE", None)}, {_LEADERS: ("DELETE", None)}
    _alter(admin, [ConfigResource(ConfigResourceType.BROKER, str(broker), rate) for broker in brokers])
    _alter(admin, [ConfigResource(ConfigResourceType.TOPIC, topic, names) for topic in topics])


def _alter(admin: Any, resources: list[Any]) -> None:
    if not resources:
        return
    # Brokers don't describe a rate that is not set, so kafka-python would take it for unknown.
    for kind, answers in admin.alter_configs(resources, raise_on_unknown=False).items():
        for name, answer in answers.items():
            if answer != "OK":
                raise RefusedError(f"Kafka did not take the throttle of the {kind} {name}: {answer}.")
