"""What the pages of IAM and of Parameter Store say of their requests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from moto.iam.models import iam_backends

from local_cloud.api.rules.rule import DOCS, Rule, Values, tag_rules
from local_cloud.settings import ACCOUNT_ID

_IAM_QUOTAS: Final = f"{DOCS}IAM/latest/UserGuide/reference_iam-quotas.html"


def _size(document: Any) -> int:
    """A policy's size as IAM counts it: white space is none of it."""
    text = document if isinstance(document, str) else json.dumps(document)
    return len(re.sub(r"\s", "", text))


def _policy_fits(limit: int) -> Callable[[Any, Values], bool]:
    return lambda value, _: _size(value) <= limit


def _inline_policies_fit(kind: str, limit: int) -> Callable[[Any, Values], bool]:
    """Whether the holder's inline policies, this one with them, are within the limit for all of them together."""

    def fit(document: str, values: Values) -> bool:
        backend = iam_backends[ACCOUNT_ID]["aws"]
        holders: Iterable[Any] = backend.roles.values() if kind == "RoleName" else backend.users.values()
        holder = next((one for one in list(holders) if one.name == values.get(kind)), None)
        held: Mapping[str, Any] = holder.policies if holder is not None else {}
        others = sum(_size(text) for name, text in list(held.items()) if name != values.get("PolicyName"))
        return others + _size(document) <= limit

    return fit


_quota: Final = partial(Rule, source=_IAM_QUOTAS, service="iam", code="LimitExceeded", status="409 Conflict")
_RULES_OF_IAM: Final = (
    _quota(
        "iam inline policies of a role",
        ("PutRolePolicy",),
        "PolicyDocument",
        _inline_policies_fit("RoleName", 10_240),
        "Maximum policy size of 10240 bytes exceeded for the role",
    ),
    _quota(
        "iam inline policies of a user",
        ("PutUserPolicy",),
        "PolicyDocument",
        _inline_policies_fit("UserName", 2_048),
        "Maximum policy size of 2048 bytes exceeded for the user",
    ),
    _quota(
        "iam managed policy",
        ("CreatePolicy", "CreatePolicyVersion"),
        "PolicyDocument",
        _policy_fits(6_144),
        "Cannot exceed quota for PolicySize: 6144",
    ),
    _quota(
        "iam trust policy",
        ("CreateRole", "UpdateAssumeRolePolicy"),
        "AssumeRolePolicyDocument || PolicyDocument",
        _policy_fits(2_048),
        "Cannot exceed quota for ACLSizePerRole: 2048",
    ),
    *tag_rules("iam", "Tags[].Key", "InvalidInput", f"{DOCS}IAM/latest/UserGuide/id_tags.html"),
)

_PARAMETER_NAME: Final = f"{DOCS}systems-manager/latest/APIReference/API_PutParameter.html"
_rule: Final = partial(Rule, operations=("PutParameter",), service="ssm", code="ValidationException")
_name: Final = partial(_rule, look="Name", source=_PARAMETER_NAME)
_RULES_OF_SSM: Final = (
    _name(
        "ssm parameter name",
        holds=lambda value, _: re.fullmatch(r"[a-zA-Z0-9_.\-/]{1,1011}", value) is not None,
        message="Parameter name '{value}': only a mix of letters, numbers and . - _ / is allowed, "
        "up to 1011 characters.",
    ),
    _name(
        "ssm parameter name that is reserved",
        holds=lambda value, _: not value.lower().lstrip("/").startswith(("aws", "ssm")),
        message='Parameter name \'{value}\': can\'t be prefixed with "aws" or "ssm" (case-insensitive).',
    ),
    _name(
        "ssm parameter depth",
        holds=lambda value, _: value.strip("/").count("/") < 15,
        message="Hierarchy depth exceeds the maximum of 15 levels for {value}.",
        code="HierarchyLevelLimitExceededException",
    ),
    _rule(
        "ssm parameter value",
        look="Value",
        holds=lambda value, values: values.get("Tier", "Standard") != "Standard" or len(value.encode()) <= 4096,
        message="Standard tier parameters support a maximum parameter value of 4096 characters.",
        source=f"{DOCS}systems-manager/latest/userguide/parameter-store-advanced-parameters.html",
    ),
    *tag_rules("ssm", "Tags[].Key", "ValidationException", _PARAMETER_NAME),
)

RULES: Final = (*_RULES_OF_IAM, *_RULES_OF_SSM)
