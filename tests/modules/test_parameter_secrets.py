"""parameter_secrets creates missing secrets, keeps existing ones, and replaces one only on request."""

from __future__ import annotations

import boto3
import pytest
from moto.backends import get_backend
from tests.modules.conftest import Run

PATH = "/quotes"
USERS = ["kafka/users/producer", "kafka/users/consumer"]


@pytest.fixture(autouse=True)
def ssm(endpoint: str) -> object:
    """An empty Parameter Store."""
    get_backend("ssm").reset()
    session = boto3.Session("local-cloud", "local-cloud", region_name="us-east-1")
    return session.client("ssm", endpoint_url=endpoint)


def test_secrets_are_made_once_and_as_secure_strings_with_tags(ssm: object, run: Run) -> None:
    first = run("parameter_secrets", path=PATH, generate=USERS, tags={"Deployment": "x"})
    assert sorted(first["secrets"]) == sorted(USERS)
    assert all(len(secret) == 32 and secret.isalnum() for secret in first["secrets"].values())
    assert len(set(first["secrets"].values())) == 2
    (one, _) = ssm.describe_parameters()["Parameters"]  # type: ignore[attr-defined]  # the fixture's client is of any service
    assert one["Type"] == "SecureString"
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=one["Name"])  # type: ignore[attr-defined]  # the fixture's client is of any service
    assert tags["TagList"] == [{"Key": "Deployment", "Value": "x"}]
    second = run("parameter_secrets", path=PATH, generate=USERS, tags={"Deployment": "x"})
    assert (second["changed"], second["secrets"]) == (False, first["secrets"])


def test_only_what_is_rotated_becomes_another(run: Run) -> None:
    first = run("parameter_secrets", path=PATH, generate=USERS)["secrets"]
    second = run("parameter_secrets", path=PATH, generate=USERS, rotate=USERS[:1])
    assert second["written"] == USERS[:1]
    assert second["secrets"][USERS[0]] != first[USERS[0]]
    assert second["secrets"][USERS[1]] == first[USERS[1]]
    assert run("parameter_secrets", path=PATH)["secrets"] == second["secrets"]


def test_a_secret_made_elsewhere_is_kept_replaced_and_removed(run: Run) -> None:
    assert run("parameter_secrets", path=PATH, store={"ca/key": "one"})["changed"]
    assert not run("parameter_secrets", path=PATH, store={"ca/key": "one"})["changed"]
    assert run("parameter_secrets", path=PATH, store={"ca/key": "two"})["secrets"] == {"ca/key": "two"}
    assert run("parameter_secrets", path=PATH, remove=["ca/key"])["secrets"] == {}
    assert not run("parameter_secrets", path=PATH, remove=["ca/key"])["changed"]


def test_check_mode_stores_nothing(run: Run) -> None:
    checked = run("parameter_secrets", path=PATH, generate=USERS, _check=True)
    assert checked["changed"]
    assert len(checked["secrets"]) == 2
    assert run("parameter_secrets", path=PATH)["secrets"] == {}


def test_more_than_a_page_of_secrets_is_read(run: Run) -> None:
    names = [f"kafka/users/user-{number}" for number in range(23)]
    made = run("parameter_secrets", path=PATH, generate=names)["secrets"]
    assert run("parameter_secrets", path=PATH)["secrets"] == made


def test_a_secret_that_could_be_guessed_is_refused(run: Run) -> None:
    refused = run("parameter_secrets", path=PATH, generate=USERS, length=8)
    assert refused["msg"] == "A secret of 8 letters could be guessed: length is 16 or more."
