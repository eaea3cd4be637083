"""Which engine answers: Athena's lists of engine versions and of workgroups with theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from moto.athena.models import WorkGroup
from moto.athena.responses import AthenaResponse

from local_cloud.athena import requests, workgroups

_ENGINE: Final = "Athena engine version 3"
_AUTOMATIC: Final = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": _ENGINE}


def list_engine_versions(self: AthenaResponse) -> str:
    """ListEngineVersions: the one that is here."""
    requests.read(self, "ListEngineVersions")
    versions = [_AUTOMATIC, {"SelectedEngineVersion": _ENGINE, "EffectiveEngineVersion": _ENGINE}]
    return requests.answer("EngineVersions", versions, None)


def list_work_groups(self: AthenaResponse) -> str:
    """ListWorkGroups: by name."""
    request = requests.read(self, "ListWorkGroups")
    groups: list[WorkGroup] = list(self.athena_backend.work_groups.values())
    found, token = requests.page(groups, lambda group: group.name, request)
    return requests.answer("WorkGroups", [_summary(group) for group in found], token)


def _summary(group: WorkGroup) -> dict[str, Any]:
    return {
        "Name": group.name,
        "State": group.state,
        "Description": group.description or "",
        "CreationTime": workgroups.created(group),
        "EngineVersion": group.configuration.get("EngineVersion") or _AUTOMATIC,
    }


HANDLERS: dict[str, Callable[[AthenaResponse], str]] = {
    "list_engine_versions": list_engine_versions,
    "list_work_groups": list_work_groups,
}
"""The methods of moto's AthenaResponse that these replace or add."""
