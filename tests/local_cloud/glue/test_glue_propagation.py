"""A role that IAM has just made reaches Glue late, and Glue says so in each of AWS's ways."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws
from moto.iam.responses import IamResponse
from tests.support.local_cloud.glue_lake import ALL_RIGHTS, DATA, TRUST, Lake

from local_cloud import lag
from local_cloud.glue import api as glue_api
from local_cloud.glue import crawler as glue_crawler
from local_cloud.glue import propagation as glue_propagation

# In the order in which the parts of a new role are needed.
WORDS = (
    "Service is unable to assume provided role",
    "You need to enable AWS Security Token Service for this region.",
    "The security token included in the request is invalid.",
    "is not authorized to perform: glue:GetDatabase",
    "Insufficient Lake Formation permission(s)",
)


class Clock:
    """A clock that a test moves, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What Glue counts the lag by."""
    made = Clock()
    monkeypatch.setattr(lag, "clock", made)
    return made


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Lake]:
    assert clock.now == 0
    """A lake whose role glue is long known; changes of roles lag from here on."""
    glue_crawler.install()
    glue_api.install()
    for name in ("create_role", "update_assume_role_policy", "put_role_policy", "attach_role_policy"):
        monkeypatch.setattr(IamResponse, name, getattr(IamResponse, name))
    monkeypatch.setattr(glue_propagation, "_changed", {})
    monkeypatch.setattr(glue_propagation.Lag, "trust", 0.0)
    monkeypatch.setattr(glue_propagation.Lag, "rights", 0.0)
    with mock_aws():
        built = Lake()
        built.build()
        glue_propagation.install(trust=0.4, rights=1.8)
        yield built


def create(lake: Lake, role: str) -> str:
    """Tries to create a crawler; returns Glue's reason for refusing it, empty where it does not."""
    targets = {"S3Targets": [{"Path": f"s3://{DATA}/quotes/"}]}
    try:
        lake.glue.create_crawler(Name="new", Role=role, DatabaseName="market", Targets=targets)  # type: ignore[arg-type]  # wrong or partial on purpose
    except lake.glue.exceptions.InvalidInputException as error:
        return str(error.response["Error"]["Message"])
    return ""


def test_a_new_role_is_refused_in_each_way_and_then_taken(lake: Lake, clock: Clock) -> None:
    lake.iam.create_role(RoleName="new", AssumeRolePolicyDocument=json.dumps(TRUST))
    lake.iam.put_role_policy(RoleName="new", PolicyName="crawl", PolicyDocument=json.dumps(ALL_RIGHTS))
    reasons: list[str] = []
    while (reason := create(lake, "new")) and clock.now < 1.8:
        if not reasons or reason != reasons[-1]:
            reasons.append(reason)
        clock.now += 0.1
    assert not reason
    assert len(reasons) == len(WORDS)
    assert all(words in reason for words, reason in zip(WORDS, reasons, strict=True))


def test_a_changed_policy_alone_reaches_glue_late(lake: Lake) -> None:
    assert lake.iam
    lake.allow(ALL_RIGHTS)
    assert WORDS[2] in create(lake, "glue")


def test_a_role_that_was_long_there_is_taken_at_once(lake: Lake) -> None:
    assert create(lake, "glue") == ""


def test_a_role_that_glue_may_not_take_on_is_refused_for_good(lake: Lake, clock: Clock) -> None:
    lake.iam.create_role(RoleName="ec2", AssumeRolePolicyDocument=json.dumps(TRUST).replace("glue.", "ec2."))
    clock.now += 10
    assert WORDS[0] in create(lake, "ec2")
