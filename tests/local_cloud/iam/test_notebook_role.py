"""The notebooks' role writes below its own prefix and queries Athena, needs each of its rights, and has no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.local_cloud.enforcing import ACCOUNT, Enforcing, Session, allow, enforcing_cloud, error_of
from tests.support.local_cloud.policies import DATA, NAME, RESULTS, Policy, bucket_policy, render, trust, without_one

ROLE = f"{NAME}-notebook"
ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
KEY = "notebooks/quotes/notebook-quotes+0+00000000000000000000.json"
QUOTES = "quotes/dt=2026-11-25/hour=12/a.json.gz"
DENIED = ("AccessDenied", 403)
OBJECTS = render("identity", "notebook_policy.json.j2")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enforcing]:
    with enforcing_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.operator.iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust("notebook")))
        give(cloud, "queries", render("identity", "analyst_policy.json.j2"))
        for bucket in (DATA, RESULTS):
            cloud.operator.s3.create_bucket(Bucket=bucket)
        for key in (QUOTES, "quarantine/a", "backups/a"):
            cloud.operator.s3.put_object(Bucket=DATA, Key=key, Body=b"true")
        cloud.operator.s3.put_bucket_policy(Bucket=DATA, Policy=json.dumps(bucket_policy(DATA)))
        yield cloud


def give(cloud: Enforcing, name: str, policy: Policy) -> None:
    cloud.operator.iam.put_role_policy(RoleName=ROLE, PolicyName=name, PolicyDocument=json.dumps(policy))


@pytest.fixture
def notebook(cloud: Enforcing) -> Session:
    """A session of the role, with its own rights."""
    give(cloud, "objects", OBJECTS)
    held = cloud.operator.sts.assume_role(RoleArn=ARN, RoleSessionName="notebook")["Credentials"]
    return cloud.session(held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"])


def work(session: Session) -> list[str]:
    """What consumer.ipynb does with S3."""
    session.s3.put_object(Bucket=DATA, Key=KEY, Body=b"{}\n")
    assert session.s3.get_object(Bucket=DATA, Key=KEY)["Body"].read() == b"{}\n"
    listed = session.s3.list_objects_v2(Bucket=DATA, Prefix="notebooks/quotes/").get("Contents", [])
    return [entry["Key"] for entry in listed]


def test_the_role_is_enough_for_the_notebooks_objects(notebook: Session) -> None:
    assert work(notebook) == [KEY]


@pytest.mark.parametrize("less", [pytest.param(less, id=name) for name, less in without_one(OBJECTS)])
def test_without_any_one_right_the_work_fails(cloud: Enforcing, notebook: Session, less: Policy) -> None:
    give(cloud, "objects", less)
    assert error_of(work, session=notebook) == DENIED


MAY_NOT: list[tuple[str, dict[str, Any]]] = [
    ("put_object", {"Key": "quotes/a", "Body": b"x", "IfNoneMatch": "*"}),
    ("put_object", {"Key": "quarantine/a", "Body": b"x"}),
    ("put_object", {"Key": "backups/a", "Body": b"x"}),
    ("delete_object", {"Key": KEY}),
    ("delete_object", {"Key": QUOTES}),
    ("get_object", {"Key": "quarantine/a"}),
    ("get_object", {"Key": "backups/a"}),
    ("list_objects_v2", {}),
    ("list_objects_v2", {"Prefix": "backups/"}),
    ("put_bucket_policy", {"Policy": "{}"}),
]


@pytest.mark.parametrize(("call", "arguments"), MAY_NOT)
def test_the_role_may_do_nothing_else_with_the_data(notebook: Session, call: str, arguments: dict[str, Any]) -> None:
    assert error_of(getattr(notebook.s3, call), Bucket=DATA, **arguments) == DENIED


def test_the_role_reads_the_quotes_and_no_secret(notebook: Session) -> None:
    assert notebook.s3.get_object(Bucket=DATA, Key=QUOTES)["Body"].read() == b"true"
    path = {"Path": f"/{NAME}", "Recursive": True, "WithDecryption": True}
    assert error_of(notebook.client("ssm").get_parameters_by_path, **path)[0] == "AccessDeniedException"


def test_only_who_may_assume_the_role_gets_it(cloud: Enforcing) -> None:
    arguments: Any = {"RoleArn": ARN, "RoleSessionName": "notebook"}
    assert cloud.user("student", allow("sts:AssumeRole", ARN)).sts.assume_role(**arguments)["Credentials"]
    assert error_of(cloud.user("stranger", allow("s3:*")).sts.assume_role, **arguments) == DENIED
