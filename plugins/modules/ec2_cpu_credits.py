#!/usr/bin/python
"""Ansible module: the credit option of burstable instances that exist."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: ec2_cpu_credits
short_description: Set the credit option of burstable EC2 instances
description:
  - M(amazon.aws.ec2_instance) sets the option of an instance that it launches, and leaves that of one that exists.
  - An instance that is changed from C(unlimited) to C(standard) pays at once for the surplus credits that it has spent.
options:
  instance_ids:
    description: Running or stopped instances of burstable types.
    type: list
    elements: str
    required: true
  cpu_credits:
    description: Whether they may buy credits beyond those that they earn (C(unlimited)) or not (C(standard)).
    type: str
    choices: [standard, unlimited]
    required: true
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.manages]
"""

EXAMPLES = r"""
- name: Let instances spend only the credits that they earn
  stock_market.streaming.ec2_cpu_credits:
    instance_ids: [i-0123456789abcdef0]
    cpu_credits: standard
"""

RETURN = r"""
instances: {description: Ids of the instances whose option changed., returned: always, type: list, sample: [i-0123]}
"""


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Set the option where it is another one; return the module's result."""
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    ids, wanted = module.params["instance_ids"], module.params["cpu_credits"]
    if not ids:
        return {"changed": False, "instances": [], "diff": {"before": {}, "after": {}}}
    answer = client.describe_instance_credit_specifications(InstanceIds=ids, aws_retry=True)
    before = {entry["InstanceId"]: entry["CpuCredits"] for entry in answer["InstanceCreditSpecifications"]}
    others = [identifier for identifier, option in before.items() if option != wanted]
    if others and not module.check_mode:
        asked = [{"InstanceId": identifier, "CpuCredits": wanted} for identifier in others]
        answer = client.modify_instance_credit_specification(InstanceCreditSpecifications=asked, aws_retry=True)
        failed = answer["UnsuccessfulInstanceCreditSpecifications"]
        if failed:
            told = "; ".join(f"{item['InstanceId']}: {item['Error']['Code']}" for item in failed)
            module.fail_json(msg=f"EC2 did not set the credit option {wanted} of every instance: {told}.")
    after = dict.fromkeys(before, wanted)
    return {"changed": bool(others), "instances": others, "diff": {"before": before, "after": after}}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "The credit option of the instances could not be set")


if __name__ == "__main__":
    main()
