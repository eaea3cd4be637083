"""What moto's IAM leaves out of users."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse


def _list_service_specific_credentials(self: IamResponse) -> ActionResult:
    """None can be made here, so there are none; of a user who does not exist moto says so."""
    self.backend.get_user(self._get_param("UserName"))
    return ActionResult({"ServiceSpecificCredentials": []})


def install() -> None:
    """Puts it into moto's IAM."""
    IamResponse.list_service_specific_credentials = _list_service_specific_credentials  # type: ignore[attr-defined]  # moto's own is replaced, or has no types
