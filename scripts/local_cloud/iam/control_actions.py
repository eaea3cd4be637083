"""Which actions a call is, on which resources, for the calls that make, change and remove a deployment.

IAM, Parameter Store, Budgets, and the services that are only asked.
Resource types and condition keys are those of AWS's Service Authorization Reference, a page a service:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.iam.models import iam_backends
from moto.ssm.models import ssm_backends

from local_cloud.iam.check import Check, form_tags, listed_tags, passed_role, tag_conditions
from local_cloud.settings import ACCOUNT_ID

Parameters = Mapping[str, Any]

# IAM's parameters that name what a call is about, and the kind in the ARN. The first that is there counts.
_IAM_NAMES = (
    ("InstanceProfileName", "instance-profile"),
    ("RoleName", "role"),
    ("UserName", "user"),
    ("PolicyName", "policy"),
)
_IAM_LISTS = frozenset(
    {
        *("ListRoles", "ListUsers", "ListPolicies", "ListInstanceProfiles"),
        *("ListAccountAliases", "GetAccountSummary"),
    }
)
_ASKED_ONLY = {"tagging": "tag", "lakeformation": "lakeformation"}
# The names of Budgets' rights are not those of its calls; every other call is ViewBudget.
_BUDGETS = {
    "CreateBudget": "ModifyBudget",
    "DeleteBudget": "ModifyBudget",
    "ListTagsForResource": "ListTagsForResource",
}


def checks_of(service: str, action: str, parameters: Parameters, region: str) -> list[Check] | None:
    """All that has to be allowed for a call; None if that is not known here."""
    match service:
        case "iam":
            return _iam(action, parameters)
        case "ssm":
            return _ssm(action, parameters, region)
        case "budgets":
            return _budgets(action, parameters)
        case "tagging" | "lakeformation" if action.startswith(("Get", "List")):
            return [Check(f"{_ASKED_ONLY[service]}:{action}", "*")]
    return None


def _iam(action: str, form: Parameters) -> list[Check] | None:
    prefix = f"arn:aws:iam::{ACCOUNT_ID}"
    asked = dict(form_tags(form, "Tags.member."))
    if action in _IAM_LISTS:
        return [Check(f"iam:{action}", "*")]
    if action in {"SimulatePrincipalPolicy", "GetContextKeysForPrincipalPolicy"}:
        return [Check(f"iam:{action}", str(form.get("PolicySourceArn")))]
    if action in {"AttachRolePolicy", "DetachRolePolicy", "AttachUserPolicy", "DetachUserPolicy"}:
        kind = "Role" if "Role" in action else "User"
        arn = f"{prefix}:{kind.lower()}/{form.get(f'{kind}Name')}"
        return [Check(f"iam:{action}", arn, {"iam:policyarn": (str(form.get("PolicyArn")),)})]
    if "PolicyArn" in form:
        arn = str(form["PolicyArn"])
        policy: Any = iam_backends[ACCOUNT_ID]["aws"].managed_policies.get(arn)
        own = {key: tag["Value"] for key, tag in policy.tags.items()} if policy is not None else {}
        return [Check(f"iam:{action}", arn, tag_conditions(own, asked))]
    for name, kind in _IAM_NAMES:
        if name in form and (kind != "policy" or action == "CreatePolicy"):
            arn = f"{prefix}:{kind}/{form[name]}"
            checks = [Check(f"iam:{action}", arn, tag_conditions({}, asked))]
            if asked and action.startswith("Create"):  # tags at creation need the right to tag
                tagging = f"iam:Tag{action.removeprefix('Create')}"
                checks.append(Check(tagging, arn, tag_conditions({}, asked)))
            if action == "AddRoleToInstanceProfile":
                checks.append(passed_role(str(form.get("RoleName")), "ec2.amazonaws.com"))
            return checks
    return None


def _ssm(action: str, parameters: Parameters, region: str) -> list[Check] | None:
    if action == "DescribeParameters":
        return [Check("ssm:DescribeParameters", "*")]
    named = [parameters.get(key) for key in ("Name", "Path", "ResourceId") if parameters.get(key)]
    names = [str(name) for name in [*named, *(parameters.get("Names") or [])]]
    if not names:
        return None
    asked = listed_tags(parameters.get("Tags"))
    backend: Any = ssm_backends[ACCOUNT_ID][region]
    checks = []
    for name in names:
        own = dict(backend._resource_tags.get("Parameter", {}).get(name, {}))
        arn = f"arn:aws:ssm:{region}:{ACCOUNT_ID}:parameter/{name.strip('/')}"
        checks.append(Check(f"ssm:{action}", arn, tag_conditions(own, asked)))
    if action == "PutParameter" and asked:
        checks.append(Check("ssm:AddTagsToResource", checks[0].resource, checks[0].context))
    return checks


def _budgets(action: str, parameters: Parameters) -> list[Check]:
    name = parameters.get("BudgetName") or (parameters.get("Budget") or {}).get("BudgetName") or "*"
    arn = str(parameters.get("ResourceARN") or f"arn:aws:budgets::{ACCOUNT_ID}:budget/{name}")
    checks = [Check(f"budgets:{_BUDGETS.get(action, 'ViewBudget')}", arn)]
    asked = listed_tags(parameters.get("ResourceTags"))
    return [*checks, Check("budgets:TagResource", arn, tag_conditions({}, asked))] if asked else checks
