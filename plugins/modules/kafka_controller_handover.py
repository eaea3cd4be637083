#!/usr/bin/python
"""Ansible module: has another broker control a Kafka cluster with ZooKeeper, before the one that does is stopped."""

from __future__ import annotations

import json
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stock_market.streaming.plugins.module_utils import tls, zookeeper_wire

DOCUMENTATION = r"""
module: kafka_controller_handover
short_description: Have another broker control a Kafka cluster with ZooKeeper
description:
  - Deletes ZooKeeper's C(/controller) as long as it names the broker. All brokers then try to create it, and the one
    that was the controller tries last, because it first has to resign. Writes go on meanwhile.
  - A controller that stops takes itself out of the replicas in sync only when its successor has read the cluster's
    state. Until then nothing is acknowledged of partitions that another broker leads. Any other broker is taken
    out before it stops.
  - Where another broker controls, or a controller of KRaft, nothing is changed.
options:
  zookeeper: {description: "The ZooKeeper servers, C(host:port) separated by commas.", type: str, required: true}
  broker: {description: The id of the broker that will be stopped., type: int, required: true}
  timeout: {description: Within how many seconds another broker must control., type: int, default: 30}
extends_documentation_fragment: [stock_market.streaming.tls]
"""

EXAMPLES = r"""
- name: Have another broker control
  stock_market.streaming.kafka_controller_handover:
    zookeeper: 10.0.1.5:2182
    broker: 1
    ca_file: /etc/kafka/ca.pem
    certificate_file: /etc/kafka/private/zookeeper.pem
"""

RETURN = r"""
controller: {description: "The id of the broker that controls now.", type: int, returned: success}
"""

ANSWER_SECONDS = 10.0
LOOK_SECONDS = 0.2
NOBODY = -1


def controller(session: zookeeper_wire.ZooKeeper) -> int:
    """Return who controls, `NOBODY` for a moment in between.

    Raises:
        ZooKeeperError: ZooKeeper did not answer.
        ValueError: the node is not of Kafka's form.
    """
    return int(json.loads(session.read("/controller") or b"{}").get("brokerid", NOBODY))


def hand_over(session: zookeeper_wire.ZooKeeper, broker: int, timeout: float) -> tuple[bool, int]:
    """Do it, if the broker controls; return whether it did, and who controls now.

    Raises:
        ZooKeeperError: ZooKeeper refused it, or nobody else took its place in time.
        ValueError: the node is not of Kafka's form.
    """
    deadline = time.monotonic() + timeout
    changed = False
    while (found := controller(session)) in (broker, NOBODY):
        if time.monotonic() > deadline:
            raise zookeeper_wire.ZooKeeperError(f"none took its place within {timeout:g} s")
        if found == broker:
            changed = session.delete("/controller") or changed
        time.sleep(LOOK_SECONDS)
    return changed, found


def main() -> None:
    module = AnsibleModule(
        {
            "zookeeper": {"type": "str", "required": True},
            "broker": {"type": "int", "required": True},
            "timeout": {"type": "int", "default": 30},
            **tls.OPTIONS,
        },
        required_together=tls.TOGETHER,
        supports_check_mode=True,
    )
    options = module.params
    try:
        context = tls.client_context(options["ca_file"], options["certificate_file"]) if options["ca_file"] else None
        with zookeeper_wire.connect(options["zookeeper"], ANSWER_SECONDS, context) as session:
            if module.check_mode:
                found = controller(session)
                changed = found == options["broker"]
            else:
                changed, found = hand_over(session, options["broker"], options["timeout"])
    except (zookeeper_wire.ZooKeeperError, OSError, ValueError) as error:
        module.fail_json(msg=f"No other broker could be had to control instead of {options['broker']}: {error}")
    module.exit_json(changed=changed, controller=found)


if __name__ == "__main__":
    main()
