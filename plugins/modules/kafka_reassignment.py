#!/usr/bin/python
"""Ansible module: spreads Kafka's partitions over the brokers that shall carry them."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import (
    kafka_admin,
    kafka_cluster,
    kafka_election,
    kafka_throttle,
)
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import RefusedError
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_assignment import (
    Assignment,
    Key,
    moves,
    plan,
)
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_cluster import Cluster, Partition, names
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import READINESS_TOPIC

with contextlib.suppress(ImportError):
    from kafka import TopicPartition
    from kafka.errors import KafkaError

DOCUMENTATION = r"""
module: kafka_reassignment
short_description: Spread Kafka's partitions over the brokers that shall carry them
description:
  - Each partition gets its replicas on distinct brokers of C(brokers), in as many racks as there can be; brokers carry
    and lead as much as each other, of each topic and in sum; and as few replicas are moved as that takes. Partitions
    that are spread so already stay.
  - A broker that is not in C(brokers) is drained. When it carries nothing any more it can be taken out of the cluster;
    its readiness topic (C(__readiness-<broker id>)) is deleted.
  - Copies are throttled. When all are made, the throttle is taken away again and the preferred leaders are elected.
  - A reassignment that goes on already is taken for what is wanted of its partitions, so a run that was broken off is
    run again.
  - The module does what can be done at once; its action plugin runs it again until all copies are made, and shows the
    progress.
options:
  brokers: {description: Ids of the brokers that shall carry partitions., type: list, elements: int, required: true}
  topics:
    description: Topics to spread. Without it all, Kafka's internal ones too.
    type: list
    elements: str
    default: []
  replication_factor:
    description: Topics with fewer replicas get this number of them. Without it each keeps its number.
    type: int
  throttle:
    description: What all copies together may take, in bytes a second.
    type: int
    default: 10485760
  timeout: {description: "How long to wait, in seconds.", type: int, default: 3600}
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Drain broker 4
  stock_market.streaming.kafka_reassignment:
    brokers: [1, 2, 3]
    bootstrap_servers: [203.0.113.7:9092]
"""

RETURN = r"""
done: {description: Whether all copies are made., type: bool, returned: success}
moves: {description: How many replicas this run had copied to a new broker., type: int, returned: success}
ongoing: {description: "Partitions whose copies are being made, as C(topic-partition).", type: list, returned: success}
bytes_left: {description: What is still to be copied of them., type: int, returned: success}
progress: {description: The same in words., type: str, returned: success}
remaining:
  description: "What brokers that are not in C(brokers) still carry: C(id), C(partitions)."
  type: list
  returned: success
