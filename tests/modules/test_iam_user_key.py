"""The module iam_user_key: one key, kept in Parameter Store, shown nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.backends import get_backend
from tests.modules.conftest import Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_ssm import SSMClient

PATH = "/shop/analyst"
OPTIONS: dict[str, Any] = {"user": "shop-analyst", "path": PATH, "tags": {"Deployment": "shop"}}


class Account:
    """An account with the user in it."""

    def __init__(self, endpoint: str) -> None:
        session = boto3.Session("local-cloud", "local-cloud", region_name="us-east-1")
        self.iam: IAMClient = session.client("iam", endpoint_url=endpoint)
        self.ssm: SSMClient = session.client("ssm", endpoint_url=endpoint)
        self.iam.create_user(UserName="shop-analyst")

    def keys(self) -> list[str]:
        """The ids of the user's keys."""
        return [key["AccessKeyId"] for key in self.iam.list_access_keys(UserName="shop-analyst")["AccessKeyMetadata"]]

    def kept(self) -> dict[str, str]:
        """What is in Parameter Store."""
        found = self.ssm.get_parameters_by_path(Path=PATH, WithDecryption=True)["Parameters"]
        assert {parameter["Type"] for parameter in found} <= {"SecureString"}
        return {parameter["Name"].rpartition("/")[2]: parameter["Value"] for parameter in found}


def _empty() -> None:
    get_backend("iam").reset()
    get_backend("ssm").reset()


@pytest.fixture
def account(endpoint: str) -> Iterator[Account]:
    _empty()
    yield Account(endpoint)
    _empty()


def test_the_key_is_only_in_parameter_store_with_its_tags(run: Run, account: Account) -> None:
    result = run("iam_user_key", **OPTIONS)
    assert result["changed"]
    kept = account.kept()
    assert account.keys() == [kept["access-key-id"]]
    assert len(kept["secret-access-key"]) == 40
    assert kept["secret-access-key"] not in json.dumps(result)
    for half in kept:
        tags = account.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=f"{PATH}/{half}")["TagList"]
        assert tags == [{"Key": "Deployment", "Value": "shop"}]


def test_a_second_run_changes_nothing(run: Run, account: Account) -> None:
    run("iam_user_key", **OPTIONS)
    before = account.kept()
    assert not run("iam_user_key", **OPTIONS)["changed"]
    assert account.kept() == before


def test_check_mode_makes_nothing(run: Run, account: Account) -> None:
    assert run("iam_user_key", _check=True, **OPTIONS)["changed"]
    assert (account.keys(), account.kept()) == ([], {})


@pytest.mark.parametrize("lost", ["access-key-id", "secret-access-key"])
def test_a_key_of_which_half_is_lost_is_replaced(run: Run, account: Account, lost: str) -> None:
    run("iam_user_key", **OPTIONS)
    (before,) = account.keys()
    account.ssm.delete_parameter(Name=f"{PATH}/{lost}")
    assert run("iam_user_key", **OPTIONS)["changed"]
    (after,) = account.keys()
    assert after != before
    assert account.kept()["access-key-id"] == after


def test_two_keys_become_one(run: Run, account: Account) -> None:
    for _ in range(2):
        account.iam.create_access_key(UserName="shop-analyst")
    assert run("iam_user_key", **OPTIONS)["changed"]
    assert account.keys() == [account.kept()["access-key-id"]]


def test_a_rotation_replaces_both_halves_and_keeps_the_tags(run: Run, account: Account) -> None:
    run("iam_user_key", **OPTIONS)
    before = account.kept()
    assert run("iam_user_key", rotate=True, **OPTIONS)["changed"]
    after = account.kept()
    assert all(after[half] != before[half] for half in before)
    assert account.keys() == [after["access-key-id"]]


def test_absent_removes_keys_and_parameters_even_of_a_user_who_is_gone(run: Run, account: Account) -> None:
    run("iam_user_key", **OPTIONS)
    (key,) = account.keys()
    account.iam.delete_access_key(UserName="shop-analyst", AccessKeyId=key)
    account.iam.delete_user(UserName="shop-analyst")
    assert run("iam_user_key", _check=True, state="absent", **OPTIONS)["changed"]
    assert run("iam_user_key", state="absent", **OPTIONS)["changed"]
    assert account.kept() == {}
    assert not run("iam_user_key", state="absent", **OPTIONS)["changed"]
