"""IAM's calls that moto does not have.

SimulatePrincipalPolicy tells whether a user's or a role's own policies allow some actions on some resources:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
Policies that come with the request are not served: the question here is what somebody may do today.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import IAMException, InvalidInput
from moto.iam.responses import IamResponse

from local_cloud.iam.callers import Caller, find_principal
from local_cloud.iam.policy import Decision, decide

_DECISIONS = {Decision.ALLOW: "allowed", Decision.DENY: "explicitDeny", Decision.SILENT: "implicitDeny"}
_OTHER_INPUT = (
    *("CallerArn", "PermissionsBoundaryPolicyInputList", "PolicyExclusionList", "PolicyInputList"),
    *("ResourceHandlingOption", "ResourceOwner", "ResourcePolicy"),
)
_MAX_RESULTS = 100


def _principal(arn: str) -> Caller:
    """The user or role; sessions and the account itself have no policies of their own (newrelic-lambda-cli#96)."""
    if not arn.startswith("arn:aws:iam::") or arn.split(":", 5)[5].partition("/")[0] not in {"user", "role"}:
        raise InvalidInput(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    found = find_principal(arn)
    if found is None:
        raise IAMException("NoSuchEntity", f"The entity with ARN {arn} cannot be found.")
    return found


def _evaluation(caller: Caller, action: str, resources: list[str], context: Mapping[str, tuple[str, ...]]) -> Any:
    if ":" not in action or "*" in action:
        raise InvalidInput(f"Invalid Action Name: {action}")
    judged = {one: decide(caller.statements(), caller.request(action, one, context)) for one in resources}
    found = set(judged.values())
    decision = next((one for one in (Decision.DENY, Decision.SILENT) if one in found), Decision.ALLOW)
    told = {"EvalActionName": action, "EvalDecision": _DECISIONS[decision], "MatchedStatements": []}
    if resources == ["*"]:
        return {**told, "EvalResourceName": "*"}
    each = [
        {"EvalResourceName": one, "EvalResourceDecision": _DECISIONS[told], "MatchedStatements": []}
        for one, told in judged.items()
    ]
    return {**told, "EvalResourceName": resources[0], "ResourceSpecificResults": each}


def _simulate(response: IamResponse) -> ActionResult:
    for name in _OTHER_INPUT:
        if response._get_param(name):
            raise NotImplementedError(f"SimulatePrincipalPolicy with {name}")
    caller = _principal(str(response._get_param("PolicySourceArn")))
    actions = [str(action) for action in response._get_param("ActionNames")]
    resources = [str(resource) for resource in response._get_param("ResourceArns") or ["*"]]
    context = {
        str(entry["ContextKeyName"]).lower(): tuple(str(value) for value in entry.get("ContextKeyValues", []))
        for entry in response._get_param("ContextEntries") or []
    }
    first, most = int(response._get_param("Marker") or 0), int(response._get_param("MaxItems") or _MAX_RESULTS)
    page = [_evaluation(caller, action, resources, context) for action in actions[first : first + most]]
    rest = first + most if first + most < len(actions) else None
    more = {"Marker": str(rest)} if rest is not None else {}
    return ActionResult({"EvaluationResults": page, "IsTruncated": rest is not None, **more})


def _list_service_specific_credentials(response: IamResponse) -> ActionResult:
    """None can be made here, so there are none; of a user who does not exist moto says so."""
    response.backend.get_user(response._get_param("UserName"))
    return ActionResult({"ServiceSpecificCredentials": []})


def install() -> None:
    """Let moto's IAM serve them; its dispatcher finds them by their names."""
    added: Any = IamResponse
    added.simulate_principal_policy = _simulate
    added.list_service_specific_credentials = _list_service_specific_credentials
