#!/usr/bin/python
"""Ansible module: gives the leadership of Kafka's partitions back to their preferred replicas."""

from __future__ import annotations

from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_admin, kafka_cluster, kafka_election
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_cluster import names

DOCUMENTATION = r"""
module: kafka_leaders
short_description: Give the leadership of partitions back to their preferred replicas
description:
  - After brokers were restarted one by one, the last one leads nothing. This elects, for each partition that its
    preferred replica does not lead, that one, and waits until it leads. One that is not in sync is left out.
  - To move leaderships off a broker before it stops needs no module, since Kafka's controlled shutdown does that.
options:
  topics: {description: "Topics to do it for, all without it.", type: list, elements: str, default: []}
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Give the leaderships back
  stock_market.streaming.kafka_leaders:
    bootstrap_servers: [203.0.113.7:9092]
"""

RETURN = r"""
elected: {description: "Partitions that got another leader, as C(topic-partition).", type: list, returned: success}
"""


def main() -> None:
    module = kafka_admin.make_module(DOCUMENTATION)
    topics, timeout = module.params["topics"], module.params["timeout"]

    def work(admin: Any) -> Any:
        if module.check_mode:
            return kafka_election.to_elect(kafka_cluster.read(admin), topics), []
        return kafka_election.elect(admin, timeout, topics)

    found, waiting = kafka_admin.persistently(module, "an election of leaders", work)
    if waiting:
        module.fail_json(
            msg=f"Within {timeout} s the preferred replicas did not get to lead {names(each.name for each in waiting)}."
        )
    module.exit_json(
        changed=bool(found),
        elected=[each.name for each in found],
        diff=kafka_admin.diff(
            "leaders",
            "".join(f"{each.name}: {each.leader}\n" for each in found),
            "".join(f"{each.name}: {each.replicas[0]}\n" for each in found),
        ),
    )


if __name__ == "__main__":
    main()
