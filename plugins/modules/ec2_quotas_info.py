#!/usr/bin/python
"""Ansible module: how much of EC2 an account may have in a region, and how much it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.stock_market.streaming.plugins.module_utils import aws
from botocore import exceptions as boto_errors
from botocore.config import Config

DOCUMENTATION = r"""
module: ec2_quotas_info
short_description: Quotas of EC2, and what is used of them
description:
  - Asks Service Quotas how many vCPUs of running on-demand standard instances, Elastic IPs and VPCs the account may
    have in the region, and EC2 how many it has. Only reads.
  - A limit that Service Quotas does not tell is C(none), with the reason; nothing is assumed in its place.
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.reads]
"""

EXAMPLES = r"""
- name: Ask for the quotas
  stock_market.streaming.ec2_quotas_info:
    region: us-east-1
  register: quotas
"""

RETURN = r"""
quotas:
  description: >-
    Of each quota, by name (C(vcpus), C(elastic_ips), C(vpcs)), its C(limit), how much is C(used), its C(code) and where
    the limit is not known the reason, C(unknown).
  returned: always
  type: dict
  sample: {vpcs: {limit: 5, used: 1, code: L-F678F1CE, unknown: ""}}
"""

# Name, service and code as Service Quotas lists them.
QUOTAS = {
    "vcpus": ("ec2", "L-1216C47A"),
    "elastic_ips": ("ec2", "L-0263D0A3"),
    "vpcs": ("vpc", "L-F678F1CE"),
}
# Families that count towards "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", in vCPUs.
STANDARD = frozenset("acdhimrtz")
# Their families begin with a standard letter, but have quotas of their own.
NOT_STANDARD = ("hpc", "inf", "trn", "dl", "mac")
SECONDS = 10


def is_standard(instance_type: str) -> bool:
    """Whether an instance of the type counts towards the quota of standard instances."""
    return instance_type[0] in STANDARD and not instance_type.startswith(NOT_STANDARD)


def limit_of(client: Any, service: str, code: str) -> tuple[int | None, str]:
    """The quota's value, or None and the reason why it is not known."""
    try:
        try:
            return int(client.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"]), ""
        except client.exceptions.NoSuchResourceException:
            # The account has never had another value than AWS's own.
            for page in client.get_paginator("list_aws_default_service_quotas").paginate(ServiceCode=service):
                for quota in page["Quotas"]:
                    if quota["QuotaCode"] == code:
                        return int(quota["Value"]), ""
    except boto_errors.ClientError as error:
        answer = error.response.get("Error", {})
        return None, f"Service Quotas does not tell it: {answer.get('Message') or answer.get('Code')}"
    except boto_errors.BotoCoreError as error:
        return None, f"Service Quotas does not answer: {' '.join(str(error).split())}"
    return None, "Service Quotas does not list it"


def used_vcpus(client: Any) -> int:
    """The vCPUs of all running on-demand standard instances of the region."""
    alive = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    types: Counter[str] = Counter()
    for page in client.get_paginator("describe_instances").paginate(Filters=alive):
        for reservation in page["Reservations"]:
            types.update(
                entry["InstanceType"]
                for entry in reservation["Instances"]
                if entry.get("InstanceLifecycle") is None and is_standard(entry["InstanceType"])
            )
    if not types:
        return 0
    pages = client.get_paginator("describe_instance_types").paginate(
        Filters=[{"Name": "instance-type", "Values": sorted(types)}]
    )
    vcpus = {
        entry["InstanceType"]: entry["VCpuInfo"]["DefaultVCpus"] for page in pages for entry in page["InstanceTypes"]
    }
    return sum(int(vcpus[name]) * count for name, count in types.items())


def ask(client_of: Callable[[str], Any]) -> dict[str, dict[str, Any]]:
    """Limit and use of every quota."""
    ec2, quotas = client_of("ec2"), client_of("service-quotas")
    used = {
        "vcpus": used_vcpus(ec2),
        "elastic_ips": len(ec2.describe_addresses()["Addresses"]),
        "vpcs": sum(len(page["Vpcs"]) for page in ec2.get_paginator("describe_vpcs").paginate()),
    }
    found = {}
    for name, (service, code) in QUOTAS.items():
        limit, unknown = limit_of(quotas, service, code)
        found[name] = {"limit": limit, "used": used[name], "code": code, "unknown": unknown}
    return found


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Ask for limits and use; return the module's result."""
    config = Config(
        connect_timeout=SECONDS, read_timeout=SECONDS, retries={"mode": "standard", "total_max_attempts": 3}
    )
    return {"changed": False, "quotas": ask(lambda service: module.client(service, aws_config=config))}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "EC2 does not tell what the account has")


if __name__ == "__main__":
    main()
