"""The IAM role that a crawler takes on: whether Glue may, and what the role may then do."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from typing import Any

from moto.iam.access_control import IAMPolicy
from moto.iam.models import Role, iam_backends


class CrawlerRole:
    """A role by name or ARN, in one account."""

    def __init__(self, name_or_arn: str, account_id: str) -> None:
        self._name = name_or_arn
        self._account_id = account_id

    def _role(self) -> Role | None:
        name = self._name.rpartition("/")[2]
        roles = iam_backends[self._account_id]["aws"].roles.values()
        return next((role for role in roles if role.name == name), None)

    def problem(self) -> str:
        """Why Glue can't take the role on, or an empty string."""
        role = self._role()
        if role is None or "glue.amazonaws.com" not in str(role.assume_role_policy_document):
            return f"Service is unable to assume provided role {self._name}. Please verify role's TrustPolicy"
        return ""

    def may(self, action: str, resource: str) -> bool:
        """Whether the role's policies allow an action on a resource.

        Conditions are not judged: a statement with one counts as if it was met, or for a Deny as if it was not.
        """
        role = self._role()
        allowed = False
        for statement in self._statements(role) if role is not None else ():
            if not _concerns(statement, "Action", action) or not _concerns(statement, "Resource", resource):
                continue
            if statement["Effect"] == "Deny" and not statement.get("Condition"):
                return False
            allowed |= statement["Effect"] == "Allow"
        return allowed

    @staticmethod
    def _statements(role: Role) -> Iterator[dict[str, Any]]:
        documents = [json.loads(document) for document in role.policies.values()]
        documents += [IAMPolicy(policy)._policy_json for policy in role.managed_policies.values()]
        for document in documents:
            statements = document["Statement"]
            yield from statements if isinstance(statements, list) else [statements]


def _concerns(statement: dict[str, Any], element: str, value: str) -> bool:
    """IAM's wildcards are * and ?; actions are matched in any case, resources are not."""
    inverted = f"Not{element}" in statement
    patterns = statement.get(f"Not{element}" if inverted else element, [])
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if element == "Action":
        value, patterns = value.lower(), [pattern.lower() for pattern in patterns]
    matches = any(fnmatch.fnmatchcase(value, pattern.replace("[", "[[]")) for pattern in patterns)
    return matches != inverted
