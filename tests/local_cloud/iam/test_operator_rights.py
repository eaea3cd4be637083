"""The operator's policies are enough for each verb, and each action and resource of them is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.cloud.modules import load
from tests.support.hostless_cloud import hostless_cloud
from tests.support.local_cloud.enforcing import ACCOUNT, Session, error_of
from tests.support.local_cloud.operator_work import (
    POLICIES,
    VERBS,
    Needed,
    Operators,
    do_everything,
    operator_policy,
    user_of,
)
from tests.support.local_cloud.policies import NAME, Policy, proven, without_one

rights_info: Any = load("iam_rights_info")
DOCUMENTS = {name: operator_policy(name) for name in POLICIES}
MAX_CHARACTERS = 6144
"""Of a managed policy, without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
LONGEST_NAME, LONGEST_REGION = "a" * 24, "ap-southeast-1"
DENIED = ("AccessDenied", 403)
UNAUTHORIZED = ("UnauthorizedOperation", 403)


@dataclass
class World:
    """The cloud after all of it, with the operators and what they needed."""

    operators: Operators
    needed: Needed

    def user(self, name: str, *policies: Policy) -> Session:
        """Makes another user, with copies of policies."""
        session = self.operators.cloud.user(name)
        for number, policy in enumerate(policies):
            made = self.operators.cloud.operator.iam.create_policy(
                PolicyName=f"{name}-{number}", PolicyDocument=json.dumps(policy)
            )
            self.operators.cloud.operator.iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
        return session


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("cloud")
    with hostless_cloud(folder, {}, lag_seconds=0, with_engine=True) as cloud:
        operators = Operators(cloud, folder, DOCUMENTS)
        try:
            do_everything(operators)
        except AssertionError as error:
            found = Needed(folder / "rights.jsonl")
            missing = {verb: found.refused(verb, DOCUMENTS) for verb in VERBS}
            raise AssertionError(f"The operator's policies do not allow: {missing}\n{error}") from error
        ask_as_a_role(operators)
        yield World(operators, Needed(folder / "rights.jsonl"))


def ask_as_a_role(operators: Operators) -> None:
    """The first question of make plan, by a session of a role in a folder of IAM's."""
    iam, name = operators.cloud.operator.iam, user_of("plan")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, Path="/staff/", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="plan", PolicyDocument=json.dumps(DOCUMENTS["plan"]))
    made = operators.cloud.operator.sts.assume_role(RoleArn=role, RoleSessionName="me")
    key = made["Credentials"]
    session = operators.cloud.session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])
    found = rights_info.ask(session.iam, made["AssumedRoleUser"]["Arn"], {"plan": DOCUMENTS["plan"]}, [])
    assert found == {"principal": role, "denied": [], "unknown": []}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_policies_are_enough_for_it(world: World, verb: str) -> None:
    assert world.needed.rights[verb]
    assert world.needed.refused(verb, DOCUMENTS) == []


def _cases() -> Iterator[Any]:
    for name in POLICIES:
        for case, less in without_one(proven(DOCUMENTS[name])):
            yield pytest.param(name, less, id=f"{name}-{case}")


@pytest.mark.parametrize(("name", "less"), list(_cases()))
def test_without_any_one_action_or_resource_a_verb_is_refused(world: World, name: str, less: Policy) -> None:
    policies = DOCUMENTS | {name: less}
    assert any(world.needed.refused(verb, policies) for verb, names in VERBS.items() if name in names), (
        "nothing that the verbs did needs it: take it out, or let operator_work.py do what needs it"
    )


@pytest.mark.parametrize(("access", "subnets"), [("ssh", "public"), ("ssm", "private")])
@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_of_the_longest_name_fits_into_a_managed_policy(name: str, access: str, subnets: str) -> None:
    longest = {"stock_market_deployment": LONGEST_NAME, "stock_market_region": LONGEST_REGION}
    policy = operator_policy(name, stock_market_access=access, stock_market_subnets=subnets, **longest)
    assert len("".join(json.dumps(policy).split())) <= MAX_CHARACTERS


def test_make_policies_writes_these_policies(world: World) -> None:
    folder = world.operators.folder / NAME / "policies"
    assert {file.name: json.loads(file.read_text()) for file in folder.iterdir()} == {
        f"operator_{name}.json": document for name, document in DOCUMENTS.items()
    }


def test_an_operator_touches_no_other_deployment(world: World) -> None:
    session = world.user("everything", *DOCUMENTS.values())
    ec2, administrator = session.ec2, world.operators.cloud.operator
    ours: Any = [{"ResourceType": "vpc", "Tags": [{"Key": "Deployment", "Value": NAME}]}]
    theirs: Any = [{"ResourceType": "vpc", "Tags": [{"Key": "Deployment", "Value": "lab"}]}]
    other = administrator.ec2.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=theirs)["Vpc"]["VpcId"]
    assert error_of(ec2.create_vpc, CidrBlock="10.2.0.0/16") == UNAUTHORIZED
    assert error_of(ec2.create_vpc, CidrBlock="10.2.0.0/16", TagSpecifications=theirs) == UNAUTHORIZED
    assert error_of(ec2.delete_vpc, VpcId=other) == UNAUTHORIZED
    tag = [{"Key": "Deployment", "Value": NAME}]
    assert error_of(ec2.create_tags, Resources=[other], Tags=tag) == UNAUTHORIZED
    assert error_of(ec2.create_subnet, VpcId=other, CidrBlock="10.1.0.0/24") == UNAUTHORIZED
    own = ec2.create_vpc(CidrBlock="10.2.0.0/16", TagSpecifications=ours)["Vpc"]["VpcId"]
    ec2.delete_vpc(VpcId=own)
    iam = session.iam
    assert error_of(iam.create_user, UserName="lab-analyst") == DENIED
    assert error_of(session.s3.create_bucket, Bucket="lab-data") == DENIED
    administrators = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert error_of(iam.attach_user_policy, UserName=f"{NAME}-analyst", PolicyArn=administrators) == DENIED
    assert error_of(iam.attach_role_policy, RoleName=f"{NAME}-glue", PolicyArn=administrators) == DENIED


