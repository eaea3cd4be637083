"""athena_workgroup brings a workgroup to the requested state, reports its changes, and is idempotent."""

from __future__ import annotations

from typing import Any

import pytest
from tests.modules.conftest import Run
from tests.support.local_cloud.glue_lake import RESULTS, Lake

WANTED = {"name": "team", "output_location": f"s3://{RESULTS}/team/", "tags": {"Deployment": "x"}}


def configuration(lake: Lake) -> dict[str, Any]:
    return dict(lake.athena.get_work_group(WorkGroup="team")["WorkGroup"].get("Configuration", {}))


def names(lake: Lake) -> list[str]:
    return [group["Name"] for group in lake.athena.list_work_groups()["WorkGroups"]]


def test_a_workgroup_is_made_once_closed_and_encrypted(lake: Lake, run: Run) -> None:
    first = run("athena_workgroup", **WANTED)
    assert first["changed"]
    found = configuration(lake)
    assert found["EnforceWorkGroupConfiguration"]
    assert found["ResultConfiguration"] == {
        "OutputLocation": f"s3://{RESULTS}/team/",
        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
    }
    assert "BytesScannedCutoffPerQuery" not in found
    second = run("athena_workgroup", **WANTED)
    assert (second["changed"], second["workgroup"]) == (False, first["workgroup"])


def test_check_mode_says_the_same_and_makes_nothing(lake: Lake, run: Run) -> None:
    checked = run("athena_workgroup", _check=True, **WANTED)
    assert "team" not in names(lake)
    done = run("athena_workgroup", **WANTED)
    assert (checked["changed"], checked["workgroup"], checked["diff"]) == (True, done["workgroup"], done["diff"])


@pytest.mark.parametrize(
    "change",
    [
        {"scan_limit_bytes": 10_000_000},
        {"encryption": "none"},
        {"enforce": False},
        {"description": "For the team"},
        {"output_location": f"s3://{RESULTS}/other/"},
        {"tags": {"Deployment": "y"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_setting_changes_once_and_comes_back(lake: Lake, run: Run, change: dict[str, Any]) -> None:
    assert lake.s3
    original = run("athena_workgroup", **WANTED, description="")["workgroup"]
    changed = run("athena_workgroup", **(WANTED | change))
    assert changed["changed"]
    assert not run("athena_workgroup", **(WANTED | change))["changed"]
    assert changed["diff"]["before"] == original
    back = run("athena_workgroup", **WANTED, description="")
    assert (back["changed"], back["workgroup"]) == (True, original)


def test_what_somebody_else_has_set_comes_back(lake: Lake, run: Run) -> None:
    original = run("athena_workgroup", **WANTED)["workgroup"]
    key = {"EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": "alias/market"}}
    updates: Any = {"PublishCloudWatchMetricsEnabled": True, "ResultConfigurationUpdates": key}
    lake.athena.update_work_group(WorkGroup="team", State="DISABLED", ConfigurationUpdates=updates)
    back = run("athena_workgroup", **WANTED)
    assert (back["changed"], back["workgroup"]) == (True, original)
    assert lake.athena.get_work_group(WorkGroup="team")["WorkGroup"]["State"] == "ENABLED"
    found = configuration(lake)["ResultConfiguration"]["EncryptionConfiguration"]
    assert found == {"EncryptionOption": "SSE_S3"}
    assert not run("athena_workgroup", **WANTED)["changed"]


def test_a_workgroup_with_history_goes(lake: Lake, run: Run) -> None:
    run("athena_workgroup", **WANTED)
    lake.run("SELECT 1", WorkGroup="team")
    assert run("athena_workgroup", name="team", state="absent", _check=True)["changed"]
    assert "team" in names(lake)
    assert run("athena_workgroup", name="team", state="absent")["changed"]
    assert "team" not in names(lake)
    assert not run("athena_workgroup", name="team", state="absent")["changed"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"output_location": "bucket/x"}, "output_location is 'bucket/x': it must be an address such as s3://"),
        ({"scan_limit_bytes": 5}, "scan_limit_bytes is 5: Athena takes 10000000 or more"),
        ({"state": "absent", "name": "primary"}, "Athena's workgroup 'primary' can't be deleted."),
    ],
)
def test_what_athena_would_not_take_gets_a_sentence(
    lake: Lake, run: Run, options: dict[str, Any], sentence: str
) -> None:
    failed = run("athena_workgroup", **(WANTED | options))
    assert failed["failed"]
    assert failed["msg"].startswith(sentence)
    assert "team" not in names(lake)
