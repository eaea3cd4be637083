#!/usr/bin/python
"""Ansible module: waits until a controller is a working member of KRaft's quorum, or until all others are."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stock_market.streaming.plugins.module_utils import tls
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_voters import FOLLOWED_MS, Controllers
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import MutualTls, Quorum
from ansible_collections.stock_market.streaming.plugins.module_utils.service_wait import NotReadyError, wait_or_fail

DOCUMENTATION = r"""
module: kafka_quorum_ready
short_description: Wait until KRaft's controllers work
description:
  - Asks every controller about the quorum. Only its leader answers with what it knows of the others.
  - A controller works if it answers itself, and is the leader, or has followed it in the last moment.
options:
  node_id: {description: The id of the controller on this host., type: int, required: true}
  directory_id:
    description:
      - The id of its directory. With it, O(who=this) also ends when the controller follows the leader without being a
        member, as one does that is new or has lost its data.
    type: str
    default: ""
  servers: {description: "Every controller's C(host:port), by its id.", type: dict, required: true}
  who:
    description: Which controllers have to work, C(this) one, all C(others), or C(all).
    type: str
    choices: [this, others, all]
    default: this
  timeout: {description: "How long to wait, in seconds.", type: int, default: 90}
extends_documentation_fragment: [stock_market.streaming.tls]
"""

EXAMPLES = r"""
- name: Wait for the controller
  stock_market.streaming.kafka_quorum_ready:
    node_id: 1001
    servers: {1001: "10.0.1.5:9094"}
    ca_file: /etc/kafka-controller/ca.pem
    certificate_file: /etc/kafka-controller/server.pem
"""

RETURN = r"""
leader: {description: "The leader's id, -1 where nobody was asked.", type: int, returned: success}
mode:
  description: What the controller on this host is, C(leader), C(follower), or C(observer), who is no member.
  type: str
  returned: success
voters: {description: The ids of the quorum's members., type: list, elements: int, returned: success}
"""


def judge(wanted: set[int], silent: dict[int, str], known: Quorum | None, own: tuple[int, str] | None = None) -> Quorum:
    """Return the quorum if the wanted controllers work.

    Args:
        wanted: their ids.
        silent: why those that do not answer don't.
        known: what the leader knows.
        own: a controller's id and its directory's; it also works if it follows without being a member.

    Raises:
        NotReadyError: what is missing.
    """
    problems = [words for node, words in silent.items() if node in wanted]
    if known is None:
        problems.append("no controller is the leader, which more than half of the quorum's members elect")
    else:
        observer = {own[0]} if own and known.directories.get(own[0]) != own[1] else set()
        members = wanted - observer
        lost = sorted(members - known.voters.keys())
        late = sorted(node for node in members & known.voters.keys() if known.silence_ms(node) > FOLLOWED_MS)
        if observer and own and (own not in known.observers or known.silence_ms(*own) > FOLLOWED_MS):
            late += sorted(observer)
        problems += [f"controller {node} is no member of the quorum {sorted(known.voters)}" for node in lost]
        problems += [f"controller {node} does not follow the leader {known.leader}" for node in late]
    if problems or known is None:
        raise NotReadyError("; ".join(problems))
    return known


def role(known: Quorum, node: int, directory: str) -> str:
    """Return what the controller with that directory is: leader, follower or observer."""
    if directory and known.directories.get(node) != directory:
        return "observer"
    return "leader" if known.leader == node else "follower"


def main() -> None:
    module = AnsibleModule(
        {
            "node_id": {"type": "int", "required": True},
            "directory_id": {"type": "str", "default": ""},
            "servers": {"type": "dict", "required": True},
            "who": {"type": "str", "choices": ["this", "others", "all"], "default": "this"},
            **tls.OPTIONS,
            "timeout": {"type": "int", "default": 90},
        },
        required_together=tls.TOGETHER,
        supports_check_mode=True,
    )
    options: dict[str, Any] = module.params
    servers = {int(node): str(server) for node, server in options["servers"].items()}
    own, directory = options["node_id"], options["directory_id"]
    observer = (own, directory) if directory and options["who"] == "this" else None
    wanted = {"this": {own}, "others": servers.keys() - {own}, "all": set(servers)}[options["who"]]
    if not wanted:
        module.exit_json(changed=False, leader=-1, mode="leader", voters=[])
    controllers = Controllers(
        servers, MutualTls(options["ca_file"], options["certificate_file"]) if options["ca_file"] else None
    )
    known = wait_or_fail(
        module,
        lambda: judge(wanted, *controllers.look(), observer),
        "The controllers did not work",
        "kafka-controller.service",
    )
    mode = role(known, own, directory)
    module.exit_json(changed=False, leader=known.leader, mode=mode, voters=sorted(known.voters))


if __name__ == "__main__":
    main()
