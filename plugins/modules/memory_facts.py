#!/usr/bin/python
"""Ansible module: how much memory a machine has."""

from __future__ import annotations

import re
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: memory_facts
short_description: Find out how much memory a machine has
description:
  - Sets the one fact C(ansible_facts.memtotal_mb), as C(ansible.builtin.setup) does, which looks at disks, devices and
    much else for it and takes seconds.
options: {}
author: stock-market
"""

EXAMPLES = r"""
- name: Ask how much memory the machine has
  memory_facts:
"""

RETURN = r"""
ansible_facts:
  description: The fact.
  returned: success
  type: dict
  contains:
    ansible_memtotal_mb: {description: "Memory that the kernel manages, in MiB, rounded down.", type: int, sample: 961}
"""

MEMINFO = Path("/proc/meminfo")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    found = re.search(r"^MemTotal:\s+(\d+) kB$", MEMINFO.read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        module.fail_json(msg=f"{MEMINFO} does not say how much memory there is; this needs Linux.")
    else:
        module.exit_json(ansible_facts={"ansible_memtotal_mb": int(found[1]) // 1024})


if __name__ == "__main__":
    main()
