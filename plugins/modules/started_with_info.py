#!/usr/bin/python
"""Ansible module: tells whether a service runs with the files that are written now."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: started_with_info
short_description: Tell whether a service runs with the files that are written now
description:
  - A unit whose C(ExecStartPre) writes the checksums of its files, as C(sha256sum) prints them, leaves a record of what
    it started with. This module compares that record with the files.
  - So a restart that was put off or broken off is still known to be due, and one that has happened is not done again.
options:
  unit: {description: The systemd unit., type: str, required: true}
  record: {description: "The record, a file in the format of C(sha256sum).", type: path, required: true}
author: stock-market
"""

EXAMPLES = r"""
- name: Ask whether the broker has to restart
  stock_market.streaming.started_with_info:
    unit: kafka.service
    record: /run/kafka/started-with
"""

RETURN = r"""
active: {description: Whether the unit runs., type: bool, returned: success}
stale: {description: "Whether it runs, and with other files than those written now.", type: bool, returned: success}
differing:
  description: The files that differ from what it started with; the record itself where there is none.
  type: list
  returned: success
"""


def differing(record: Path) -> list[str]:
    """Return the files of the record that have another content now, or are gone."""
    try:
        lines = record.read_text().splitlines()
    except FileNotFoundError:
        return [str(record)]
    found = []
    for checksum, name in (line.split(maxsplit=1) for line in lines):
        try:
            now = hashlib.sha256(Path(name).read_bytes()).hexdigest()
        except FileNotFoundError:
            now = ""
        if now != checksum:
            found.append(name)
    return found if lines else [str(record)]


def main() -> None:
    module = AnsibleModule(
        {"unit": {"type": "str", "required": True}, "record": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    unit = module.params["unit"]
    _, state, _ = module.run_command(["systemctl", "show", "--property=ActiveState", "--value", unit], check_rc=True)
    active = state.strip() == "active"
    found = differing(Path(module.params["record"])) if active else []
    module.exit_json(changed=False, active=active, stale=bool(found), differing=found)


if __name__ == "__main__":
    main()
