#!/usr/bin/python
"""Ansible module: waits until a ZooKeeper server serves clients."""

from __future__ import annotations

import re
import socket
import ssl

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stock_market.streaming.plugins.module_utils import tls
from ansible_collections.stock_market.streaming.plugins.module_utils.service_wait import NotReadyError, wait_or_fail

DOCUMENTATION = r"""
module: zookeeper_ready
short_description: Wait until a ZooKeeper server serves clients
description:
  - Asks the server with the four-letter word C(srvr), which only a standalone server or a member of a working quorum
    answers with its mode.
  - With C(ca_file) it asks through TLS, as a client with a certificate. The server's certificate and the address in it
    are checked.
options:
  host: {description: Address of the client port., type: str, required: true}
  port: {description: The client port., type: int, default: 2181}
  timeout: {description: "How long to wait, in seconds.", type: int, default: 60}
extends_documentation_fragment: [stock_market.streaming.tls]
"""

EXAMPLES = r"""
- name: Wait for ZooKeeper
  stock_market.streaming.zookeeper_ready:
    host: 10.0.1.5
    port: 2182
    ca_file: /etc/kafka/ca.pem
    certificate_file: /etc/kafka/zookeeper-client.pem
"""

RETURN = r"""
mode: {description: "C(standalone), C(leader) or C(follower).", type: str, returned: success}
"""

ANSWER_SECONDS = 5.0


def ask_mode(host: str, port: int, context: ssl.SSLContext | None = None) -> str:
    """Return the server's mode.

    Raises:
        NotReadyError: it does not serve, or not this client.
        OSError: it is not there.
    """
    with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as connection:
        if context is None:
            answer = _answer(connection)
        else:
            try:
                with context.wrap_socket(connection, server_hostname=host) as secured:
                    answer = _answer(secured)
            except (ssl.SSLError, ConnectionResetError) as error:
                raise NotReadyError(tls.sentence(error)) from error
    mode = re.search(r"^Mode: (\w+)$", answer, re.MULTILINE)
    if mode is None:
        raise NotReadyError(answer.strip() or "the server closed the connection without an answer")
    return mode.group(1)


def _answer(connection: socket.socket) -> str:
    connection.sendall(b"srvr")
    return b"".join(iter(lambda: connection.recv(4096), b"")).decode(errors="replace")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 2181},
            **tls.OPTIONS,
            "timeout": {"type": "int", "default": 60},
        },
        required_together=tls.TOGETHER,
        supports_check_mode=True,
    )
    options = module.params
    context = None
    if options["ca_file"]:
        try:
            context = tls.client_context(options["ca_file"], options["certificate_file"])
        except OSError as error:
            module.fail_json(
                msg=f"{options['ca_file']} and {options['certificate_file']} can't be used for TLS: {error}."
            )
    host, port = options["host"], options["port"]
    failure = f"ZooKeeper did not serve at {host}:{port}"
    mode = wait_or_fail(module, lambda: ask_mode(host, port, context), failure, "zookeeper.service")
    module.exit_json(changed=False, mode=mode)


if __name__ == "__main__":
    main()
