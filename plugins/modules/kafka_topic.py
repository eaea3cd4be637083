#!/usr/bin/python
"""Ansible module: one Kafka topic, its partitions and its configuration."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_admin
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import RefusedError, config_text

with contextlib.suppress(ImportError):
    from kafka.admin import ConfigResource, ConfigResourceType
    from kafka.errors import for_code

DOCUMENTATION = r"""
module: kafka_topic
short_description: Create a Kafka topic, give it partitions and configuration, or delete it
description:
  - Creates the topic, adds partitions to it, and sets the configuration that is given. Waits until every partition has
    a leader.
  - Configuration that is not given is left as it is. A value of null sets the brokers' default back.
  - Partitions can't be taken away and the number of replicas is not changed; to ask for it is refused, and nothing is
    changed.
options:
  name: {description: The topic's name., type: str, required: true}
  partitions: {description: How many partitions it has., type: int, default: 1}
  replication_factor:
    description: Copies of each partition, at most one a broker. V(-1) leaves it to the brokers.
    type: int
    default: -1
  config: {description: "The topic's own configuration, such as C(retention.ms).", type: dict, default: {}}
  state:
    description: V(absent) deletes the topic and every record in it.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Create the topic
  stock_market.streaming.kafka_topic:
    name: stock-quotes
    partitions: 3
    config:
      message.timestamp.type: LogAppendTime
    bootstrap_servers: [203.0.113.7:9092]
"""

RETURN = r"""
partitions: {description: The number of partitions that it has now., type: int, returned: success}
replication_factor: {description: The copies of each partition., type: int, returned: when the topic exists}
"""


def config_changes(
    wanted: Mapping[str, str | None], known: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str | None, str | None]]:
    """Return name -> (value now, value wanted) of what has to change.

    `known` is what the broker describes: every name that a topic may have, with `value` and `config_source`. A value
    that comes from the brokers' defaults is set all the same when it is wanted: it stays when the default changes.

    Raises:
        RefusedError: a name is none of a topic's.
    """
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise RefusedError(f"Kafka knows no topic configuration {', '.join(unknown)}; correct the name or remove it.")
    changes: dict[str, tuple[str | None, str | None]] = {}
    for name, value in wanted.items():
        own = known[name]["config_source"] == "DYNAMIC_TOPIC_CONFIG"
        now = known[name]["value"] if own else None
        if now != value:
            changes[name] = (now, value)
    return changes


def check_shape(name: str, topic: Mapping[str, Any], partitions: int, replication_factor: int) -> int:
    """Return the number of partitions that `topic` has.

    Raises:
        RefusedError: it has more than are wanted, or another number of replicas.
    """
    has = len(topic["partitions"])
    if partitions < has:
        raise RefusedError(
            f"The topic {name} has {has} partitions and Kafka can't take any away; {partitions} were asked for. "
            f"Ask for {has} or more, or use a topic of another name."
        )
    replicas = {len(partition["replica_nodes"]) for partition in topic["partitions"]}
    if replication_factor > 0 and replicas != {replication_factor}:
        raise RefusedError(
            f"The topic {name} has {max(replicas)} replicas of each partition, {replication_factor} were asked for. "
            "Move its replicas with kafka-reassign-partitions.sh first."
        )
    return has


class Topic:
    """The topic that the module's options describe, and what the brokers have of it."""

    def __init__(self, admin: Any, options: Mapping[str, Any]) -> None:
        self.admin = admin
        self.name: str = options["name"]
        self.partitions: int = options["partitions"]
        self.replication_factor: int = options["replication_factor"]
        self.config = {name: config_text(value) for name, value in options["config"].items()}
        self.wanted: bool = options["state"] == "present"
        self.timeout_ms: int = options["timeout"] * 1000

    def describe(self) -> dict[str, Any] | None:
        """Return the topic's metadata, or None where it does not exist."""
        (topic,) = self.admin.describe_topics([self.name])
        error = for_code(topic["error_code"])
        if error.__name__ == "UnknownTopicOrPartitionError":
            return None
        if topic["error_code"]:
            raise error(self.name)
        return dict(topic)

    def apply(self, check_mode: bool) -> dict[str, Any]:
        """Make the topic what it should be and return the module's result."""
        topic = self.describe()
        if not self.wanted:
            return self.delete(topic, check_mode)
        return self.create(check_mode) if topic is None else self.change(topic, check_mode)

    def create(self, check_mode: bool) -> dict[str, Any]:
        """Create the topic; in check mode the broker only says whether it would."""
        config = {name: value for name, value in self.config.items() if value is not None}
        wanted = {"num_partitions": self.partitions, "replication_factor": self.replication_factor, "configs": config}
        self.admin.create_topics({self.name: wanted}, timeout_ms=self.timeout_ms, validate_only=check_mode)
        if not check_mode:
            self.admin.wait_for_topics([self.name], timeout_ms=self.timeout_ms)
        return self.result({}, {"partitions": self.partitions, **config})

    def delete(self, topic: Mapping[str, Any] | None, check_mode: bool) -> dict[str, Any]:
        """Delete the topic if it is there, and wait until its name is free.

        Raises:
            RefusedError: the brokers did not do it in time.
        """
        if topic is None:
            return self.result({}, {})
        if not check_mode:
            self.admin.delete_topics([self.name], timeout_ms=self.timeout_ms)
            otherwise = f"The topic {self.name} is to be deleted, and the brokers have not done it yet."
            kafka_admin.wait_for(lambda: self.describe() is None, self.timeout_ms / 1000, otherwise)
        return self.result({"partitions": len(topic["partitions"])}, {})

    def change(self, topic: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
        """Add partitions and set configuration where they differ."""
        has = check_shape(self.name, topic, self.partitions, self.replication_factor)
        resource = ConfigResource(ConfigResourceType.TOPIC, self.name)
        known = self.admin.describe_configs([resource], config_filter="all")["topic"][self.name]
        changes = config_changes(self.config, known)
        before: dict[str, Any] = {name: now for name, (now, _) in changes.items()}
        after: dict[str, Any] = {name: value for name, (_, value) in changes.items()}

        if changes:
            operations = {name: ("DELETE" if value is None else "SET", value) for name, value in after.items()}
            asked = ConfigResource(ConfigResourceType.TOPIC, self.name, operations)
            answer = self.admin.alter_configs([asked], validate_only=check_mode)["topic"][self.name]
            if answer != "OK":
                raise RefusedError(f"Kafka did not take the topic {self.name}'s configuration: {answer}")
        if self.partitions > has:
            self.admin.create_partitions(
                {self.name: self.partitions}, timeout_ms=self.timeout_ms, validate_only=check_mode
            )
            before, after = {"partitions": has, **before}, {"partitions": self.partitions, **after}
        if not check_mode:
            self.admin.wait_for_topics([self.name], timeout_ms=self.timeout_ms)
        return self.result(before, after)

    def result(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        """Return the module's result for a change from `before` to `after`."""
        return {
            "changed": before != after,
            "partitions": self.partitions if self.wanted else 0,
            "diff": kafka_admin.diff(
                self.name,
                "".join(f"{name}: {value}\n" for name, value in sorted(before.items())),
                "".join(f"{name}: {value}\n" for name, value in sorted(after.items())),
            ),
        }


def main() -> None:
    module = kafka_admin.make_module(DOCUMENTATION)
    options = module.params
    if options["partitions"] < 1:
        module.fail_json(msg=f"The topic {options['name']} needs at least 1 partition, not {options['partitions']}.")
    with kafka_admin.admin_client(module, f"the topic {options['name']}") as admin:
        result = Topic(admin, options).apply(module.check_mode)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
