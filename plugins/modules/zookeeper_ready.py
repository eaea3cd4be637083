#!/usr/bin/python
"""Ansible module: waits until a ZooKeeper server serves clients."""

from __future__ import annotations

import re
import socket

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.service_wait import NotReadyError, journal_tail, wait_until

DOCUMENTATION = r"""
module: zookeeper_ready
short_description: Wait until a ZooKeeper server serves clients
description:
  - Asks the server with the four-letter word C(srvr), which only a standalone server or a member of a working quorum
    answers with its mode.
options:
  host: {description: Address of the client port., type: str, required: true}
  port: {description: The client port., type: int, default: 2181}
  timeout: {description: How long to wait, in seconds., type: int, default: 60}
  unit:
    description: The systemd unit whose journal is shown when the server does not come.
    type: str
    default: zookeeper.service
author: Stock market streaming
"""

EXAMPLES = r"""
- name: Wait for ZooKeeper
  zookeeper_ready:
    host: 10.0.1.5
"""

RETURN = r"""
mode: {description: "C(standalone), C(leader) or C(follower).", type: str, returned: success}
"""

ANSWER_SECONDS = 5.0


def ask_mode(host: str, port: int) -> str:
    """Return the server's mode; raises NotReadyError if it does not serve, OSError if it is not there."""
    with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(b"srvr")
        answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode(errors="replace")
    mode = re.search(r"^Mode: (\w+)$", answer, re.MULTILINE)
    if mode is None:
        raise NotReadyError(answer.strip() or "the server closed the connection without an answer")
    return mode.group(1)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 2181},
            "timeout": {"type": "int", "default": 60},
            "unit": {"type": "str", "default": "zookeeper.service"},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        mode = wait_until(lambda: ask_mode(options["host"], options["port"]), options["timeout"])
    except NotReadyError as error:
        module.fail_json(
            msg=(
                f"ZooKeeper did not serve at {options['host']}:{options['port']} within "
                f"{options['timeout']} s: {error}. The last lines of {options['unit']}'s journal:\n"
                f"{journal_tail(options['unit'])}"
            )
        )
    module.exit_json(changed=False, mode=mode)


if __name__ == "__main__":
    main()
