"""A limit for the copying of replicas, so that it leaves clients their part of disk and network.

Kafka throttles the replicas that a topic names, at the rate that each broker has:
https://kafka.apache.org/39/documentation.html#rep-throttle
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ansible.module_utils.kafka_admin import RefusedError
from ansible.module_utils.kafka_cluster import ask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ansible.module_utils.kafka_assignment import Key

with contextlib.suppress(ImportError):
    from kafka.admin import ConfigResource, ConfigResourceType
    from kafka.protocol.admin import DescribeConfigsRequest

_RATES = ("leader.replication.throttled.rate", "follower.replication.throttled.rate")
_LEADERS, _FOLLOWERS = "leader.replication.throttled.replicas", "follower.replication.throttled.replicas"


def throttle(
    admin: Any, brokers: Iterable[int], rate: int, copies: Mapping[Key, tuple[Collection[int], Collection[int]]]
) -> None:
    """Limit what each broker sends and what it takes, for the copies from the first brokers of each pair to the second.

    Args:
        admin: a connected client.
        brokers: those that are alive.
        rate: bytes a second.
        copies: partition -> brokers that have it, and brokers that shall get it.
    """
    leaders: defaultdict[str, list[str]] = defaultdict(list)
    followers: defaultdict[str, list[str]] = defaultdict(list)
    for (topic, number), (having, getting) in sorted(copies.items()):
        leaders[topic] += [f"{number}:{broker}" for broker in sorted(having)]
        followers[topic] += [f"{number}:{broker}" for broker in sorted(getting)]
    # The topics first: where they name replicas, `clear` knows that there are rates as well.
    wanted = [
        ConfigResource(
            ConfigResourceType.TOPIC,
            topic,
            {_LEADERS: ("SET", ",".join(leaders[topic])), _FOLLOWERS: ("SET", ",".join(followers[topic]))},
        )
        for topic in leaders
    ]
    _alter(admin, wanted)
    rates = {name: ("SET", str(rate)) for name in _RATES}
    _alter(admin, [ConfigResource(ConfigResourceType.BROKER, str(broker), rates) for broker in brokers])


def throttled(admin: Any, controller: int, topics: Iterable[str]) -> list[str]:
    """Return those of the topics that name replicas to be throttled."""
    wanted = [(ConfigResourceType.TOPIC, topic, [_LEADERS, _FOLLOWERS]) for topic in topics]
    if not wanted:
        return []
    results = ask(admin, DescribeConfigsRequest(resources=wanted), controller)["results"]
    return [result["resource_name"] for result in results if any(option["value"] for option in result["configs"])]


def clear(admin: Any, brokers: Iterable[int], topics: Iterable[str]) -> None:
    """Take the limits away from the brokers that are alive, then from these topics."""
    rates = dict.fromkeys(_RATES, ("DELETE", None))
    _alter(admin, [ConfigResource(ConfigResourceType.BROKER, str(broker), rates) for broker in brokers])
    lists = {_LEADERS: ("DELETE", None), _FOLLOWERS: ("DELETE", None)}
    _alter(admin, [ConfigResource(ConfigResourceType.TOPIC, topic, lists) for topic in topics])


def _alter(admin: Any, resources: list[Any]) -> None:
    if not resources:
        return
    # Brokers don't describe a rate that is not set, so kafka-python would take it for unknown.
    for kind, answers in admin.alter_configs(resources, raise_on_unknown=False).items():
        for name, answer in answers.items():
            if answer != "OK":
                raise RefusedError(f"Kafka did not take the throttle of the {kind} {name}: {answer}.")
