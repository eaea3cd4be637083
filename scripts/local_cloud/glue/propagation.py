"""What Glue answers while a role that IAM has just made, or its policies, have not reached it.

The words are AWS's, as Terraform's aws_glue_crawler waits for them to pass (internal/service/glue/crawler.go) and as
cdkd's fixtures have recorded them.
"""

from __future__ import annotations

import functools
from typing import Any

from moto.iam.models import Role
from moto.iam.responses import IamResponse

from local_cloud import lag
from local_cloud.moto_patch import wrap
from local_cloud.settings import ACCOUNT_ID

_CALLS = {
    "trust": ("create_role", "update_assume_role_policy"),
    "rights": ("put_role_policy", "attach_role_policy"),
}


class Lag:
    """How long each part takes to reach Glue, in seconds; nothing lags with 0.

    Attributes:
        trust: the role and its trust policy, counted from their last change.
        rights: the role's policies, counted from their last change; Lake Formation's view of them comes last.
    """

    trust = 0.0
    rights = 0.0


_changed: dict[tuple[str, str], float] = {}


def _age(role: Role, part: str) -> float:
    return lag.clock() - _changed.get((role.name, part), float("-inf"))


def refusals(role: Role, database: str) -> list[tuple[float, str]]:
    """For each of Glue's refusals of a new role: how long it still holds, in seconds, and its words.

    They come in the order in which the parts are needed: to take the role on, to use its session, to be allowed to,
    and to be granted the database by Lake Formation.
    """
    trust, rights = Lag.trust - _age(role, "trust"), Lag.rights - _age(role, "rights")
    session = f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role.name}/AWS-Crawler"
    unknown_role = f"Service is unable to assume provided role {role.arn}. Please verify role's TrustPolicy"
    closed = (
        "com.amazonaws.services.glue.model.AccessDeniedException: You need to enable AWS Security Token Service for "
        f"this region. Service is unable to assume the role {role.arn} to access null. "
        "Please verify the role's TrustPolicy."
    )
    unknown_session = (
        "The security token included in the request is invalid. (Service: AmazonDataCatalog; Status Code: 400; "
        "Error Code: UnrecognizedClientException)"
    )
    no_right = (
        f"User: {session} is not authorized to perform: glue:GetDatabase on resource: * "
        "(Service: AmazonDataCatalog; Status Code: 400; Error Code: AccessDeniedException)"
    )
    no_grant = f"Insufficient Lake Formation permission(s): Required Describe on {database}"
    return [
        (trust - Lag.trust / 2, unknown_role),
        (trust, closed),
        (rights - Lag.rights * 2 / 3, unknown_session),
        (rights - Lag.rights / 3, no_right),
        (rights, no_grant),
    ]


def problem(role: Role, database: str) -> str:
    """Why Glue can't use the role yet, in AWS's words; empty once it can."""
    return next((words for seconds, words in refusals(role, database) if seconds > 0), "")


def _note(part: str, response: IamResponse, of_moto: Any) -> Any:
    result = of_moto()
    _changed[response._get_param("RoleName"), part] = lag.clock()
    return result


def install(trust: float = 2.0, rights: float = 9.0) -> None:
    """Lets changes of roles reach Glue late, as on AWS. It is for a process that calls it once."""
    Lag.trust, Lag.rights = trust, rights
    for part, names in _CALLS.items():
        for name in names:
            wrap(IamResponse, name)(functools.partial(_note, part))
