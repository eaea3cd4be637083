"""IAM's lists show what was deleted a moment ago, while IAM already says of it that it does not exist.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import functools
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

from local_cloud.lag import Remembered
from local_cloud.moto_patch import wrap

# The call that deletes one, the call that finds one, the call that lists them and the list's name.
_KINDS = (
    ("delete_role", "get_role", "list_roles", "Roles"),
    ("delete_user", "get_user", "list_users", "Users"),
    ("delete_policy", "get_policy", "list_policies", "Policies"),
    ("delete_instance_profile", "get_instance_profile", "list_instance_profiles", "InstanceProfiles"),
)


_Deleted = Remembered[tuple[str, str], Any]
"""By account and ARN."""


def install() -> None:
    """Have moto's IAM lag."""
    for delete, get, listing, name in _KINDS:
        deleted: _Deleted = Remembered()
        wrap(IAMBackend, delete)(functools.partial(_delete, get, deleted))
        wrap(IamResponse, listing)(functools.partial(_list, name, deleted))


def _delete(get: str, deleted: _Deleted, backend: Any, of_moto: Any, name: str) -> None:
    found = getattr(backend, get)(name)
    of_moto(name)
    deleted.put((backend.account_id, found.arn), found)


def _list(name: str, deleted: _Deleted, response: IamResponse, of_moto: Any) -> ActionResult:
    result: dict[str, Any] = of_moto().result
    there = list(result[name])
    arns = {entry.arn for entry in there}
    gone = [held for (account, arn), held in deleted.items() if account == response.current_account and arn not in arns]
    return ActionResult({**result, name: there + gone})
