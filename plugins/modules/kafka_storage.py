#!/usr/bin/python
"""Ansible module: tells whose data a directory of Kafka has under KRaft, and formats one that has none, once."""

from __future__ import annotations

import os
import pwd
import re
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kafka_storage
short_description: Format the directory of a Kafka controller or broker once
description:
  - Without C(cluster_id) it only tells what the directory has.
  - With C(cluster_id) it has C(kafka-storage.sh) format a directory that was never formatted. One that was is never
    formatted again; one of another cluster, and one with data that no format explains, are refused.
  - The password is in a file that only C(user) may read while the tool runs, never on a command line.
  - The data of a broker that came from ZooKeeper keep their first format; that they are KRaft's is told by the log of
    the cluster's metadata beside them.
options:
  directory: {description: "The directory of C(log.dirs).", type: path, required: true}
  node_id:
    description: The C(node.id) that the directory has to belong to. Without it any is taken.
    type: int
  cluster_id: {description: The cluster's id., type: str}
  zookeeper:
    description: Whether data of a broker with ZooKeeper are no fault, because the cluster is leaving it.
    type: bool
    default: false
  config: {description: "The server's properties. Needed with C(cluster_id).", type: path}
  tool: {description: "The path of C(kafka-storage.sh). Needed with C(cluster_id).", type: path}
  user: {description: "The server's user, who formats. Needed with C(cluster_id).", type: str}
  log_dir: {description: "The directory of the server's own logs. Needed with C(cluster_id).", type: path}
  initial_controllers:
    description:
      - The first voters of a dynamic quorum, each as C(id@host:port:directory id), the same for every controller. Empty
        for a broker.
    type: list
    elements: str
    default: []
  joins:
    description: Whether it is the directory of a controller that joins a running quorum, and so gets a new id.
    type: bool
    default: false
  scram_user: {description: A user that the cluster has from its first start., type: str}
  scram_password: {description: The user's password., type: str}
author: stock-market
"""

EXAMPLES = r"""
- name: Format the controller's directory
  stock_market.streaming.kafka_storage:
    directory: /var/lib/kafka-controller
    node_id: 1001
    cluster_id: 5L6g3nShT-eMCtK--X86sw
    config: /etc/kafka-controller/controller.properties
    tool: /opt/kafka/bin/kafka-storage.sh
    user: kafka-controller
    log_dir: /var/log/kafka-controller
    initial_controllers: ["1001@10.0.1.5:9094:JEXY6aqzQY-32P5TStzaFg"]
    scram_user: broker
    scram_password: "{{ password }}"
"""

RETURN = r"""
formatted: {description: "Whether it is formatted for KRaft; in check mode, as it is.", type: bool, returned: success}
cluster_id: {description: "The cluster that the directory belongs to, or nothing.", type: str, returned: success}
node_id: {description: "The node that it belongs to, or nothing.", type: str, returned: success}
directory_id: {description: "The directory's own id, or nothing.", type: str, returned: success}
zookeeper: {description: Whether its data are of a broker with ZooKeeper., type: bool, returned: success}
started: {description: Whether a server has started with it., type: bool, returned: success}
"""

ITERATIONS = 4096
# A tool that runs for a second is done before the second compiler has compiled anything.
SHORT = {"KAFKA_HEAP_OPTS": "-Xmx128m", "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
_METADATA_LOG = "__cluster_metadata-0"
# What an interrupted format leaves, and what a new file system has.
_HARMLESS = {"bootstrap.checkpoint", _METADATA_LOG, "lost+found", ".lock"}
_NEEDED = ("config", "tool", "user", "log_dir")


class RefusedError(Exception):
    """Why the directory is not formatted, as a sentence."""


def look(directory: Path) -> dict[str, Any]:
    """Return what the directory has; nothing where there is none."""
    try:
        text = (directory / "meta.properties").read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    found = dict(re.findall(r"(?m)^([a-z.]+)=(.*?)\s*$", text))
    kraft = found.get("version") == "1" or (bool(found) and (directory / _METADATA_LOG).is_dir())
    return {
        "formatted": kraft,
        "cluster_id": found.get("cluster.id", ""),
        "node_id": found.get("node.id", found.get("broker.id", "")),
        "directory_id": found.get("directory.id", "") if kraft else "",
        "zookeeper": bool(found) and not kraft,
        "started": (directory / _METADATA_LOG / "quorum-state").exists(),
    }


def refusal(directory: Path, found: dict[str, Any], options: dict[str, Any]) -> str:
    """Return why the directory is not to be used, or nothing."""
    if found["zookeeper"] and not options["zookeeper"]:
        return f"{directory} has the data of a broker that keeps its metadata in ZooKeeper: it is not formatted."
    if options["node_id"] is not None and found["node_id"] not in ("", str(options["node_id"])):
        return (
            f"{directory} has the data of node {found['node_id']}, not of node {options['node_id']}. Nothing was "
            "written. Give the instance its old id back, or move the data away."
        )
    if options["cluster_id"] is None:
        return ""
    if found["cluster_id"] not in ("", options["cluster_id"]):
        return (
            f"{directory} belongs to the cluster {found['cluster_id']}, not to {options['cluster_id']}. Nothing was "
            "written. Move the data away, if they are not needed."
        )
    if found["formatted"]:
        return ""
    strange = sorted({path.name for path in directory.iterdir()} - _HARMLESS) if directory.is_dir() else []
    logs = sorted(path.name for path in (directory / _METADATA_LOG).glob("*.log"))
    if strange or logs or found["started"]:
        shown = ", ".join((strange + logs)[:3]) or _METADATA_LOG
        return (
            f"{directory} is not formatted, but has data ({shown}): it is not formatted over them. Move them away, if "
            "they are not needed."
        )
    return ""


def arguments(options: dict[str, Any], scram_file: str = "") -> list[str]:
    """Return the tool's command line; a password is only named by its file."""
    line = ["runuser", f"--user={options['user']}", "--", options["tool"], "format"]
    line += ["--cluster-id", options["cluster_id"], "--config", options["config"]]
    if options["joins"]:
        line += ["--no-initial-controllers"]
    elif options["initial_controllers"]:
        line += ["--initial-controllers", ",".join(options["initial_controllers"])]
    if scram_file:
        line += ["--add-scram", f"@{scram_file}"]
    return line


def apply(module: AnsibleModule, options: dict[str, Any]) -> dict[str, Any]:
    """Format the directory if that is wanted and was not done; return the module's result.

    Raises:
        RefusedError: the directory is another's, or the tool failed.
    """
    directory = Path(options["directory"])
    found = look(directory)
    words = refusal(directory, found, options)
    if words:
        raise RefusedError(words)
    if options["cluster_id"] is None or found["formatted"]:
        return {"changed": False, **found}
    if module.check_mode:
        return {"changed": True, **found}
    scram_file = ""
    try:
        if options["scram_user"]:
            scram_file = write_scram(options, module.tmpdir)
        code, out, error = module.run_command(
            arguments(options, scram_file),
            environ_update={"LOG_DIR": options["log_dir"]} | SHORT,
            cwd="/",
            umask=0o077,
        )
    finally:
        if scram_file:
            Path(scram_file).unlink()
    found = look(directory)
    if code != 0 or not found["formatted"]:
        said = (error or out).strip()
        if options["scram_password"]:
            said = said.replace(options["scram_password"], "********")
        raise RefusedError(
            f"kafka-storage.sh did not format {directory}: {said.splitlines()[-1:] or 'no reason given'}"
        )
    return {"changed": True, **found}


def write_scram(options: dict[str, Any], fallback: str) -> str:
    """Write the credential as one argument of the tool, for its user's eyes only; return the file's path."""
    home = Path("/run") if os.access("/run", os.W_OK) else Path(fallback)
    descriptor, path = tempfile.mkstemp(prefix="kafka-storage-", dir=home)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        user = pwd.getpwnam(options["user"])
        os.fchown(descriptor, user.pw_uid, user.pw_gid)
        name, password = options["scram_user"], options["scram_password"]
        file.write(f"SCRAM-SHA-512=[name={name},iterations={ITERATIONS},password={password}]\n")
    return path


def main() -> None:
    module = AnsibleModule(
        {
            "directory": {"type": "path", "required": True},
            "node_id": {"type": "int"},
            "cluster_id": {"type": "str"},
            "zookeeper": {"type": "bool", "default": False},
            "config": {"type": "path"},
            "tool": {"type": "path"},
            "user": {"type": "str"},
            "log_dir": {"type": "path"},
            "initial_controllers": {"type": "list", "elements": "str", "default": []},
            "joins": {"type": "bool", "default": False},
            "scram_user": {"type": "str"},
            "scram_password": {"type": "str", "no_log": True},
        },
        required_by={"cluster_id": _NEEDED},
        required_together=[("scram_user", "scram_password")],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**apply(module, module.params))
    except (RefusedError, OSError, KeyError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
