"""IAM's policy language: whether the statements of a document allow or deny a request.

moto's own evaluation takes every resource for the same, no condition into account and no bucket policy, so this one
takes its place. The rules are those of AWS's documentation:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

What is not judged here is refused by `check` when the document comes in, by name: policy variables, and condition
operators and keys beyond those of `iam_conditions`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

from local_cloud.iam import conditions as iam_conditions
from local_cloud.iam.conditions import UnsupportedPolicyError

Context = Mapping[str, tuple[str, ...]]
"""The request's condition keys, in lower case, with their values; a key that the request does not have is absent."""

__all__ = ["Context", "Decision", "Request", "Statement", "UnsupportedPolicyError", "check", "decide", "statements_of"]


class Decision(Enum):
    """What a set of statements says to a request."""

    ALLOW = "allow"
    DENY = "deny"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Request:
    """One action on one resource.

    `principals` are the names under which a resource's policy may mean the caller: ARNs, the account's id, or a
    service's name such as ``glue.amazonaws.com``.
    """

    action: str
    resource: str
    context: Context = field(default_factory=dict)
    principals: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def pattern_of(text: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """IAM's wildcards: ``*`` is any text, ``?`` any one character, all else is itself."""
    parts = [{"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", text)]
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, read. An empty tuple of patterns is an element that the statement does not have."""

    allows: bool
    actions: tuple[re.Pattern[str], ...]
    actions_inverted: bool
    resources: tuple[re.Pattern[str], ...]
    resources_inverted: bool
    principals: tuple[re.Pattern[str], ...]
    principals_inverted: bool
    conditions: tuple[iam_conditions.Condition, ...]

    def concerns_action(self, action: str) -> bool:
        """Whether the statement speaks of the action, on whatever resource and condition."""
        return _matches(self.actions, action) != self.actions_inverted

    def concerns(self, request: Request) -> bool:
        """Whether the statement speaks of the request."""
        if not self.concerns_action(request.action):
            return False
        if self.resources and _matches(self.resources, request.resource) == self.resources_inverted:
            return False
        if self.principals:
            named = any(_matches(self.principals, name) for name in request.principals)
            if named == self.principals_inverted:
                return False
        return all(condition.is_met(request.context) for condition in self.conditions)


def _matches(patterns: tuple[re.Pattern[str], ...], text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in patterns)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or ()]


def _element(statement: Mapping[str, Any], name: str) -> tuple[list[str], bool]:
    inverted = f"Not{name}" in statement
    return _listed(statement.get(f"Not{name}" if inverted else name)), inverted


def _principals(statement: Mapping[str, Any]) -> tuple[tuple[re.Pattern[str], ...], bool]:
    inverted = "NotPrincipal" in statement
    given = statement.get("NotPrincipal" if inverted else "Principal")
    if given is None:
        return (), False
    if given == "*":
        return (pattern_of("*"),), inverted
    names: list[str] = []
    for kind, values in given.items():
        if kind not in {"AWS", "Service"}:
            raise UnsupportedPolicyError(f"the principal {kind}")
        for value in _listed(values):
            if kind == "AWS" and value.endswith(":root") and value.startswith("arn:"):
                names.append(value.split(":")[4])  # the account, however its id is written
            elif value != "*" and ("*" in value or "?" in value):
                raise UnsupportedPolicyError(f"the principal {value}: a wildcard stands there for everybody only")
            else:
                names.append(value)
    return tuple(pattern_of(name) for name in names), inverted


def _read(statement: Mapping[str, Any]) -> Statement:
    actions, actions_inverted = _element(statement, "Action")
    resources, resources_inverted = _element(statement, "Resource")
    for text in resources:
        if "${" in text:
            raise UnsupportedPolicyError(f"the policy variable in {text}")
    principals, principals_inverted = _principals(statement)
    return Statement(
        allows=statement["Effect"] == "Allow",
        actions=tuple(pattern_of(action, ignore_case=True) for action in actions),
        actions_inverted=actions_inverted,
        resources=tuple(pattern_of(resource) for resource in resources),
        resources_inverted=resources_inverted,
        principals=principals,
        principals_inverted=principals_inverted,
        conditions=iam_conditions.read(statement.get("Condition") or {}),
    )


@lru_cache(maxsize=256)
def statements_of(document: str) -> tuple[Statement, ...]:
    """The statements of a policy document, as JSON text.

    Raises:
        UnsupportedPolicyError: if one of them says what the local cloud can't judge.
    """
    statements = json.loads(document)["Statement"]
    return tuple(_read(statement) for statement in ([statements] if isinstance(statements, dict) else statements))


def check(document: str) -> None:
    """Whether a document is one that can be judged; what is no policy at all is left for moto to refuse.

    Raises:
        UnsupportedPolicyError: if it is not.
    """
    try:
        statements_of(document)
    except (ValueError, KeyError, TypeError, AttributeError):
        return


def decide(statements: Iterable[Statement], request: Request) -> Decision:
    """A Deny wins over every Allow."""
    decision = Decision.SILENT
    for statement in statements:
        if statement.concerns(request):
            if not statement.allows:
                return Decision.DENY
            decision = Decision.ALLOW
    return decision
