"""The form of a case of wrong input, and the cases about costs and about access to the instances."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """A wrong input, and the sentence that a person gets; `{files}` in both stands for the directory of wrong files."""

    name: str
    sentence: str
    wrong: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    playbook: str = "playbooks/cloud.yml"
    options: tuple[str, ...] = ()


MONEY = [
    Case(
        "a month above the budget",
        "and stock_market_monthly_budget_usd is 5.00; most of it: ",
        {"stock_market_monthly_budget_usd": 5},
    ),
    Case(
        "a budget that is no number",
        "stock_market_monthly_budget_usd is 'ten': it is a number of US dollars, such as 50, or empty for no limit.",
        {"stock_market_monthly_budget_usd": "ten"},
    ),
    Case(
        "an alarm without a budget",
        "an alarm needs an address, such as me@example.com, and a budget above 0.",
        {"stock_market_budget_email": "me@example.com"},
    ),
]

ACCESS = [
    Case(
        "an access that there is not",
        "stock_market_access is 'telnet': the instances are reached by ssh or by ssm (Session Manager).",
        {"stock_market_access": "telnet"},
    ),
    Case(
        "subnets that there are not",
        "stock_market_subnets is 'hidden': the instances' subnets are public or private.",
        {"stock_market_subnets": "hidden"},
    ),
    Case(
        "private subnets that nothing reaches",
        "stock_market_subnets is private, and stock_market_access is ssh: nothing outside reaches instances in private "
        "subnets, so SSH goes through Session Manager (STOCK_MARKET_ACCESS=ssm).",
        environment={"STOCK_MARKET_SUBNETS": "private"},
    ),
    Case(
        "a number of NAT gateways that there is not",
        "network_nat_gateways is 'two': private subnets share one NAT gateway (one) or have one in each zone "
        "(per_zone).",
        {"network_nat_gateways": "two"},
    ),
]

ALERTS = [
    Case(
        "alerts to a place that there is not",
        "monitoring_notify is none of the three forms that it can have: https://<host>/<path> for a webhook,",
        environment={"STOCK_MARKET_NOTIFY": "ops@example.org"},
    ),
    Case(
        "alerts by e-mail without a mail server",
        "Alerts by e-mail need the mail server as monitoring_smtp_host, <host>:<port>, and the sender's address as",
        {"monitoring_notify": "mailto:ops@example.org"},
    ),
    Case(
        "alerts to an SNS topic without a role",
        "but the instance that carries monitoring does not carry stock_consumer, so it has no role that could publish",
        {
            "monitoring_notify": "arn:aws:sns:us-east-1:123456789012:alerts",
            "stock_market_instances": [
                {
                    "name": "node-1",
                    "id": 1,
                    "type": "t3.small",
                    "zone": "us-east-1a",
                    "services": ["zookeeper", "kafka", "monitoring"],
                }
            ],
        },
    ),
    Case(
        "an option of monitoring that there is not",
        "The role monitoring has no option monitoring_retention (did you mean monitoring_retention_mb",
        {"monitoring_retention": 5},
    ),
]
