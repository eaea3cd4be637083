"""The Condition element of a policy statement, for the operators and keys that the local cloud can judge.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

KEYS = frozenset(
    {
        *("aws:calledvia", "aws:principalaccount", "aws:principalarn", "aws:requestedregion", "aws:securetransport"),
        *("aws:sourceaccount", "aws:sourceip", "aws:username", "s3:delimiter", "s3:max-keys", "s3:prefix"),
        *("s3:if-none-match", "s3:objectcreationoperation"),
        *("aws:tagkeys", "ec2:createaction", "iam:passedtoservice", "iam:policyarn"),
    }
)
"""The keys that a request here carries where AWS's would. Another key is none that is absent, but one not known."""

_BY_TAG = ("aws:requesttag/", "aws:resourcetag/")
_MULTIPLE = frozenset({"aws:calledvia", "aws:tagkeys"})
_QUANTIFIERS = ("ForAnyValue:", "ForAllValues:")


class UnsupportedPolicyError(Exception):
    """A policy says what the local cloud can't judge; the text names it."""


def _like(value: str, wanted: str) -> bool:
    return fnmatch.fnmatchcase(value, wanted.replace("[", "[[]"))


def _same_bool(value: str, wanted: str) -> bool:
    return value.lower() == wanted.lower()


def _within(value: str, wanted: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


_OPERATORS: Mapping[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (str.__eq__, False),
    "StringNotEquals": (str.__eq__, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_like, False),
    "ArnLike": (_like, False),
    "ArnNotEquals": (_like, True),
    "ArnNotLike": (_like, True),
    "Bool": (_same_bool, False),
    "IpAddress": (_within, False),
    "NotIpAddress": (_within, True),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key."""

    operator: str
    quantifier: str
    if_exists: bool
    key: str
    wanted: tuple[str, ...]

    def is_met(self, context: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether the request's context meets it.

        A key that is absent meets no positive operator and every negated one, as in AWS; `Null` asks for just that.
        """
        values = context.get(self.key)
        if self.operator == "Null":
            return any(_same_bool(str(values is None), wanted) for wanted in self.wanted)
        compare, negated = _OPERATORS[self.operator]
        if values is None:
            return self.if_exists or negated or self.quantifier == "ForAllValues:"

        def holds(value: str) -> bool:
            return any(compare(value, wanted) for wanted in self.wanted) != negated

        return all(map(holds, values)) if self.quantifier == "ForAllValues:" else any(map(holds, values))


def read(conditions: Mapping[str, Mapping[str, Any]]) -> tuple[Condition, ...]:
    """The conditions of a statement; all of them have to be met.

    Raises:
        UnsupportedPolicyError: for an operator, a key or a policy variable that is not judged here.
    """
    return tuple(
        _condition(operator, key, values) for operator, block in conditions.items() for key, values in block.items()
    )


def _condition(operator: str, key: str, values: Any) -> Condition:
    quantifier = next((prefix for prefix in _QUANTIFIERS if operator.startswith(prefix)), "")
    name = operator.removeprefix(quantifier)
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name not in _OPERATORS and name != "Null":
        raise UnsupportedPolicyError(f"the condition operator {operator}")
    if key.lower() not in KEYS and not key.lower().startswith(_BY_TAG):
        raise UnsupportedPolicyError(f"the condition key {key}")
    if bool(quantifier) != (key.lower() in _MULTIPLE) and name != "Null":
        raise UnsupportedPolicyError(f"{operator} with the condition key {key}")
    listed = values if isinstance(values, list) else [values]
    wanted = tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in listed)
    for value in wanted:
        if "${" in value:
            raise UnsupportedPolicyError(f"the policy variable in {value}")
    return Condition(name, quantifier, if_exists, key.lower(), wanted)
