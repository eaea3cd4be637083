#!/usr/bin/python
"""Ansible module: tells how far a host, and the cluster as ZooKeeper knows it, is on the way to KRaft."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stock_market.streaming.plugins.module_utils import tls, zookeeper_wire

DOCUMENTATION = r"""
module: kafka_migration_info
short_description: Tell how far a host is on the way from ZooKeeper to KRaft
description:
  - Of a broker that runs, what its process was started with counts; of one that does not, what it would start with.
  - It reads files, asks systemd and, where C(zookeeper) names servers, reads three nodes there. It changes nothing.
options:
  broker_properties: {description: The broker's C(server.properties)., type: path, required: true}
  broker_started: {description: The copy of it that the unit made when it started., type: path, required: true}
  controller_properties: {description: "The controller's C(controller.properties).", type: path, required: true}
  controller_data_dir: {description: The directory of the controller's C(log.dirs)., type: path, required: true}
  zookeeper:
    description: "The ZooKeeper servers, C(host:port) separated by commas. Empty asks nobody."
    type: str
    default: ""
  await_copy:
    description:
      - How long to ask ZooKeeper again until the controllers have copied its metadata, and one of them is the cluster's
        controller, in seconds. 0 asks once.
    type: int
    default: 0
extends_documentation_fragment: [stock_market.streaming.tls]
"""

EXAMPLES = r"""
- name: Ask how far the host is
  stock_market.streaming.kafka_migration_info:
    broker_properties: /etc/kafka/server.properties
    broker_started: /run/kafka/server.properties
    controller_properties: /etc/kafka-controller/controller.properties
    controller_data_dir: /var/lib/kafka-controller
"""

RETURN = r"""
broker:
  description: "C(zookeeper), C(dual_write) or C(kraft); empty where there is none."
  type: str
  returned: success
broker_active: {description: Whether the broker runs., type: bool, returned: success}
controller:
  description: "C(migrating) or C(kraft), as its properties say; empty where there is none."
  type: str
  returned: success
controller_active: {description: Whether the controller runs., type: bool, returned: success}
controller_enabled: {description: Whether it starts with the host., type: bool, returned: success}
controller_formatted: {description: Whether its directory is formatted., type: bool, returned: success}
controller_started: {description: Whether it ever started with that., type: bool, returned: success}
free_mb: {description: What is free where its directory is or will be., type: int, returned: success}
memory_mb: {description: What memory is available., type: int, returned: success}
controller_epoch: {description: "ZooKeeper's C(/controller_epoch), -1 without.", type: int, returned: success}
active: {description: "ZooKeeper's C(/controller), empty without.", type: dict, returned: success}
migration: {description: "ZooKeeper's C(/migration), empty without.", type: dict, returned: success}
copied:
  description: "Whether a controller of KRaft is the cluster's, and has copied what ZooKeeper had."
  type: bool
  returned: success
failure: {description: "Why ZooKeeper told nothing, or nothing.", type: str, returned: success}
"""

ANSWER_SECONDS = 5.0
_MIGRATES = re.compile(r"(?m)^zookeeper\.metadata\.migration\.enable\s*=\s*true\s*$")


def broker_mode(properties: str) -> str:
    """Return how a broker of this configuration keeps its metadata, nothing for no configuration."""
    if re.search(r"(?m)^process\.roles\s*=\s*broker\s*$", properties):
        return "kraft"
    if _MIGRATES.search(properties):
        return "dual_write"
    return "zookeeper" if "zookeeper.connect" in properties else ""


def controller_mode(properties: str) -> str:
    """Return whether a controller of this configuration migrates, nothing for no configuration."""
    if not properties.strip():
        return ""
    return "migrating" if _MIGRATES.search(properties) else "kraft"


def node(value: bytes | None) -> dict[str, Any]:
    """Return a node's document; nothing where there is no node."""
    document: dict[str, Any] = json.loads(value) if value else {}
    return document


def look(servers: str, ca_file: str | None, certificate_file: str | None) -> dict[str, Any]:
    """Return what ZooKeeper knows of the migration."""
    found: dict[str, Any] = {"controller_epoch": -1, "active": {}, "migration": {}, "copied": False, "failure": ""}
    if not servers:
        return found
    try:
        context = tls.client_context(ca_file, certificate_file) if ca_file else None
        with zookeeper_wire.connect(servers, ANSWER_SECONDS, context) as session:
            epoch = session.read("/controller_epoch")
            found["controller_epoch"] = int(epoch) if epoch else -1
            found["active"] = node(session.read("/controller"))
            found["migration"] = node(session.read("/migration"))
        found["copied"] = (
            found["migration"].get("kraft_metadata_offset", -1) > 0
            and found["active"].get("kraftControllerEpoch", -1) >= 0
        )
    except (zookeeper_wire.ZooKeeperError, OSError, ValueError) as error:
        found["failure"] = str(error)
    return found


def read(path: str | Path) -> str:
    """Return a file's text, nothing where there is no such file."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def free_mb(directory: str) -> int:
    """Return what is free in the file system of a directory, or of its nearest parent that exists, in MiB."""
    path = Path(directory)
    while not path.exists():
        path = path.parent
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize >> 20


def main() -> None:
    module = AnsibleModule(
        {
            "broker_properties": {"type": "path", "required": True},
            "broker_started": {"type": "path", "required": True},
            "controller_properties": {"type": "path", "required": True},
            "controller_data_dir": {"type": "path", "required": True},
            "zookeeper": {"type": "str", "default": ""},
            **tls.OPTIONS,
            "await_copy": {"type": "int", "default": 0},
        },
        required_together=tls.TOGETHER,
        supports_check_mode=True,
    )
    options = module.params

    def says(verb: str, unit: str, word: str) -> bool:
        _, out, _ = module.run_command(["systemctl", verb, unit])
        return str(out).strip() == word

    broker_active = says("is-active", "kafka.service", "active")
    started = read(options["broker_started"]) if broker_active else ""
    directory = Path(options["controller_data_dir"])
    memory = re.search(r"(?m)^MemAvailable:\s+(\d+)", read("/proc/meminfo"))
    asked = options["zookeeper"], options["ca_file"], options["certificate_file"]
    known, deadline = look(*asked), time.monotonic() + options["await_copy"]
    while not known["copied"] and time.monotonic() < deadline:
        time.sleep(0.5)
        known = look(*asked)
    module.exit_json(
        changed=False,
        broker=broker_mode(started or read(options["broker_properties"])),
        broker_active=broker_active,
        controller=controller_mode(read(options["controller_properties"])),
        controller_active=says("is-active", "kafka-controller.service", "active"),
        controller_enabled=says("is-enabled", "kafka-controller.service", "enabled"),
        controller_formatted=(directory / "meta.properties").exists(),
        controller_started=(directory / "__cluster_metadata-0" / "quorum-state").exists(),
        free_mb=free_mb(options["controller_data_dir"]),
        memory_mb=int(memory[1]) >> 10 if memory else -1,
        **known,
    )


if __name__ == "__main__":
    main()
