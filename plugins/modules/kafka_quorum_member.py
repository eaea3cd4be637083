#!/usr/bin/python
"""Ansible module: makes a controller a member of KRaft's running quorum, also in a lost one's place, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stock_market.streaming.plugins.module_utils import tls
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_voters import FOLLOWED_MS, Controllers
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import KafkaError, MutualTls, Quorum
from ansible_collections.stock_market.streaming.plugins.module_utils.service_wait import NotReadyError, wait_until

DOCUMENTATION = r"""
module: kafka_quorum_member
short_description: Make a controller a member of a running quorum, or take it out
description:
  - The controller runs, with a directory that was formatted without first controllers, and so follows the leader
    without being a member. Once it is level with the leader, a member of the same id with another directory is removed,
    whose data are lost, and the controller is added. A member is left as it is.
  - Each of the two changes is made only while most of the other members follow the leader, and while the member that is
    removed does not. After an interruption, the next run goes on.
  - O(state=absent) takes a member out while it works, if most of the others do; it can be stopped afterwards.
options:
  node_id: {description: The controller's id., type: int, required: true}
  directory_id: {description: "The id of its directory. Needed for O(state=present).", type: str}
  state:
    description: Whether it is to be a member.
    type: str
    choices: [present, absent]
    default: present
  cluster_id: {description: The cluster's id., type: str, required: true}
  servers: {description: "Every controller's C(host:port), by its id.", type: dict, required: true}
  timeout: {description: "How long to wait for it and for the others, in seconds.", type: int, default: 90}
extends_documentation_fragment: [stock_market.streaming.tls]
"""

EXAMPLES = r"""
- name: Let the controller join the quorum
  stock_market.streaming.kafka_quorum_member:
    node_id: 1002
    directory_id: JEXY6aqzQY-32P5TStzaFg
    cluster_id: 5L6g3nShT-eMCtK--X86sw
    servers: {1001: "10.0.1.5:9094", 1002: "10.0.2.5:9094", 1003: "10.0.3.5:9094"}
    ca_file: /etc/kafka-controller/ca.pem
    certificate_file: /etc/kafka-controller/server.pem
"""

RETURN = r"""
steps: {description: "What was done, C(remove) and C(add).", type: list, elements: str, returned: success}
voters: {description: The ids of the quorum's members., type: list, elements: int, returned: success}
"""


def next_step(known: Quorum | None, node: int, directory: str) -> str:
    """Return what is to be done next, `remove` or `add`, or nothing for a member.

    Raises:
        NotReadyError: why nothing may be done yet.
    """
    if known is None:
        raise NotReadyError("no controller is the leader, which more than half of the quorum's members elect")
    others = sorted(known.voters.keys() - {node})
    late = [other for other in others if known.silence_ms(other) > FOLLOWED_MS]
    if known.directories.get(node) == directory:
        if known.silence_ms(node) > FOLLOWED_MS:
            raise NotReadyError(f"controller {node} does not follow the leader {known.leader}")
        return ""
    if node in known.voters and known.silence_ms(node) <= FOLLOWED_MS:
        raise NotReadyError(f"controller {node} works elsewhere, with the directory {known.directories[node]}: stop it")
    if len(late) * 2 >= len(others):
        raise NotReadyError(f"of the other members {others}, {late} do not follow the leader {known.leader}")
    if (node, directory) not in known.observers or known.silence_ms(node, directory) > FOLLOWED_MS:
        raise NotReadyError(f"controller {node} has not caught up with the leader {known.leader}")
    return "remove" if node in known.voters else "add"


def next_removal(known: Quorum | None, node: int) -> str:
    """Return `remove` for a member that is to be none, or nothing. Raises what `next_step` does."""
    if known is None:
        raise NotReadyError("no controller is the leader, which more than half of the quorum's members elect")
    if node not in known.voters:
        return ""
    others = sorted(known.voters.keys() - {node})
    late = [other for other in others if known.silence_ms(other) > FOLLOWED_MS]
    if len(late) * 2 >= len(others):
        raise NotReadyError(f"of the other members {others}, {late or 'none'} do not follow the leader {known.leader}")
    return "remove"


def settle(
    ask: Callable[[], Quorum | None],
    decide: Callable[[Quorum | None], str],
    do: Callable[[str, Quorum], None],
    timeout: float,
) -> tuple[list[str], Quorum]:
    """Take one step after the other until `decide` names none; return them, and the quorum.

    Raises:
        NotReadyError: there is one after `timeout` seconds; the steps that were taken stay, and the next call goes on.
    """
    steps: list[str] = []

    def attempt() -> Quorum:
        known = ask()
        step = decide(known)
        if known is None or step:
            try:
                if known:
                    do(step, known)
                    steps.append(step)
            except KafkaError as error:
                raise NotReadyError(str(error)) from error
            raise NotReadyError(f"the quorum does not show the last step, {step}, yet")
        return known

    return steps, wait_until(attempt, timeout)


def main() -> None:
    module = AnsibleModule(
        {
            "node_id": {"type": "int", "required": True},
            "directory_id": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "cluster_id": {"type": "str", "required": True},
            "servers": {"type": "dict", "required": True},
            **tls.OPTIONS,
            "timeout": {"type": "int", "default": 90},
        },
        required_together=tls.TOGETHER,
        required_if=[("state", "present", ["directory_id"])],
        supports_check_mode=True,
    )
    options: dict[str, Any] = module.params
    servers = {int(node): str(server) for node, server in options["servers"].items()}
    node, directory, cluster = options["node_id"], options["directory_id"], options["cluster_id"]
    security = MutualTls(options["ca_file"], options["certificate_file"]) if options["ca_file"] else None
    controllers = Controllers(servers, security)

    def ask() -> Quorum | None:
        return controllers.look()[1]

    def decide(known: Quorum | None) -> str:
        return next_removal(known, node) if options["state"] == "absent" else next_step(known, node, directory)

    def do(step: str, known: Quorum) -> None:
        if step == "remove":
            controllers.remove(known.leader, cluster, node, known.directories[node])
        else:
            controllers.add(known.leader, cluster, node, directory)

    try:
        if module.check_mode:
            known = ask()
            step = decide(known)
            voters = sorted(known.voters if known else [])
            module.exit_json(changed=bool(step), steps=[step] if step else [], voters=voters)
        steps, quorum = settle(ask, decide, do, options["timeout"])
    except NotReadyError as error:
        module.fail_json(
            msg=(
                f"Controller {node} did not {'leave' if options['state'] == 'absent' else 'join'} the quorum within "
                f"{options['timeout']} s: {error}. No other controller was changed. Start those that are away, and run "
                "the same command again."
            )
        )
    module.exit_json(changed=bool(steps), steps=steps, voters=sorted(quorum.voters))


if __name__ == "__main__":
    main()
