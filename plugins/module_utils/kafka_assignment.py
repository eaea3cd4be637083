"""Which brokers carry which partitions: racks apart, loads even, and as few replicas moved as that takes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping

from ansible_collections.stock_market.streaming.plugins.module_utils.min_cost_flow import Network

Key = tuple[str, int]  # topic, number of the partition
Replicas = tuple[int, ...]  # the preferred leader first
Assignment = dict[Key, Replicas]

_SINK = "sink"


def plan(
    current: Mapping[Key, Replicas], racks: Mapping[int, str | None], replication: Mapping[str, int] | None = None
) -> Assignment:
    """Return the partitions' replicas on the brokers in `racks`, and on no others.

    What comes first in this order is never given up for what comes later: a partition's replicas are in as many racks
    as there can be; the brokers' numbers of replicas are even; each topic's are; and as few replicas move as possible.
    Then the same for the preferred leaders: even, even for each topic, and few new ones. An assignment that is as good
    as can be comes back as it is, with its order.

    Args:
        current: the replicas now; they may be on brokers that are not in `racks`.
        racks: broker -> its rack. Where one has none, racks don't count.
        replication: topic -> how many replicas each partition is to have, where it is not as many as now.

    Raises:
        ValueError: a partition is to have more replicas than there are brokers.
    """
    factors = {key: (replication or {}).get(key[0], len(replicas)) for key, replicas in current.items()}
    for key, factor in factors.items():
        if factor > len(racks):
            raise ValueError(f"{key[0]}-{key[1]} needs {factor} brokers for its replicas, and there are {len(racks)}")
    chosen = _replicas(current, factors, racks)
    return _leaders(current, chosen)


def _weights(units: int) -> tuple[int, int]:
    """Return what an uneven topic and an uneven broker cost, so that all of the lesser never outweigh one greater."""
    topic = units + 1
    return topic, topic * (units * units + 1)


def _load(topic: str, broker: int) -> Hashable:
    """Return the node for what a topic puts on a broker; not to be taken for a partition."""
    return ("load", topic, broker)


def _replicas(
    current: Mapping[Key, Replicas], factors: Mapping[Key, int], racks: Mapping[int, str | None]
) -> dict[Key, set[int]]:
    units = sum(factors.values())
    uneven_topic, uneven_broker = _weights(units)
    same_rack = uneven_broker * (units * units + 1)
    rackless = any(rack is None for rack in racks.values())
    rack_of: dict[int, Hashable] = {broker: broker if rackless else rack for broker, rack in racks.items()}
    size = Counter(rack_of.values())

    network = Network()
    places = {}
    for key, factor in sorted(factors.items()):
        for rack, brokers in size.items():
            network.even(key, (key, rack), min(brokers, factor), same_rack)
        for broker, rack in sorted(rack_of.items()):
            stays = broker in current[key]
            places[key, broker] = network.edge((key, rack), _load(key[0], broker), 1, 0 if stays else 1)
    _join(network, factors, list(racks), uneven_topic, uneven_broker)
    for key, factor in sorted(factors.items()):
        network.send(key, _SINK, factor)

    chosen: defaultdict[Key, set[int]] = defaultdict(set)
    for (key, broker), place in places.items():
        if place.used:
            chosen[key].add(broker)
    return chosen


def _join(
    network: Network, factors: Mapping[Key, int], brokers: list[int], uneven_topic: int, uneven_broker: int
) -> None:
    """Add what each topic puts on each broker, and what each broker carries in sum."""
    partitions = Counter(topic for topic, _ in factors)
    for broker in sorted(brokers):
        for topic, count in sorted(partitions.items()):
            network.even(_load(topic, broker), broker, count, uneven_topic)
        network.even(broker, _SINK, len(factors), uneven_broker)


def _leaders(current: Mapping[Key, Replicas], chosen: Mapping[Key, set[int]]) -> Assignment:
    """Return the chosen replicas in order: the preferred leader, those that stay as they were, then the new ones."""
    uneven_topic, uneven_broker = _weights(len(chosen))
    network = Network()
    places = {}
    for key, brokers in sorted(chosen.items()):
        for broker in sorted(brokers):
            leads = current[key][:1] == (broker,)
            places[key, broker] = network.edge(key, _load(key[0], broker), 1, 0 if leads else 1)
    everyone = sorted(set().union(*chosen.values()))
    _join(network, dict.fromkeys(chosen, 1), everyone, uneven_topic, uneven_broker)
    for key in sorted(chosen):
        network.send(key, _SINK, 1)

    found: Assignment = {}
    for key, brokers in chosen.items():
        leader = next(broker for broker in sorted(brokers) if places[key, broker].used)
        before = [broker for broker in current[key] if broker in brokers]
        followers = [broker for broker in before + sorted(brokers - set(before)) if broker != leader]
        found[key] = (leader, *followers)
    return found


def moves(current: Mapping[Key, Replicas], target: Mapping[Key, Replicas]) -> int:
    """Return how many replicas have to be copied to a broker that does not have them."""
    return sum(len(set(replicas) - set(current[key])) for key, replicas in target.items())
