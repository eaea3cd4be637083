#!/usr/bin/python
"""Ansible module: a monthly cost budget of AWS Budgets, with alarms to an address."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.iam import get_aws_account_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: aws_budget
short_description: Have a monthly budget of the account with alarms by mail
description:
  - The budget is of all that the account costs. AWS can tell a deployment's share only by a tag that somebody has
    activated as a cost allocation tag, and a budget over a tag that is not active never alarms.
  - AWS mails when the month's actual cost passes the limit, and when the forecast does.
  - A budget that differs is made again, as its history tells nothing of the new limit.
options:
  name:
    description: The budget's name, unique in the account.
    type: str
    required: true
  state:
    description: Whether there is to be one.
    type: str
    choices: [present, absent]
    default: present
  limit_usd:
    description: The limit of a month in US dollars; required where there is to be one.
    type: float
  email:
    description: Who gets the alarms; required where there is to be one.
    type: str
  tags:
    description: The budget's tags.
    type: dict
    default: {}
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.manages]
"""

EXAMPLES = r"""
- name: Have an alarm above 50 dollars a month
  stock_market.streaming.aws_budget:
    name: stock-market
    limit_usd: 50
    email: me@example.com
"""

RETURN = r"""
budget: {description: The budget as it is now; empty when it is absent., returned: always, type: dict}
"""

KINDS = ("ACTUAL", "FORECASTED")


class AccountBudget:
    """One budget, as it is and as it should be."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.params: dict[str, Any] = module.params
        self.client = module.client("budgets", retry_decorator=AWSRetry.jittered_backoff())
        account, partition = get_aws_account_info(module)
        self.key = {"AccountId": account, "BudgetName": self.params["name"]}
        self.arn = f"arn:{partition}:budgets::{account}:budget/{self.params['name']}"

    def current(self) -> dict[str, Any]:
        """The budget as AWS has it, empty if there is none."""
        try:
            found = self.client.describe_budget(**self.key, aws_retry=True)["Budget"]
        except is_boto3_error_code("NotFoundException"):
            return {}
        notifications = self.client.describe_notifications_for_budget(**self.key, aws_retry=True)["Notifications"]
        alarms: dict[str, list[str]] = {}
        for told in notifications:
            names = ("NotificationType", "ComparisonOperator", "Threshold", "ThresholdType")
            asked = {name: told[name] for name in names if name in told}
            answer = self.client.describe_subscribers_for_notification(**self.key, Notification=asked, aws_retry=True)
            kind = f"{told['NotificationType']} above {float(told['Threshold']):g} %"
            alarms[kind] = sorted(subscriber["Address"] for subscriber in answer["Subscribers"])
        tags = self.client.list_tags_for_resource(ResourceARN=self.arn, aws_retry=True)["ResourceTags"]
        return {
            "limit_usd": float(found["BudgetLimit"]["Amount"]),
            "alarms": alarms,
            "tags": boto3_tag_list_to_ansible_dict(tags),
        }

    def wanted(self) -> dict[str, Any]:
        """The budget as it should be."""
        if self.params["state"] == "absent":
            return {}
        return {
            "limit_usd": float(self.params["limit_usd"]),
            "alarms": {f"{kind} above 100 %": [self.params["email"]] for kind in KINDS},
            "tags": {key: str(value) for key, value in self.params["tags"].items()},
        }

    def write(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        """Remove the one that is there, and make the one that is asked for."""
        if current:
            self.client.delete_budget(**self.key, aws_retry=True)
        if not wanted:
            return
        subscriber = {"SubscriptionType": "EMAIL", "Address": self.params["email"]}
        condition: dict[str, Any] = {
            "ComparisonOperator": "GREATER_THAN",
            "Threshold": 100.0,
            "ThresholdType": "PERCENTAGE",
        }
        self.client.create_budget(
            AccountId=self.key["AccountId"],
            Budget={
                "BudgetName": self.params["name"],
                "BudgetType": "COST",
                "TimeUnit": "MONTHLY",
                "BudgetLimit": {"Amount": f"{wanted['limit_usd']:.2f}", "Unit": "USD"},
            },
            NotificationsWithSubscribers=[
                {"Notification": condition | {"NotificationType": kind}, "Subscribers": [subscriber]} for kind in KINDS
            ],
            ResourceTags=ansible_dict_to_boto3_tag_list(wanted["tags"]),
            aws_retry=True,
        )


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Bring the budget to the state that is asked for; return the module's result."""
    budget = AccountBudget(module)
    current, wanted = budget.current(), budget.wanted()
    if current != wanted and not module.check_mode:
        budget.write(current, wanted)
    return {"changed": current != wanted, "budget": wanted, "diff": {"before": current, "after": wanted}}


def main() -> None:
    failure = "The budget could not be made as it is declared"
    aws.run_module(DOCUMENTATION, run, failure, required_if=[("state", "present", ("limit_usd", "email"))])


if __name__ == "__main__":
    main()
