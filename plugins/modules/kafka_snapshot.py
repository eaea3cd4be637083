#!/usr/bin/python
"""Ansible module: what has to be known of a Kafka cluster to make another one like it."""

from __future__ import annotations

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import admin_client, make_module
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_state import read_snapshot

DOCUMENTATION = r"""
module: kafka_snapshot
short_description: Topics, ACLs, users and consumer offsets of a Kafka cluster
description:
  - Reads the definitions of all topics but Kafka's and the bundle's internal ones, all ACLs, the users' names and
    mechanisms (never a password, which Kafka does not keep) and the offsets that consumer groups have committed. Only
    reads.
  - M(kafka_restore) makes of it what is missing elsewhere.
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Read what a backup needs
  stock_market.streaming.kafka_snapshot:
    bootstrap_servers: [203.0.113.7:9092]
  register: kafka
"""

RETURN = r"""
snapshot:
  description: >-
    C(cluster_id); C(topics) by name with C(partitions), C(replication_factor) and C(config), their own configuration;
    C(acls); C(users) by name; C(groups) by name with topic, partition and offset.
  type: dict
  returned: success
"""


def main() -> None:
    module = make_module(DOCUMENTATION)
    with admin_client(module, "a snapshot of the cluster") as admin:
        snapshot = read_snapshot(admin)
    module.exit_json(changed=False, snapshot=snapshot)


if __name__ == "__main__":
    main()
