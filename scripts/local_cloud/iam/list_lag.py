"""IAM's lists show what was deleted a moment ago, while IAM already says of it that it does not exist.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

from local_cloud.lag import Remembered
from local_cloud.moto_patch import replace

# The call that deletes one, the call that finds one, the call that lists them and the list's name.
_KINDS = (
    ("delete_role", "get_role", "list_roles", "Roles"),
    ("delete_user", "get_user", "list_users", "Users"),
    ("delete_policy", "get_policy", "list_policies", "Policies"),
    ("delete_instance_profile", "get_instance_profile", "list_instance_profiles", "InstanceProfiles"),
)


def install() -> None:
    """Have moto's IAM lag."""
    for delete, get, listing, name in _KINDS:
        deleted: Remembered[tuple[str, str], Any] = Remembered()
        replace(IAMBackend, delete, _remembering(getattr(IAMBackend, delete), get, deleted))
        replace(IamResponse, listing, _listing(getattr(IamResponse, listing), name, deleted))


def _remembering(
    delete_of_moto: Callable[..., None], get: str, deleted: Remembered[tuple[str, str], Any]
) -> Callable[..., None]:
    @functools.wraps(delete_of_moto)
    def delete(self: Any, name: str, *args: Any, **options: Any) -> None:
        found = getattr(self, get)(name)
        delete_of_moto(self, name, *args, **options)
        deleted.put((self.account_id, found.arn), found)

    return delete


def _listing(
    list_of_moto: Callable[..., ActionResult], name: str, deleted: Remembered[tuple[str, str], Any]
) -> Callable[..., ActionResult]:
    @functools.wraps(list_of_moto)
    def listing(self: IamResponse) -> ActionResult:
        answer = list_of_moto(self)
        result: dict[str, Any] = answer.result  # type: ignore[assignment]  # moto declares a result of any kind
        there = list(result[name])
        arns = {entry.arn for entry in there}
        gone = [held for (account, arn), held in deleted.items() if account == self.current_account and arn not in arns]
        return ActionResult({**result, name: there + gone})

    return listing
