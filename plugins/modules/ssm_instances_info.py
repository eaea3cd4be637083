#!/usr/bin/python
"""Ansible module: which instances Session Manager reaches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: ssm_instances_info
short_description: Which instances Session Manager reaches
description:
  - Asks Systems Manager for the instances whose agent answers (PingStatus Online). Only reads.
  - An instance is not known to Systems Manager before its agent has registered it.
options:
  instance_ids:
    description: The instances to ask about.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds to go on asking until all of them are reached; 0 asks once.
    type: int
    default: 0
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.reads]
"""

EXAMPLES = r"""
- name: Wait until Session Manager reaches the instances
  stock_market.streaming.ssm_instances_info:
    region: us-east-1
    instance_ids: [i-0123456789abcdef0]
    timeout: 300
  register: reached
"""

RETURN = r"""
online: {description: The instances that are reached., returned: always, type: list, elements: str, sample: []}
missing: {description: The others., returned: always, type: list, elements: str, sample: [i-0123456789abcdef0]}
"""

SECONDS_BETWEEN_QUESTIONS = 3
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_InstanceInformationStringFilter.html
MOST_AT_ONCE = 100


def online(client: Any, instance_ids: Sequence[str]) -> set[str]:
    """Those of the instances that Session Manager reaches."""
    found: set[str] = set()
    pages = client.get_paginator("describe_instance_information")
    for start in range(0, len(instance_ids), MOST_AT_ONCE):
        asked = [{"Key": "InstanceIds", "Values": list(instance_ids[start : start + MOST_AT_ONCE])}]
        for page in pages.paginate(Filters=asked):
            entries = page["InstanceInformationList"]
            found |= {entry["InstanceId"] for entry in entries if entry["PingStatus"] == "Online"}
    return found


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Ask until all are reached or the time is over; return the module's result."""
    wanted, client = module.params["instance_ids"], module.client("ssm")
    give_up = time.monotonic() + module.params["timeout"]
    reached = online(client, wanted)
    while set(wanted) - reached and time.monotonic() < give_up:
        time.sleep(SECONDS_BETWEEN_QUESTIONS)
        reached = online(client, wanted)
    missing = [identifier for identifier in wanted if identifier not in reached]
    return {"changed": False, "online": sorted(reached), "missing": missing}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "Systems Manager could not be asked for its instances")


if __name__ == "__main__":
    main()
