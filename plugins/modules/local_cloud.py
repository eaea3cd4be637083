#!/usr/bin/python
"""Ansible module: the local cloud of one deployment."""

from __future__ import annotations

import json
import sys
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stock_market.streaming.plugins.module_utils.documentation import argument_spec

DOCUMENTATION = r"""
module: local_cloud
short_description: Start and stop the local cloud, a stand-in for AWS on this machine
description:
  - Starts the local cloud if it does not run, and waits until it answers. What a killed one has left is removed first.
  - Stops it with all that it made; what its buckets still hold is saved as plain files first.
  - Runs on the machine that carries the local cloud, with the Python of the repository's C(.venv).
  - In check mode a start that is due is made all the same, since every later task asks the API; a stop is only
    foretold.
options:
  state:
    description: C(present) starts it, C(absent) stops it.
    type: str
    choices: [present, absent]
    default: present
  deployment:
    description: The deployment's name, 3 to 24 lower-case letters, digits and hyphens.
    type: str
    required: true
  block:
    description: Number from 1 to 254 that keeps the addresses of two deployments on one machine apart.
    type: int
    required: true
  state_dir:
    description: The deployment's directory of state, whose last part is the deployment's name.
    type: path
    required: true
  debian_release:
    description: The release of Debian whose image is built before a start returns, if it is not there yet.
    type: str
    default: '12'
  scripts_dir:
    description: The repository's C(scripts), where the local cloud's program lies.
    type: path
    required: true
  faults:
    description: Faults that a start gives it, by counting requests; 0 is never. One that runs keeps those that it has.
    type: dict
    default: {}
    suboptions:
      throttle_every:
        description: Of each action, throttle every Nth request.
        type: int
        default: 0
      drop_every:
        description: Of each action, drop the connection of every Nth request, before anything is done.
        type: int
        default: 0
      expire_after:
        description: End the credentials C(local-cloud-session) after N requests.
        type: int
        default: 0
author:
  - the maintainers
"""

EXAMPLES = r"""
- name: Start the local cloud
  stock_market.streaming.local_cloud:
    deployment: stock-market
    block: 7
    state_dir: "{{ stock_market_state_dir }}"
    scripts_dir: "{{ stock_market_root }}/scripts"
"""

RETURN = r"""
running:
  description: Whether the local cloud runs now.
  returned: always
  type: bool
endpoint_url:
  description: Where this machine reaches the API.
  returned: when it runs
  type: str
removed:
  description: What was removed, of this local cloud or of one that had been killed.
  returned: always
  type: list
  elements: str
kept:
  description: One sentence for each bucket whose objects a stop has saved.
  returned: always
  type: list
  elements: str
"""


FAULTS = ("throttle_every", "drop_every", "expire_after")


def _ask(module: AnsibleModule, command: str) -> dict[str, Any]:
    """Run the local cloud's program; its one sentence is the module's if it fails."""
    options = module.params
    argv = [sys.executable, "-m", "local_cloud", command, "--deployment", options["deployment"]]
    argv += ["--block", str(options["block"]), "--state-dir", options["state_dir"]]
    if command == "start":
        for name in FAULTS:
            argv += [f"--{name.replace('_', '-')}", str(options["faults"].get(name) or 0)]
        argv += ["--debian-release", options["debian_release"]]
    code, output, errors = module.run_command(argv, environ_update={"PYTHONPATH": options["scripts_dir"]})
    if code != 0:
        module.fail_json(msg=errors.strip() or f"The local cloud's program ended with code {code}.")
    report: dict[str, Any] = json.loads(output)
    return report


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(DOCUMENTATION), supports_check_mode=True)
    wanted = module.params["state"] == "present"
    status = _ask(module, "status")
    if module.check_mode and not wanted:
        module.exit_json(**{**status, "changed": status["running"] != wanted, "diff": _diff(status["running"], wanted)})
    if wanted and status["running"]:
        module.exit_json(**status, diff=_diff(True, True))
    report = _ask(module, "start" if wanted else "stop")
    module.exit_json(**report, diff=_diff(status["running"], wanted))


def _diff(before: bool, after: bool) -> dict[str, str]:
    words = {True: "the local cloud runs\n", False: "no local cloud runs\n"}
    return {"before": words[before], "after": words[after]}


if __name__ == "__main__":
    main()
