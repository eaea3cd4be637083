"""What comes by a VPC endpoint passes its policy as well; the bundle's lets the consumer's role do just its work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.local_cloud.enforcing import EC2_TRUST, Enforcing, allow, enforcing_cloud, error_of
from tests.support.local_cloud.policies import DATA, NAME, ONLY_AWS, listed, render

from local_cloud.api.authorizer import Authorizer
from local_cloud.iam.policy import Decision, Request, decide, statements_of

ROLE = f"arn:aws:iam::123456789012:role/{NAME}-instance"
HISTORY = ROLE.replace("-instance", "-history")
BUCKET = f"arn:aws:s3:::{DATA}"
POLICY = json.dumps(render("network", "s3_endpoint_policy.json.j2"))
WITH_AGENT = json.dumps(render("network", "s3_endpoint_policy.json.j2", stock_market_access="ssm"))
AGENT = "arn:aws:s3:::amazon-ssm-us-east-1/3.3.1345.0/debian_amd64/amazon-ssm-agent.deb"


def asked(action: str, resource: str, role: str = ROLE, policy: str = POLICY) -> Decision:
    context = {"aws:principalarn": (role,)}
    return decide(statements_of(policy), Request(action, resource, context, (role, "123456789012")))


def asked_by_nobody(action: str, resource: str, policy: str) -> Decision:
    return decide(statements_of(policy), Request(action, resource, {}, ("anonymous",)))


@pytest.mark.parametrize(("name", "least"), [("instance", 5), ("history", 5)])
def test_all_that_the_roles_of_consumer_and_history_do_in_s3_passes_the_endpoint(name: str, least: int) -> None:
    pairs = [
        (action, resource)
        for statement in render("identity", f"{name}_policy.json.j2")["Statement"]
        # Athena goes its own way to S3.
        if "ThroughAthena" not in statement["Sid"] and not statement["Sid"].startswith(ONLY_AWS)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if action.startswith("s3:") and action != "s3:GetBucketLocation"
    ]
    assert len(pairs) >= least
    role = ROLE.replace("-instance", f"-{name}")
    assert {asked(action, resource, role) for action, resource in pairs} == {Decision.ALLOW}


def test_nothing_else_passes_it() -> None:
    assert asked("s3:PutObject", "arn:aws:s3:::somebody-elses/quotes/x") is Decision.SILENT
    assert asked("s3:DeleteObject", f"{BUCKET}/quotes/x") is Decision.SILENT
    assert asked("s3:PutObject", "arn:aws:s3:::somebody-elses/history/x", HISTORY) is Decision.SILENT
    assert asked("s3:PutBucketPolicy", BUCKET, HISTORY) is Decision.SILENT
    assert asked("s3:GetObject", f"{BUCKET}/quotes/x", ROLE.replace(NAME, "another")) is Decision.SILENT


def test_with_session_manager_everybody_fetches_the_agent_and_nothing_more_passes() -> None:
    assert asked_by_nobody("s3:GetObject", AGENT, WITH_AGENT) is Decision.ALLOW
    assert asked_by_nobody("s3:GetObject", AGENT, POLICY) is Decision.SILENT
    assert asked_by_nobody("s3:GetObject", f"{BUCKET}/quotes/x", WITH_AGENT) is Decision.SILENT
    assert asked_by_nobody("s3:GetObject", AGENT.replace("us-east-1", "eu-west-1"), WITH_AGENT) is Decision.SILENT
    assert asked("s3:PutObject", AGENT, policy=WITH_AGENT) is Decision.SILENT
    assert asked("s3:PutObject", f"{BUCKET}/quotes/x", policy=WITH_AGENT) is Decision.ALLOW


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Enforcing]:
    """A cloud to which everything comes by an endpoint with the policy above."""
    with enforcing_cloud(tmp_path, Authorizer(endpoint_policy=lambda _: POLICY)) as running:
        yield running


def test_a_role_that_may_do_more_is_held_by_the_endpoint(cloud: Enforcing) -> None:
    iam: Any = cloud.operator.iam
    iam.create_role(RoleName=f"{NAME}-instance", AssumeRolePolicyDocument=json.dumps(EC2_TRUST))
    user = cloud.user("somebody", allow("s3:*"))
    assert error_of(user.s3.put_object, Bucket=DATA, Key="quotes/x", Body=b"x") == ("AccessDenied", 403)
    assert error_of(user.s3.list_objects_v2, Bucket=DATA) == ("AccessDenied", 403)
    # What does not go to S3 does not come by its endpoint.
    assert user.sts.get_caller_identity()["Account"] == "123456789012"


def test_a_cloud_without_an_endpoint_refuses_nothing(tmp_path: Path) -> None:
    with enforcing_cloud(tmp_path) as running:
        running.operator.s3.create_bucket(Bucket=DATA)
        user = running.user("somebody", allow("s3:*"))
        user.s3.put_object(Bucket=DATA, Key="quotes/x", Body=b"x")
