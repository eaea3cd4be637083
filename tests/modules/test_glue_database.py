"""glue_database brings a database to the requested state, reports its changes, and is idempotent."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from tests.modules.conftest import Run
from tests.support.local_cloud.glue_lake import Lake

WANTED = {"name": "quotes", "description": "From the stream", "tags": {"Deployment": "x", "Project": "y"}}


def databases(lake: Lake) -> list[str]:
    return [database["Name"] for database in lake.glue.get_databases()["DatabaseList"]]


def test_a_database_is_made_once(lake: Lake, run: Run) -> None:
    first = run("glue_database", **WANTED)
    assert first["changed"]
    assert first["database"]["tags"] == WANTED["tags"]
    assert lake.glue.get_database(Name="quotes")["Database"]["Description"] == "From the stream"
    second = run("glue_database", **WANTED)
    assert not second["changed"]
    assert second["database"] == first["database"]


def test_check_mode_says_the_same_and_makes_nothing(lake: Lake, run: Run) -> None:
    checked = run("glue_database", _check=True, **WANTED)
    assert "quotes" not in databases(lake)
    done = run("glue_database", **WANTED)
    assert (checked["changed"], checked["database"], checked["diff"]) == (True, done["database"], done["diff"])
    assert checked["diff"]["before"] == {}


def test_only_what_is_given_changes(lake: Lake, run: Run) -> None:
    run("glue_database", **WANTED)
    changed = run("glue_database", name="quotes", parameters={"owner": 1}, location_uri="s3://bucket/x/")
    assert changed["changed"]
    assert changed["database"]["description"] == "From the stream"
    assert changed["database"]["tags"] == WANTED["tags"]
    found = lake.glue.get_database(Name="quotes")["Database"]
    assert (found["Parameters"], found["LocationUri"]) == ({"owner": "1"}, "s3://bucket/x/")
    assert not run("glue_database", name="quotes", parameters={"owner": 1})["changed"]


def test_tags_are_replaced_or_added_to(lake: Lake, run: Run) -> None:
    run("glue_database", **WANTED)
    added = run("glue_database", name="quotes", tags={"Team": "a"}, purge_tags=False)
    assert added["database"]["tags"] == {"Deployment": "x", "Project": "y", "Team": "a"}
    replaced = run("glue_database", name="quotes", tags={"Team": "b"})
    assert replaced["changed"]
    arn = "arn:aws:glue:us-east-1:123456789012:database/quotes"
    assert lake.glue.get_tags(ResourceArn=arn)["Tags"] == {"Team": "b"}
    assert not run("glue_database", name="quotes", tags={"Team": "b"})["changed"]


def test_a_database_with_tables_is_deleted_only_by_force(lake: Lake, run: Run) -> None:
    run("glue_database", **WANTED)
    lake.glue.create_table(DatabaseName="quotes", TableInput={"Name": "ticks"})
    refused = run("glue_database", name="quotes", state="absent")
    assert refused["failed"]
    assert refused["msg"].startswith("The Glue database 'quotes' still has tables (ticks)")
    assert run("glue_database", name="quotes", state="absent", force=True, _check=True)["changed"]
    assert "quotes" in databases(lake)
    assert run("glue_database", name="quotes", state="absent", force=True)["changed"]
    assert "quotes" not in databases(lake)
    assert not run("glue_database", name="quotes", state="absent", force=True)["changed"]
    with pytest.raises(ClientError, match="not found"):
        lake.glue.get_tags(ResourceArn="arn:aws:glue:us-east-1:123456789012:database/quotes")


def test_an_endpoint_that_does_not_answer_gets_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    failed = run("glue_database", name="quotes", endpoint_url="http://127.0.0.1:9")
    assert failed["failed"]
    assert "Could not connect to the endpoint URL" in failed["msg"]
