#!/usr/bin/python
"""Ansible module: what of some policies IAM denies to the caller."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.stock_market.streaming.plugins.module_utils import aws
from botocore import exceptions as boto_errors
from botocore.config import Config

DOCUMENTATION = r"""
module: iam_rights_info
short_description: What of some policies IAM denies to the caller
description:
  - Asks IAM to simulate (iam:SimulatePrincipalPolicy) whether the caller's own policies allow each action on each
    resource that the statements of some policies allow, under their conditions. Only reads.
  - One call for each service and set of conditions. The account itself is not asked about, as it may do everything; of
    a role's session the role is.
  - What IAM does not tell is in RV(unknown) and fails nothing.
options:
  policies:
    description: The policy documents by their names; every statement of them allows.
    type: dict
    required: true
  skip:
    description: Sids of statements that are not asked about.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.reads]
"""

EXAMPLES = r"""
- name: Ask whether the caller may create the deployment
  stock_market.streaming.iam_rights_info:
    policies:
      up: "{{ lookup('ansible.builtin.template', 'operator_up_policy.json.j2') | from_json }}"
  register: rights
"""

RETURN = r"""
principal: {description: The user or role that was asked about., returned: always, type: str}
denied:
  description: What is denied, each an action on a resource, and the policy that allows it.
  returned: always
  type: list
  elements: dict
  sample: [{policy: up, action: "s3:CreateBucket", resource: "arn:aws:s3:::shop-data-123456789012"}]
unknown:
  description: Why something is not known, a sentence each.
  returned: always
  type: list
  elements: str
"""

SECONDS = 20
MOST_RESULTS = 1000
# What a condition's key gets where the policy only wants it to be there.
PRESENT = "present"

Context = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Right:
    """An action on a resource, with the condition keys under which a policy allows it."""

    policy: str
    action: str
    resource: str
    context: Context

    @property
    def group(self) -> tuple[str, Context]:
        """What can be asked about in one call: a service's resources under the same conditions."""
        return (self.resource.split(":")[2] if self.resource != "*" else "*", self.context)


def listed(value: str | list[str]) -> list[str]:
    """One or many, as a list."""
    return [value] if isinstance(value, str) else value


def context_of(conditions: Mapping[str, Mapping[str, Any]]) -> Context:
    """A request's keys that meet the conditions."""
    found = {}
    for operator, keys in conditions.items():
        for key, values in keys.items():
            found[key] = PRESENT if operator == "Null" else str(listed(values)[0])
    return tuple(sorted(found.items()))


def rights_of(policies: Mapping[str, Any], skip: list[str]) -> Iterator[Right]:
    """Every right that the policies give."""
    for name, policy in policies.items():
        for statement in policy["Statement"]:
            if statement["Sid"] in skip:
                continue
            context = context_of(statement.get("Condition", {}))
            resources = listed(statement["Resource"])
            for action in listed(statement["Action"]):
                # A statement may name resources of several services; an action is about its own.
                own = [one for one in resources if one.split(":")[2:3] == [action.partition(":")[0]]]
                for resource in own or resources:
                    yield Right(name, action, resource, context)


def principal_of(iam: Any, caller: str) -> tuple[str, str]:
    """The ARN of the user or role behind a caller's, or none and the reason why there is none."""
    parts = caller.split(":", 5)
    kind, _, rest = parts[5].partition("/")
    if kind in {"root", "user"}:
        return caller, ""
    if kind != "assumed-role":
        return "", f"IAM simulates users and roles only, and the caller is {caller}."
    name = rest.partition("/")[0]
    try:
        # A session's ARN leaves the role's path out.
        return str(iam.get_role(RoleName=name)["Role"]["Arn"]), ""
    except boto_errors.ClientError:
        return f"arn:{parts[1]}:iam::{parts[4]}:role/{name}", ""


def simulated(iam: Any, principal: str, rights: list[Right]) -> dict[tuple[str, str], bool]:
    """Whether each action is allowed on each resource; all rights are of one group."""
    asked: dict[str, Any] = {
        "PolicySourceArn": principal,
        "ActionNames": sorted({right.action for right in rights}),
        "ResourceArns": sorted({right.resource for right in rights}),
        "ContextEntries": [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in rights[0].context
        ],
        "PaginationConfig": {"PageSize": MOST_RESULTS},
    }
    allowed = {}
    for page in iam.get_paginator("simulate_principal_policy").paginate(**asked):
        for found in page["EvaluationResults"]:
            action = found["EvalActionName"]
            allowed[action, found.get("EvalResourceName", "*")] = found["EvalDecision"] == "allowed"
            for one in found.get("ResourceSpecificResults", []):
                allowed[action, one["EvalResourceName"]] = one["EvalResourceDecision"] == "allowed"
    return allowed


def ask(iam: Any, caller: str, policies: Mapping[str, Any], skip: list[str]) -> dict[str, Any]:
    """Principal, what is denied to it, and what is not known."""
    principal, why = principal_of(iam, caller)
    found: dict[str, Any] = {"principal": principal, "denied": [], "unknown": [why] if why else []}
    if why or principal.endswith(":root"):
        return found
    groups: defaultdict[tuple[str, Context], list[Right]] = defaultdict(list)
    for right in rights_of(policies, skip):
        groups[right.group].append(right)
    for (service, _), rights in groups.items():
        try:
            allowed = simulated(iam, principal, rights)
        except boto_errors.ClientError as error:
            answer = error.response.get("Error", {})
            told = f"IAM does not tell it: {answer.get('Message') or answer.get('Code')}"
            if answer.get("Code") in {"AccessDenied", "NoSuchEntity"}:
                return found | {"unknown": [told]}
            found["unknown"].append(f"{told} ({'all services' if service == '*' else service})")
            continue
        found["denied"] += [
            {"policy": right.policy, "action": right.action, "resource": right.resource}
            for right in rights
            if not allowed.get((right.action, right.resource), False)
        ]
    return found


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Ask who is calling, and what is denied to them; return the module's result."""
    config = Config(
        connect_timeout=SECONDS, read_timeout=SECONDS, retries={"mode": "standard", "total_max_attempts": 3}
    )
    caller = str(module.client("sts", aws_config=config).get_caller_identity()["Arn"])
    iam = module.client("iam", aws_config=config)
    return {"changed": False, **ask(iam, caller, module.params["policies"], module.params["skip"])}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "IAM does not tell what the caller may do")


if __name__ == "__main__":
    main()
