#!/usr/bin/python
"""Ansible module: what a Kafka cluster looks like."""

from __future__ import annotations

from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_admin, kafka_cluster
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import make_module

DOCUMENTATION = r"""
module: kafka_cluster_info
short_description: Tell of a Kafka cluster's brokers, partitions and reassignments
description:
  - Asks the controller, since another broker may be behind. Changes nothing.
  - The brokers' own readiness topics, C(__readiness-<broker id>), don't count.
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Look at the cluster
  stock_market.streaming.kafka_cluster_info:
    bootstrap_servers: [203.0.113.7:9092]
  register: cluster

- name: Show the order of a rolling restart
  ansible.builtin.debug:
    var: cluster.restart_order
"""

RETURN = r"""
brokers: {description: "The registered brokers: C(id), C(rack), C(host), C(port).", type: list, returned: success}
controller: {description: "The controller's id, which with KRaft is no broker's.", type: int, returned: success}
restart_order:
  description: The registered brokers' ids, the controller's last where it is one of them.
  type: list
  returned: success
loads:
  description:
    - One for each broker that is registered or has replicas. C(id), C(alive), C(partitions) (its replicas),
      C(leaders) (what it leads), C(preferred_leaders) (what it should lead).
  type: list
  returned: success
topics: {description: How many topics there are., type: int, returned: success}
partitions: {description: How many partitions they have., type: int, returned: success}
offline: {description: "Partitions without a leader, as C(topic-partition).", type: list, returned: success}
under_replicated: {description: Partitions with a replica out of sync., type: list, returned: success}
below_min_isr: {description: Partitions that take no write with acks=all., type: list, returned: success}
min_isr_margin:
  description:
    - How many in-sync replicas the worst partition can lose and still take a write with acks=all; negative where it
      takes none already, null without partitions.
  type: int
  returned: success
not_preferred: {description: Partitions that their preferred replica does not lead., type: list, returned: success}
reassignments:
  description: "Those that go on. C(partition), C(adding) and C(removing) (brokers' ids)."
  type: list
  returned: success
"""


def look(admin: Any) -> dict[str, Any]:
    """Return the module's result."""
    cluster = kafka_cluster.read(admin)
    others = sorted(cluster.ids - {cluster.controller})
    return dict(cluster.facts()) | {
        "restart_order": [*others, *sorted(cluster.ids & {cluster.controller})],
        "loads": cluster.loads(),
        "topics": len({each.topic for each in cluster.partitions}),
        "partitions": len(cluster.partitions),
        "min_isr_margin": min((each.margin for each in cluster.partitions), default=None),
        "not_preferred": [each.name for each in cluster.partitions if each.leader != each.replicas[0]],
        "reassignments": [
            {
                "partition": f"{partition.topic}-{partition.partition}",
                "adding": sorted(found["adding_replicas"]),
                "removing": sorted(found["removing_replicas"]),
            }
            for partition, found in sorted(admin.list_partition_reassignments().items())
        ],
    }


def main() -> None:
    module = make_module(DOCUMENTATION)
    module.exit_json(changed=False, **kafka_admin.persistently(module, "a look at the cluster", look))


if __name__ == "__main__":
    main()
