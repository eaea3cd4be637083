#!/usr/bin/python
"""Ansible module: a Kafka cluster as a person who looks for a fault wants to see it."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_cluster
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import admin_client, make_module
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_dynamic import declared

with contextlib.suppress(ImportError):
    from kafka import TopicPartition
    from kafka.admin import OffsetSpec

DOCUMENTATION = r"""
module: kafka_description
short_description: Brokers, topics, partitions and how far consumer groups are
description:
  - Describes the brokers and the controller, the configuration that is set for all brokers while they run, every
    topic's partitions with leader, replicas, in-sync replicas and end offset, and every consumer group with its
    members, committed offsets and lag. Only reads.
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Describe the cluster
  stock_market.streaming.kafka_description:
    bootstrap_servers: [203.0.113.7:9092]
  register: cluster
"""

RETURN = r"""
brokers:
  description: Brokers, with C(broker_id), C(host), C(port) and C(rack).
  type: list
  elements: dict
  returned: success
controller:
  description: "The controller's id; -1 in a migration while all brokers use ZooKeeper still, and are not told of it."
  type: int
  returned: success
config: {description: "What is set for all brokers, beside each one's own file.", type: dict, returned: success}
topics: {description: "By topic, its partitions.", type: dict, returned: success}
groups:
  description: By group, C(state), C(members) and C(partitions) with committed offset, end offset and lag.
  type: dict
  returned: success
"""


def topics_of(admin: Any) -> dict[str, list[dict[str, Any]]]:
    """Every topic's partitions, in order."""
    return {
        topic["name"]: [
            {
                "partition": each["partition_index"],
                "leader": each["leader_id"],
                "replicas": list(each["replica_nodes"]),
                "isr": list(each["isr_nodes"]),
            }
            for each in sorted(topic["partitions"], key=lambda each: each["partition_index"])
        ]
        for topic in sorted(admin.describe_topics(), key=lambda topic: str(topic["name"]))
    }


def ends_of(admin: Any, topics: dict[str, list[dict[str, Any]]]) -> dict[Any, int]:
    """The end offset of every partition that has a leader."""
    led = [
        TopicPartition(name, each["partition"])
        for name, several in topics.items()
        for each in several
        if each["leader"] >= 0
    ]
    found = admin.list_partition_offsets(dict.fromkeys(led, OffsetSpec.LATEST)) if led else {}
    return {partition: answer.offset for partition, answer in found.items()}


def groups_of(admin: Any, ends: dict[Any, int]) -> dict[str, dict[str, Any]]:
    """Every consumer group and how far it is behind."""
    names = sorted(group["group_id"] for group in admin.list_groups())
    if not names:
        return {}
    described, offsets = admin.describe_groups(names), admin.list_group_offsets(names)
    return {
        name: {
            "state": described[name]["group_state"],
            "members": [
                {"client_id": member["client_id"], "host": member["client_host"]}
                for member in described[name]["members"]
            ],
            "partitions": [
                {
                    "topic": partition.topic,
                    "partition": partition.partition,
                    "committed": found.offset,
                    "end": ends.get(partition),
                    "lag": ends[partition] - found.offset if partition in ends else None,
                }
                for partition, found in sorted(offsets[name].items())
                if found.offset >= 0
            ],
        }
        for name in names
    }


def describe(admin: Any) -> dict[str, Any]:
    cluster = admin.describe_cluster()
    topics = topics_of(admin)
    ends = ends_of(admin, topics)
    for name, several in topics.items():
        for each in several:
            each["end"] = ends.get(TopicPartition(name, each["partition"]))
    return {
        "cluster_id": cluster["cluster_id"],
        "controller": kafka_cluster.metadata(admin)["controller_id"],
        "brokers": [dict(broker) for broker in cluster["brokers"]],
        "config": declared(admin),
        "topics": topics,
        "groups": groups_of(admin, ends),
    }


def main() -> None:
    module = make_module(DOCUMENTATION)
    with admin_client(module, "a description of the cluster") as admin:
        result = describe(admin)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
