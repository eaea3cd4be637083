"""Every policy that the roles give out passes parliament, the linter of IAM policies, without a finding."""

from __future__ import annotations

import importlib.resources
import json
import sys
from types import ModuleType
from typing import Any

import pytest
from tests.support.local_cloud.operator_work import operator_policy
from tests.support.local_cloud.policies import (
    DATA,
    ONLY_AWS,
    RESULTS,
    ROOT,
    TRUSTED,
    Policy,
    bucket_policy,
    listed,
    render,
    trust,
)


def _parliament() -> Any:
    """The linter. It finds its data by setuptools' pkg_resources, which setuptools 82 has taken away."""
    if "pkg_resources" not in sys.modules:
        stand_in = ModuleType("pkg_resources")
        stand_in.resource_filename = lambda package, name: str(  # type: ignore[attr-defined]  # no stub has private or made-up parts
            importlib.resources.files(package).joinpath(name)
        )
        sys.modules["pkg_resources"] = stand_in
    return importlib.import_module("parliament")


def findings(policy: Policy, *, auditors: bool = True) -> list[str]:
    """What the linter says, and unless `auditors` is false its community's auditors."""
    judged = _parliament().analyze_policy_string(json.dumps(policy), include_community_auditors=auditors)
    return [str(finding) for finding in judged.findings]


TEMPLATES = {
    "instance": ("identity", "instance_policy.json.j2"),
    "glue": ("identity", "glue_policy.json.j2"),
    "analyst": ("identity", "analyst_policy.json.j2"),
    "endpoint": ("network", "s3_endpoint_policy.json.j2"),
    "access": ("identity", "access_policy.json.j2"),
    "history": ("identity", "history_policy.json.j2"),
    "replay": ("identity", "replay_policy.json.j2"),
    "notebook": ("identity", "notebook_policy.json.j2"),
    "data bucket": ("storage", "bucket_policy.json.j2"),
    "results bucket": ("storage", "bucket_policy.json.j2"),
}


def policy_of(name: str) -> Policy:
    bucket = {"data bucket": DATA, "results bucket": RESULTS}.get(name)
    return render(*TEMPLATES[name]) if bucket is None else bucket_policy(bucket)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_policy_has_no_finding(name: str) -> None:
    found = {finding.partition(" ")[0] for finding in findings(policy_of(name))}
    # The instances take on the history's role, and get its credentials.
    assert found == ({"CREDENTIALS_EXPOSURE"} if name == "instance" else set())


def test_with_an_sns_topic_for_alerts_the_instances_may_publish_to_it_and_nothing_else_more() -> None:
    topic = "arn:aws:sns:eu-north-1:123456789012:alerts"
    policy = render(*TEMPLATES["instance"], identity_alerts_topic=topic)
    assert len(findings(policy)) == len(findings(policy_of("instance")))
    (more,) = [one for one in policy["Statement"] if one not in policy_of("instance")["Statement"]]
    assert (more["Action"], more["Resource"]) == ("sns:Publish", topic)


def test_with_an_iceberg_table_the_history_s_policy_has_no_finding() -> None:
    assert findings(render(*TEMPLATES["history"], catalog_iceberg=True)) == []


# What whoever makes and removes a deployment can't be without; docs/iam.md tells what each of them means.
INHERENT: dict[str, set[str]] = {
    "plan": set(),
    "up": {
        *("CREDENTIALS_EXPOSURE", "PERMISSIONS_MANAGEMENT_ACTIONS", "PRIVILEGE_ESCALATION"),
        "RESOURCE_POLICY_PRIVILEGE_ESCALATION",
    },
    "day2": {"CREDENTIALS_EXPOSURE"},
    "down": {"PERMISSIONS_MANAGEMENT_ACTIONS"},
}
# All of EC2's kinds of resources that the operator's policies mean by */*.
EC2_KINDS = (
    *("elastic-ip", "instance", "internet-gateway", "key-pair", "natgateway", "network-interface"),
    *("route-table", "security-group", "subnet", "volume", "vpc", "vpc-endpoint"),
)
# Of their kinds of resources the call names one, and the linter asks for all of them.
ONE_OF_SEVERAL = {"athena:ListTagsForResource", "athena:TagResource"}


def by_action(policy: Policy) -> Policy:
    """The policy with one statement an action, about all its resources: the linter looks at each statement alone."""
    resources: dict[str, list[str]] = {}
    for statement in policy["Statement"]:
        for action in set(listed(statement["Action"])) - ONE_OF_SEVERAL:
            for resource in listed(statement["Resource"]):
                own = (
                    resource == "*" or resource.split(":")[2] == action.partition(":")[0] or action == "sts:AssumeRole"
                )
                kinds = EC2_KINDS if resource.endswith(":*/*") else ("",)
                found = [resource.replace(":*/*", f":{kind}/*") for kind in kinds]
                resources.setdefault(action, []).extend(found if own else [])
    statements = [{"Effect": "Allow", "Action": action, "Resource": arns} for action, arns in resources.items()]
    return {"Version": policy["Version"], "Statement": statements}


@pytest.mark.parametrize("name", INHERENT)
def test_an_operators_policy_has_no_finding_but_those_that_are_inherent(name: str) -> None:
    policy = operator_policy(name)
    found = {finding.partition(" ")[0] for finding in findings(policy)} - {"RESOURCE_MISMATCH"}
    assert found == INHERENT[name]
    mismatches = [finding for finding in findings(by_action(policy), auditors=False) if "RESOURCE_MISMATCH" in finding]
    assert mismatches == []
    text = (ROOT / "docs" / "iam.md").read_text(encoding="utf-8")
    assert all(f"`{one}`" in text for one in INHERENT[name])


@pytest.mark.parametrize("role", TRUSTED)
def test_a_trust_policy_has_no_finding_but_that_it_has_no_resource(role: str) -> None:
    # A trust policy's resource is its role; parliament, which knows no trust policies, wants it named.
    policy = trust(role)
    policy["Statement"][0]["Resource"] = "arn:aws:iam::123456789012:role/shop"
    # The auditors take it for a policy that lets its holder get at credentials.
    assert findings(policy, auditors=False) == []


def test_the_linter_does_find_what_is_wrong() -> None:
    wrong = policy_of("glue")
    wrong["Statement"][0]["Action"] = ["s3:GetObject", "s3:GetTheObject"]
    wrong["Statement"][1]["Resource"] = f"arn:aws:s3:::{DATA}/*"
    assert len(findings(wrong)) == 2


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_policy_allows_by_wildcard(name: str) -> None:
    for statement in policy_of(name)["Statement"]:
        if statement["Effect"] == "Allow":
            assert not any("*" in action for action in listed(statement["Action"]))
            # Session Manager's actions have no resource:
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonmessagegatewayservice.html
            assert "*" not in listed(statement["Resource"]) or statement["Sid"] == "AwsOnlySessionManager"


@pytest.mark.parametrize("name", ["glue", "analyst", "access"])
def test_what_only_aws_asks_for_is_explained_in_the_documents(name: str) -> None:
    text = (ROOT / "docs" / "iam.md").read_text(encoding="utf-8")
    unproven = [one for one in policy_of(name)["Statement"] if one["Sid"].startswith(ONLY_AWS)]
    assert unproven != []
    for statement in unproven:
        for action in listed(statement["Action"]):
            assert f"`{action}`" in text
