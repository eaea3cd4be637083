"""Runs a small playbook with the project's roles and modules, as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stock_market_ops.common.deployment import ROOT


@dataclass(frozen=True)
class Run:
    """A finished run: exit code, everything that it printed, and the recap's counts of localhost."""

    code: int
    output: str
    counts: dict[str, int]


def run(folder: Path, plays: list[dict[str, Any]], inventory: Mapping[str, Any], *options: str) -> Run:
    """Run plays over an inventory in Ansible's own structure; JSON is YAML, so both are written as they are."""
    folder.mkdir(exist_ok=True)
    (folder / "hosts.json").write_text(json.dumps(inventory))
    (folder / "play.json").write_text(json.dumps(plays))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.json", "play.json", *options]
    environment = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=600
    )
    output = done.stdout + done.stderr
    recap = next((line for line in done.stdout.splitlines() if line.startswith("localhost ") and "ok=" in line), "")
    counts = {name: int(count) for name, _, count in (word.partition("=") for word in recap.split() if "=" in word)}
    return Run(done.returncode, output, counts)


def local_inventory(variables: Mapping[str, Any], **groups: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """This machine, with variables for all and hosts in groups: `kafka={"node-1": {...}}`."""
    localhost = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    children = {name: {"hosts": hosts} for name, hosts in groups.items()}
    return {"all": {"vars": dict(variables), "hosts": {"localhost": localhost}, "children": children}}
