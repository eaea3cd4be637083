"""What AWS's pages say of a request and its model does not: each rule with the page that states it.

A rule looks at one request; what depends on what is in the account (a name that is taken, a quota) is moto's.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from local_cloud.api.errors import Refusal
from local_cloud.api.request_input import OperationInput
from local_cloud.api.rules import catalog, ec2, iam, s3
from local_cloud.api.rules.rule import Rule

RULES: Final = (*ec2.RULES, *iam.RULES, *s3.RULES, *catalog.RULES)


@cache
def _rules_for(service: str, operation: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if rule.service == service and operation in (rule.operations or (operation,)))


def refusal(found: OperationInput) -> Refusal | None:
    """The answer to a request that a rule excludes, None if all take it."""
    for rule in _rules_for(found.service, found.operation):
        value = rule.wrong(found.values)
        if value is not None:
            return Refusal(rule.status, rule.code, rule.message.format(value=value))
    return None
