"""Athena's workgroups for moto: what its own records leave out of updating, disabling and deleting them."""

from __future__ import annotations

import time
from typing import Any

from moto.athena.models import AthenaBackend, WorkGroup
from moto.core.exceptions import JsonRESTError

_REMOVALS = {
    "RemoveOutputLocation": "OutputLocation",
    "RemoveEncryptionConfiguration": "EncryptionConfiguration",
    "RemoveExpectedBucketOwner": "ExpectedBucketOwner",
    "RemoveAclConfiguration": "AclConfiguration",
}


def invalid_request(message: str) -> JsonRESTError:
    """The error that Athena answers to whatever it won't do."""
    return JsonRESTError("InvalidRequestException", message)


def find(backend: AthenaBackend, name: str) -> WorkGroup:
    """A workgroup.

    Raises:
        JsonRESTError: InvalidRequestException if there is none of that name.
    """
    if name not in backend.work_groups:
        raise invalid_request(f"WorkGroup {name} is not found.")
    return backend.work_groups[name]


def created(group: WorkGroup) -> float:
    """When a workgroup was made, in seconds since 1970: moto tells the time of the question.

    The account's own workgroup, `primary`, is made when somebody first looks at it.
    """
    moment: float = vars(group).setdefault("created", time.time())
    return moment


def check(configuration: dict[str, Any]) -> None:
    """Refuses a configuration with an output location that is none.

    Raises:
        JsonRESTError: InvalidRequestException.
    """
    location = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    if location is not None and not location.startswith("s3://"):
        raise invalid_request(f"outputLocation is not a valid S3 path: {location}")


def update(group: WorkGroup, request: dict[str, Any]) -> None:
    """What UpdateWorkGroup asks for: only the fields that are given change."""
    if request.get("Description") is not None:
        group.description = request["Description"]
    updates = dict(request.get("ConfigurationUpdates") or {})
    result_updates = dict(updates.pop("ResultConfigurationUpdates", None) or {})
    result = dict(group.configuration.get("ResultConfiguration") or {})
    for removal, field in _REMOVALS.items():
        if result_updates.pop(removal, False):
            result.pop(field, None)
    result.update(result_updates)
    configuration = {**group.configuration, "ResultConfiguration": result}
    if updates.pop("RemoveBytesScannedCutoffPerQuery", False):
        configuration.pop("BytesScannedCutoffPerQuery", None)
    configuration.update(updates)
    check(configuration)
    group.configuration = configuration
    if request.get("State") is not None:
        group.state = request["State"]


def delete(backend: AthenaBackend, name: str, *, recursive: bool, executions: list[str]) -> None:
    """What DeleteWorkGroup asks for; a workgroup with queries in it goes only with RecursiveDeleteOption."""
    group = find(backend, name)
    if name == "primary":
        raise invalid_request("The primary workgroup can't be deleted.")
    named = [query.id for query in backend.named_queries.values() if query.workgroup is group]
    if (named or executions) and not recursive:
        raise invalid_request(f"WorkGroup {name} is not empty")
    for query in named:
        del backend.named_queries[query]
    for execution in executions:
        del backend.executions[execution]
    for key, statement in list(backend.prepared_statements.items()):
        if statement.workgroup == name:  # type: ignore[comparison-overlap]  # moto's own is replaced, or has no types
            del backend.prepared_statements[key]
    del backend.work_groups[name]
    backend.tagger.delete_all_tags_for_resource(group.arn)
