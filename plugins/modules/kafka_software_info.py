#!/usr/bin/python
"""Ansible module: tells which version of Kafka a broker runs, and which protocol it speaks to the others."""

from __future__ import annotations

import re
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_features, tls
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import Connection, KafkaError, MutualTls

DOCUMENTATION = r"""
module: kafka_software_info
short_description: Tell which version of Kafka a broker runs, and which protocol it speaks
description:
  - Of a broker that runs, what its process was started with counts; of one that does not, what it would start with.
  - The protocol is C(inter.broker.protocol.version) where the configuration names it, else the version's own. With
    C(controllers) it is the release whose features they say the cluster uses; empty where none of them answers.
options:
  unit_file: {description: "The unit's file, which names the version's own directory.", type: path, required: true}
  properties: {description: The broker's C(server.properties)., type: path, required: true}
  started_properties:
    description: The copy of it that the unit made when the broker started.
    type: path
    required: true
  controllers:
    description: The controllers, each as C(host:port); none with ZooKeeper.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [stock_market.streaming.tls]
"""

EXAMPLES = r"""
- name: Ask which Kafka runs
  stock_market.streaming.kafka_software_info:
    unit_file: /etc/systemd/system/kafka.service
    properties: /etc/kafka/server.properties
    started_properties: /run/kafka/server.properties
"""

RETURN = r"""
version: {description: "Kafka's version, such as 3.9.2; empty where there is none.", type: str, returned: success}
protocol: {description: "The protocol's version, such as 3.9; empty where there is none.", type: str, returned: success}
"""


ANSWER_SECONDS = 5.0


def version_in(text: str) -> str:
    """Return the version of Kafka's directory that a unit or a command line names, nothing where it names none."""
    found = re.search(r"/kafka_[\d.]+-(\d+\.\d+\.\d+)", text)
    return found[1] if found else ""


def protocol_in(properties: str, version: str) -> str:
    """Return the protocol's version, major and minor, of a broker of this version and configuration."""
    named = re.findall(r"(?m)^\s*inter\.broker\.protocol\.version\s*[=:]\s*(\d+\.\d+)", properties)
    return named[-1] if named else ".".join(version.split(".")[:2])


def features(controllers: list[str], ca_file: str | None, certificate_file: str | None) -> str:
    """Return the release whose features the cluster uses, as the first controller that answers says."""
    for server in controllers:
        host, _, port = server.rpartition(":")
        security = MutualTls(ca_file, certificate_file) if ca_file and certificate_file else None
        try:
            with Connection(host, int(port), ANSWER_SECONDS, security) as connection:
                return kafka_features.release_of(kafka_features.finalized(connection))
        except (KafkaError, OSError):
            continue
    return ""


def read(path: str | Path) -> str:
    """Return a file's text, nothing where there is no such file or its process has just ended."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def command_line(module: AnsibleModule) -> str:
    """Return the command line of the broker's process, nothing where none runs."""
    if not Path("/run/systemd/system").is_dir():
        return ""
    command = ["systemctl", "show", "--property=MainPID", "--value", "kafka.service"]
    _, process, _ = module.run_command(command, check_rc=True)
    return read(Path("/proc", process.strip(), "cmdline"))


def main() -> None:
    module = AnsibleModule(
        {
            "unit_file": {"type": "path", "required": True},
            "properties": {"type": "path", "required": True},
            "started_properties": {"type": "path", "required": True},
            "controllers": {"type": "list", "elements": "str", "default": []},
            **tls.OPTIONS,
        },
        required_together=tls.TOGETHER,
        supports_check_mode=True,
    )
    options = module.params
    version = version_in(command_line(module))
    properties = read(options["started_properties"]) if version else ""
    version = version or version_in(read(options["unit_file"]))
    if version and options["controllers"]:
        protocol = features(options["controllers"], options["ca_file"], options["certificate_file"])
    else:
        protocol = protocol_in(properties or read(options["properties"]), version) if version else ""
    module.exit_json(changed=False, version=version, protocol=protocol)


if __name__ == "__main__":
    main()
