"""aws_budget creates a monthly budget with alarms to an address; the local cloud stores and refuses it as AWS does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.backends import get_backend
from moto.budgets.responses import BudgetsResponse
from tests.modules.conftest import Run

from local_cloud.api import budgets

ACCOUNT = "123456789012"
WANTED = {"name": "mine", "limit_usd": 50, "email": "me@example.com", "tags": {"Deployment": "mine"}}


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """AWS Budgets without a budget."""
    monkeypatch.setattr(BudgetsResponse, "create_budget", BudgetsResponse.create_budget)
    budgets.install()
    get_backend("budgets").reset()
    yield boto3.client(
        "budgets",
        "us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="local-cloud",
        aws_secret_access_key="local-cloud",
    )
    get_backend("budgets").reset()


def listed(aws: Any) -> list[tuple[str, float]]:
    found = aws.describe_budgets(AccountId=ACCOUNT).get("Budgets", [])
    return [(entry["BudgetName"], float(entry["BudgetLimit"]["Amount"])) for entry in found]


def test_a_budget_is_made_once_with_both_alarms(aws: Any, run: Run) -> None:
    assert run("aws_budget", _check=True, **WANTED)["changed"]
    assert listed(aws) == []
    made = run("aws_budget", **WANTED)
    assert listed(aws) == [("mine", 50.0)]
    alarms = {f"{kind} above 100 %": ["me@example.com"] for kind in ("ACTUAL", "FORECASTED")}
    assert made["budget"] == {"limit_usd": 50.0, "alarms": alarms, "tags": {"Deployment": "mine"}}
    assert not run("aws_budget", **WANTED)["changed"]


@pytest.mark.parametrize("change", [{"limit_usd": 60}, {"email": "you@example.com"}, {"tags": {"Deployment": "yours"}}])
def test_another_limit_address_or_tag_changes_it(aws: Any, run: Run, change: dict[str, Any]) -> None:
    run("aws_budget", **WANTED)
    assert run("aws_budget", **(WANTED | change))["changed"]
    assert not run("aws_budget", **(WANTED | change))["changed"]
    assert [name for name, _ in listed(aws)] == ["mine"]


def test_it_is_removed_once(aws: Any, run: Run) -> None:
    run("aws_budget", **WANTED)
    assert run("aws_budget", name="mine", state="absent")["changed"]
    assert listed(aws) == []
    assert not run("aws_budget", name="mine", state="absent")["changed"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": "a:b"}, "ValidationException"),
        ({"limit_usd": 0}, "InvalidParameterException"),
        ({"email": "nobody"}, "InvalidParameterException"),
    ],
)
def test_what_aws_refuses_is_said(aws: Any, run: Run, wrong: dict[str, Any], code: str) -> None:
    failed = run("aws_budget", **(WANTED | wrong))
    assert failed["failed"]
    assert code in failed["msg"]
    assert listed(aws) == []


def test_a_budget_that_is_not_there_has_no_subscribers(aws: Any) -> None:
    notification = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 100}
    with pytest.raises(ClientError, match="NotFoundException"):
        aws.describe_subscribers_for_notification(AccountId=ACCOUNT, BudgetName="x", Notification=notification)
