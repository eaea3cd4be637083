"""Workgroups and engine versions are listed in pages."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.athena.responses import AthenaResponse
from tests.support.local_cloud.glue_lake import Lake

from local_cloud.athena import api, requests

ENGINE = "Athena engine version 3"


@pytest.fixture
def athena(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, handler in requests.handlers(api).items():
        monkeypatch.setattr(AthenaResponse, name, handler, raising=False)
    with mock_aws():
        yield Lake().athena


def test_workgroups_are_listed_by_name_in_pages(athena: Any) -> None:
    athena.create_work_group(Name="shop", Description="Stock quotes")
    athena.create_work_group(Name="archive")
    first = athena.list_work_groups(MaxResults=2)
    second = athena.list_work_groups(NextToken=first["NextToken"])
    listed = [*first["WorkGroups"], *second["WorkGroups"]]
    assert [group["Name"] for group in listed] == ["archive", "primary", "shop"]
    made = listed[2].pop("CreationTime")
    assert datetime.timedelta() <= datetime.datetime.now(datetime.UTC) - made < datetime.timedelta(minutes=1)
    assert listed[2] == {
        "Name": "shop",
        "State": "ENABLED",
        "Description": "Stock quotes",
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": ENGINE},
    }
    assert "NextToken" not in second


def test_the_engine_is_version_3(athena: Any) -> None:
    versions = athena.list_engine_versions()["EngineVersions"]
    assert {one["SelectedEngineVersion"] for one in versions} == {"AUTO", ENGINE}
    assert {one["EffectiveEngineVersion"] for one in versions} == {ENGINE}
