"""Every policy that the roles give out passes parliament, the linter of IAM policies, without a finding."""

from __future__ import annotations

import importlib.resources
import json
import sys
from types import ModuleType
from typing import Any

import pytest
from tests.local_cloud.policies import (
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
        stand_in.resource_filename = lambda package, name: str(  # type: ignore[attr-defined]
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
    "replay": ("identity", "replay_policy.json.j2"),
    "data bucket": ("storage", "bucket_policy.json.j2"),
    "results bucket": ("storage", "bucket_policy.json.j2"),
}


def policy_of(name: str) -> Policy:
    bucket = {"data bucket": DATA, "results bucket": RESULTS}.get(name)
    return render(*TEMPLATES[name]) if bucket is None else bucket_policy(bucket)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_policy_has_no_finding(name: str) -> None:
    assert findings(policy_of(name)) == []


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