"""

_METADATA_SECONDS = 0.5
_ELECTION_SECONDS = 30.0
_MEGABYTE = 1_000_000


class Reassignment:
    """What the module's options ask for, and what the cluster has of it."""

    def __init__(self, admin: Any, options: dict[str, Any]) -> None:
        """Look at the cluster through the connected client `admin`.

        Raises:
            RefusedError: there is no such topic or broker.
        """
        self.admin = admin
        self.options = options
        self.cluster: Cluster = kafka_cluster.NOBODY
        self.partitions: dict[Key, Partition] = {}
        self.ongoing: dict[Key, dict[str, list[int]]] = {}
        self.look()
        topics = {topic for topic, _ in self.partitions}
        if missing := sorted(set(options["topics"]) - topics):
            raise RefusedError(f"There is no topic {', '.join(missing)}.")
        if away := sorted(set(options["brokers"]) - self.cluster.ids):
            raise RefusedError(
                f"Broker {', '.join(map(str, away))} can't be given partitions, since it is not registered; "
                f"the cluster has {sorted(self.cluster.ids)}."
            )

    def look(self) -> None:
        """Ask again how the partitions are, and which of them are being reassigned.

        The partitions come last, and a moment later where replicas have moved: one whose reassignment has just ended
        must not be taken for one that has its old and its new replicas for good.
        """
        found = self.admin.list_partition_reassignments()
        self.cluster = kafka_cluster.read(self.admin)
        if found or self.throttled(self.cluster):
            time.sleep(_METADATA_SECONDS)
            self.cluster = kafka_cluster.read(self.admin)
        chosen = self.options["topics"]
        self.partitions = {
            (each.topic, each.number): each for each in self.cluster.partitions if not chosen or each.topic in chosen
        }
        self.ongoing = {tuple(key): what for key, what in found.items() if tuple(key) in self.partitions}

    def throttled(self, cluster: Cluster) -> list[str]:
        """Return the topics that a reassignment has throttled."""
        chosen = self.options["topics"]
        topics = {each.topic for each in cluster.partitions if not chosen or each.topic in chosen}
        found: list[str] = kafka_throttle.throttled(self.admin, cluster.teller, sorted(topics))
        return found

    def current(self) -> Assignment:
        """Return the partitions' replicas, as they will be when what goes on is done."""
        return {
            key: tuple(
                broker
                for broker in (self.ongoing[key]["replicas"] if key in self.ongoing else each.replicas)
                if key not in self.ongoing or broker not in self.ongoing[key]["removing_replicas"]
            )
            for key, each in self.partitions.items()
        }

    def wanted(self) -> Assignment:
        """Return the partitions that are to have other replicas, or the same in another order, with these.

        Raises:
            RefusedError: there are not brokers enough, or nobody has the data of a partition.
        """
        current = self.current()
        raised = self.options["replication_factor"] or 0
        most: defaultdict[str, int] = defaultdict(int)
        for (topic, _), replicas in current.items():
            most[topic] = max(most[topic], len(replicas), raised)
        racks = {node.id: node.rack for node in self.cluster.nodes if node.id in self.options["brokers"]}
        try:
            target = plan(current, racks, most)
        except ValueError as error:
            raise RefusedError(
                f"The partitions can't be spread over {len(racks)} brokers: {error}. Keep more brokers, or "
                "ask for less replicas."
            ) from error
        wanted = {key: replicas for key, replicas in target.items() if replicas != current[key]}
        if lost := [self.partitions[key].name for key in wanted if self.partitions[key].offline]:
            raise RefusedError(
                f"Nobody leads {names(lost)}, so there is nothing to copy from; start its brokers first."
            )
        return wanted

    def submit(self, wanted: Assignment) -> None:
        """Have the controller reassign the partitions, throttled.

        Raises:
            RefusedError: it takes one of them not.
        """
        copies = {key: set(each["replicas"]) for key, each in self.ongoing.items() if each["adding_replicas"]}
        for key, replicas in wanted.items():
            having = set(self.partitions[key].replicas)
            if set(replicas) - having:
                copies[key] = having
        kafka_throttle.throttle(self.admin, sorted(self.cluster.ids), self.options["throttle"], copies)
        answers = self.admin.alter_partition_reassignments(
            {TopicPartition(*key): list(replicas) for key, replicas in wanted.items()}
        )
        refused = [f"{key.topic}-{key.partition} ({error.__name__})" for key, error in answers.items() if error]
        if refused:
            raise RefusedError(f"Kafka does not reassign {names(refused)}.")

    def clear(self) -> bool:
        """Take the throttle away, where there is one; return whether there was."""
        topics = self.throttled(self.cluster)
        if topics:
            kafka_throttle.clear(self.admin, sorted(self.cluster.ids), topics)
        return bool(topics)

    def finish(self) -> bool:
        """Do what comes after the last copy; return whether there was anything to do."""
        cleared = self.clear()
        elected, waiting = kafka_election.elect(self.admin, _ELECTION_SECONDS, self.options["topics"])
        if waiting:
            raise RefusedError(f"Their preferred replicas did not get to lead {names(each.name for each in waiting)}.")
        drained = [] if self.options["topics"] else self.drained_readiness_topics()
        if drained:
            self.admin.delete_topics(drained)
        return bool(cleared or elected or drained)

    def drained_readiness_topics(self) -> list[str]:
        """Return what probes have left: the readiness topics of brokers that are drained and still run."""
        there = {topic["name"] for topic in kafka_cluster.metadata(self.admin)["topics"]}
        empty = self.cluster.ids - set(self.options["brokers"]) - {each["id"] for each in self.remaining()}
        return sorted(there & {f"{READINESS_TOPIC}{broker}" for broker in empty})

    def remaining(self) -> list[dict[str, int]]:
        """Return what brokers that are to carry nothing still carry."""
        return [
            {"id": load["id"], "partitions": load["partitions"]}
            for load in self.cluster.loads()
            if load["id"] not in self.options["brokers"] and load["partitions"]
        ]

    def bytes_left(self) -> int:
        """Return what the copies that are being made still lack of their leaders' size, in bytes."""
        if not self.ongoing:
            return 0
        asked: defaultdict[str, list[int]] = defaultdict(list)
        for topic, number in self.ongoing:
            asked[topic].append(number)
        sizes = {
            (answer["broker"], topic["name"], partition["partition_index"]): partition["partition_size"]
            for answer in self.admin.describe_log_dirs(dict(asked), sorted(self.cluster.ids))
            for folder in answer["log_dirs"]
            for topic in folder["topics"]
            for partition in topic["partitions"]
        }
        return sum(
            max(sizes.get((self.partitions[key].leader, *key), 0) - sizes.get((broker, *key), 0), 0)
            for key, found in self.ongoing.items()
            for broker in found["adding_replicas"]
        )

    def progress(self) -> dict[str, Any]:
        """Return what goes on, in numbers and in words."""
        left = self.bytes_left()
        words = f"{len(self.ongoing)} partitions are being moved, {left / _MEGABYTE:.1f} MB to copy."
        return {
            "done": not self.ongoing,
            "ongoing": [self.partitions[key].name for key in sorted(self.ongoing)],
            "bytes_left": left,
            "progress": words if self.ongoing else "All partitions are where they belong.",
            "remaining": self.remaining(),
        }


def difference(before: Assignment, after: Assignment) -> dict[str, str]:
    """Return the module's difference: the partitions of `after`."""

    def lines(replicas: Assignment) -> str:
        return "".join(f"{topic}-{number}: {list(replicas[topic, number])}\n" for topic, number in sorted(after))

    return dict(kafka_admin.diff("replicas of partitions, the preferred leader first", lines(before), lines(after)))


def step(admin: Any, options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what is to be done at once, and return the module's result.

    Raises:
        RefusedError: what was asked for can't be done.
    """
    work = Reassignment(admin, options)
    current, wanted = work.current(), work.wanted()
    result = {"changed": bool(wanted), "moves": moves(current, wanted), "diff": difference(current, wanted)}
    if check_mode:
        return result | work.progress()
    if wanted:
        try:
            work.submit(wanted)
        except (RefusedError, KafkaError):
            work.look()
            if not work.ongoing:
                work.clear()
            raise
        work.look()
    if not work.ongoing:
        result["changed"] = work.finish() or result["changed"]
    return result | work.progress()


def main() -> None:
    module = kafka_admin.make_module(DOCUMENTATION)
    options = module.params
    if not options["brokers"] or options["throttle"] < 1:
        module.fail_json(msg="kafka_reassignment needs at least 1 broker, and a throttle of at least 1 byte a second.")
    module.exit_json(
        **kafka_admin.persistently(
            module, "a reassignment", lambda admin: step(admin, options, bool(module.check_mode))
        )
    )


if __name__ == "__main__":
    main()