def test_a_role_is_passed_to_its_own_service_only(world: World) -> None:
    session = world.user("passer", *DOCUMENTS.values())
    crawler: Any = {
        "Name": NAME,
        "DatabaseName": NAME,
        "Targets": {"S3Targets": [{"Path": "s3://x/"}]},
        "Tags": {"Deployment": NAME},
    }
    for role in (f"{NAME}-instance", "somebody-elses"):
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        assert error_of(session.glue.create_crawler, Role=arn, **crawler)[0] == "AccessDeniedException"


# The verdicts above come from what the cloud has noted; these few are asked of the cloud itself.
@pytest.mark.parametrize(
    ("name", "action", "call", "arguments"),
    [
        ("plan", "ec2:DescribeVpcs", "describe_vpcs", {}),
        ("up", "s3:CreateBucket", "create_bucket", {"Bucket": f"{NAME}-data-{ACCOUNT}"}),
        ("down", "iam:DeleteRole", "delete_role", {"RoleName": f"{NAME}-glue"}),
        ("day2", "glue:StartCrawler", "start_crawler", {"Name": NAME}),
    ],
)
def test_the_cloud_itself_refuses_without_the_action(
    world: World, name: str, action: str, call: str, arguments: dict[str, Any]
) -> None:
    less = next(less for case, less in without_one(DOCUMENTS[name]) if case.endswith(f"-{action}"))
    session = world.user(f"less-{name}", less)
    code, _ = error_of(getattr(session.client(action.partition(":")[0]), call), **arguments)
    assert code in {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}


def test_make_plans_question_finds_each_right_that_is_missing_and_no_other(world: World) -> None:
    policies = {name: DOCUMENTS[name] for name in ("plan", "up", "day2")}
    case, less = next(one for one in without_one(DOCUMENTS["up"]) if one[0].endswith("-iam:CreateRole"))
    assert case == "MakeRoles-iam:CreateRole"
    world.user("creator", policies["plan"], less, policies["day2"])
    iam, arn = world.operators.cloud.operator.iam, f"arn:aws:iam::{ACCOUNT}:user/creator"
    found = rights_info.ask(iam, arn, policies, [])
    assert {(one["policy"], one["action"]) for one in found["denied"]} == {("up", "iam:CreateRole")}
    assert f"arn:aws:iam::{ACCOUNT}:role/{NAME}-glue" in [one["resource"] for one in found["denied"]]
    assert rights_info.ask(iam, arn, policies, ["MakeRoles"])["denied"] == []


def test_make_plan_goes_on_where_iam_does_not_tell(world: World) -> None:
    session = world.user("nobody")
    arn = f"arn:aws:iam::{ACCOUNT}:user/nobody"
    found = rights_info.ask(session.iam, arn, DOCUMENTS, [])
    assert found["denied"] == []
    assert found["unknown"][0].startswith("IAM does not tell it: User: ")
    root = f"arn:aws:iam::{ACCOUNT}:root"
    assert rights_info.ask(session.iam, root, DOCUMENTS, []) == {"principal": root, "denied": [], "unknown": []}
    federated = rights_info.ask(session.iam, f"arn:aws:sts::{ACCOUNT}:federated-user/me", DOCUMENTS, [])
    assert "users and roles only" in federated["unknown"][0]


def test_iam_simulates_users_and_roles_only_and_page_by_page(world: World) -> None:
    iam: Any = world.operators.cloud.operator.iam
    simulate = iam.simulate_principal_policy
    # newrelic/newrelic-lambda-cli#96, aws-containers/amazon-ecs-exec-checker#10
    for arn in (f"arn:aws:sts::{ACCOUNT}:assumed-role/x/y", f"arn:aws:iam::{ACCOUNT}:root"):
        assert error_of(simulate, PolicySourceArn=arn, ActionNames=["s3:GetObject"]) == ("InvalidInput", 400)
    nobody = f"arn:aws:iam::{ACCOUNT}:user/not-there"
    assert error_of(simulate, PolicySourceArn=nobody, ActionNames=["s3:GetObject"]) == ("NoSuchEntity", 404)
    planner = f"arn:aws:iam::{ACCOUNT}:user/{user_of('plan')}"
    assert error_of(simulate, PolicySourceArn=planner, ActionNames=["s3:Get*"]) == ("InvalidInput", 400)
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=planner,
        ActionNames=["ec2:DescribeVpcs", "ec2:DeleteVpc", "iam:GetRole"],
        PaginationConfig={"PageSize": 2},
    )
    results = [result for page in pages for result in page["EvaluationResults"]]
    decisions = [(result["EvalActionName"], result["EvalDecision"]) for result in results]
    assert decisions == [
        ("ec2:DescribeVpcs", "allowed"),
        ("ec2:DeleteVpc", "implicitDeny"),
        ("iam:GetRole", "implicitDeny"),
    ]
