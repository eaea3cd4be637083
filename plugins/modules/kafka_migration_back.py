#!/usr/bin/python
"""Ansible module: gives ZooKeeper's brokers their own controller back, after the controllers of KRaft were stopped."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stock_market.streaming.plugins.module_utils import tls, zookeeper_wire

DOCUMENTATION = r"""
module: kafka_migration_back
short_description: Give a Kafka cluster back to ZooKeeper, after the controllers of KRaft were stopped
description:
  - Raises C(/controller_epoch) to that of C(/migration) if it is lower, because brokers refuse a controller of an older
    epoch (KAFKA-20488).
  - Deletes C(/controller) if it names a controller of KRaft, so that a broker takes its place at once, and
    C(/migration), so that a later migration begins from nothing.
  - What is not there is left alone, and so is the controller of a broker.
options:
  zookeeper: {description: "The ZooKeeper servers, C(host:port) separated by commas.", type: str, required: true}
extends_documentation_fragment: [stock_market.streaming.tls]
"""

EXAMPLES = r"""
- name: Give the cluster back to ZooKeeper
  stock_market.streaming.kafka_migration_back:
    zookeeper: 10.0.1.5:2182
    ca_file: /etc/kafka/ca.pem
    certificate_file: /etc/kafka/private/zookeeper.pem
"""

RETURN = r"""
done: {description: "What was done, one sentence each.", type: list, elements: str, returned: success}
migration: {description: "C(/migration) as it was, for whoever looks for a fault.", type: dict, returned: success}
"""

ANSWER_SECONDS = 10.0


def back(session: zookeeper_wire.ZooKeeper, *, check: bool) -> tuple[list[str], dict[str, Any]]:
    """Do what is missing, or only say it; return the sentences, and what /migration was.

    Raises:
        ZooKeeperError: ZooKeeper refused it.
        ValueError: a node is not of the form that Kafka 3.9 writes.
    """
    done: list[str] = []
    migration: dict[str, Any] = json.loads(session.read("/migration") or b"{}")
    active: dict[str, Any] = json.loads(session.read("/controller") or b"{}")
    epoch = int(session.read("/controller_epoch") or b"0")
    newest = max(migration.get("kraft_controller_epoch", -1), active.get("kraftControllerEpoch", -1))
    if epoch and newest > epoch:
        done.append(f"/controller_epoch was raised from {epoch} to {newest}.")
        if not check:
            session.write("/controller_epoch", str(newest).encode())
    if active.get("kraftControllerEpoch", -1) >= 0:
        done.append(f"/controller, which named the controller {active.get('brokerid')}, was deleted.")
        if not check:
            session.delete("/controller")
    if migration:
        done.append("/migration was deleted.")
        if not check:
            session.delete("/migration")
    return done, migration


def main() -> None:
    module = AnsibleModule(
        {
            "zookeeper": {"type": "str", "required": True},
            **tls.OPTIONS,
        },
        required_together=tls.TOGETHER,
        supports_check_mode=True,
    )
    options = module.params
    try:
        context = tls.client_context(options["ca_file"], options["certificate_file"]) if options["ca_file"] else None
        with zookeeper_wire.connect(options["zookeeper"], ANSWER_SECONDS, context) as session:
            done, migration = back(session, check=module.check_mode)
    except (zookeeper_wire.ZooKeeperError, OSError, ValueError) as error:
        module.fail_json(msg=f"ZooKeeper was not given the cluster back: {error}")
    module.exit_json(changed=bool(done), done=done, migration=migration)


if __name__ == "__main__":
    main()
