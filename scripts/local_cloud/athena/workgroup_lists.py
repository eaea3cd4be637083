"""Athena's lists of workgroups and of engine versions."""

from __future__ import annotations

from typing import Any

from moto.athena.models import WorkGroup
from moto.athena.responses import AthenaResponse

from local_cloud.athena import requests, workgroups

_ENGINE = "Athena engine version 3"


def list_work_groups(self: AthenaResponse) -> str:
    """ListWorkGroups: by name."""
    request = requests.read(self)
    groups = list(self.athena_backend.work_groups.values())
    found, token = requests.page(groups, lambda group: group.name, request)
    return requests.answer("WorkGroups", [_summary(group) for group in found], token)


def _summary(group: WorkGroup) -> dict[str, Any]:
    engine = group.configuration["EngineVersion"]
    summary = {
        "Name": group.name,
        "State": group.state,
        "EngineVersion": engine,
        "CreationTime": workgroups.created(group),
    }
    return summary | ({"Description": group.description} if group.description else {})


def list_engine_versions(self: AthenaResponse) -> str:
    """ListEngineVersions: there is one, and AUTO is that one."""
    request = requests.read(self)
    versions = [{"SelectedEngineVersion": name, "EffectiveEngineVersion": _ENGINE} for name in ("AUTO", _ENGINE)]
    return requests.answer(
        "EngineVersions", *requests.page(versions, lambda one: one["SelectedEngineVersion"], request)
    )
