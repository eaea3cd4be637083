"""AWS Budgets: tags, subscribers and refusals that moto leaves out.

Nothing costs anything here, so no alarm is ever due.
"""

from __future__ import annotations

import json
from typing import Any

from moto.budgets.exceptions import NotFoundException
from moto.budgets.models import Budget
from moto.budgets.responses import BudgetsResponse
from moto.core.exceptions import JsonRESTError

from local_cloud.moto_patch import wrap

_TAGS = "stock_market_tags"


def _refuse(message: str) -> JsonRESTError:
    return JsonRESTError("InvalidParameterException", message)


def _budget(response: BudgetsResponse, account_id: str, name: str) -> Budget:
    found = response.backend.budgets[account_id].get(name)
    if found is None:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    return found


def _check(budget: dict[str, Any], notifications: list[dict[str, Any]]) -> None:
    """The rules of https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_CreateBudget.html"""
    limit = budget.get("BudgetLimit") or {}
    if float(limit.get("Amount", 0)) <= 0:
        raise _refuse("Budget limit must be positive.")
    for entry in notifications:
        for subscriber in entry["Subscribers"]:
            if subscriber["SubscriptionType"] == "EMAIL" and "@" not in subscriber["Address"]:
                raise _refuse(f"Invalid email address: {subscriber['Address']}")


def install() -> None:
    """Have moto keep and tell them."""

    @wrap(BudgetsResponse, "create_budget")
    def create_budget(self: BudgetsResponse, of_moto: Any) -> Any:
        budget = self._get_param("Budget")
        _check(budget, self._get_param("NotificationsWithSubscribers", []))
        answer = of_moto()
        made = _budget(self, self._get_param("AccountId"), budget["BudgetName"])
        setattr(made, _TAGS, self._get_param("ResourceTags", []))
        return answer

    def describe_subscribers(self: BudgetsResponse) -> str:
        found = _budget(self, self._get_param("AccountId"), self._get_param("BudgetName"))
        wanted = self._get_param("Notification")
        for notification in found.notifications:
            if all(notification.details.get(key) == value for key, value in wanted.items()):
                return json.dumps({"Subscribers": notification.subscribers})
        raise NotFoundException("Unable to find the notification.")

    def list_tags(self: BudgetsResponse) -> str:
        _, _, _, _, account_id, resource = str(self._get_param("ResourceARN")).split(":", 5)
        found = _budget(self, account_id, resource.removeprefix("budget/"))
        return json.dumps({"ResourceTags": getattr(found, _TAGS, [])})

    # moto has no such calls; its dispatcher finds these by their names.
    added: Any = BudgetsResponse
    added.describe_subscribers_for_notification = describe_subscribers
    added.list_tags_for_resource = list_tags
