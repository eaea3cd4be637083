"""A backup is one object, written once, checked when it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.cloud.modules import load

s3_backup = load("s3_backup")

Clients = Callable[[str], Any]
DOCUMENT = {"schema": 1, "kafka": {"topics": {"stock-quotes": {"partitions": 3}}}}
FIRST, SECOND = "20260131T120000Z", "20260201T120000Z"


@pytest.fixture
def s3(clients: Clients) -> Any:
    client = clients("s3")
    client.create_bucket(Bucket="data")
    return client


def run(s3: Any, name: str, document: dict[str, Any] | None = None, *, check: bool = False) -> dict[str, Any]:
    options = {"bucket": "data", "prefix": "backups/", "name": name, "document": document}
    result: dict[str, Any] = s3_backup.run(s3, options, check)
    return result


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="data").get("Contents", [])]


def test_what_was_written_is_read_back(s3: Any) -> None:
    assert run(s3, FIRST, DOCUMENT)["changed"]
    assert keys(s3) == [f"backups/{FIRST}.json"]
    read = run(s3, FIRST)
    assert (read["changed"], read["document"]) == (False, DOCUMENT)


def test_check_mode_writes_nothing(s3: Any) -> None:
    assert run(s3, FIRST, DOCUMENT, check=True)["changed"]
    assert keys(s3) == []


def test_the_newest_backup_is_found_among_others_and_other_objects(s3: Any) -> None:
    run(s3, SECOND, {**DOCUMENT, "newest": True})
    run(s3, FIRST, DOCUMENT)
    s3.put_object(Bucket="data", Key="backups/notes.json", Body=b"{}")
    assert run(s3, "latest")["document"]["newest"]


def test_a_backup_is_never_written_over(s3: Any) -> None:
    run(s3, FIRST, DOCUMENT)
    with pytest.raises(s3_backup.BackupError, match="is there already"):
        run(s3, FIRST, {**DOCUMENT, "other": 1})
    assert run(s3, FIRST)["document"] == DOCUMENT


def test_no_backup_and_a_wrong_name_are_said(s3: Any) -> None:
    with pytest.raises(s3_backup.BackupError, match=r"make one first, with playbooks/backup\.yml"):
        run(s3, "latest")
    with pytest.raises(s3_backup.BackupError, match="'yesterday' is no backup's name"):
        run(s3, "yesterday")
    run(s3, FIRST, DOCUMENT)
    with pytest.raises(s3_backup.BackupError, match=f"the newest ones are {FIRST}"):
        run(s3, SECOND)


def test_a_damaged_backup_and_one_of_another_schema_are_refused(s3: Any) -> None:
    run(s3, FIRST, DOCUMENT)
    body = s3.get_object(Bucket="data", Key=f"backups/{FIRST}.json")["Body"].read()
    s3.put_object(Bucket="data", Key=f"backups/{FIRST}.json", Body=body.replace(b": 3", b": 4"))
    with pytest.raises(s3_backup.BackupError, match="is damaged"):
        run(s3, FIRST)
    s3.put_object(Bucket="data", Key=f"backups/{FIRST}.json", Body=body[:-9])
    with pytest.raises(s3_backup.BackupError, match="is no backup"):
        run(s3, FIRST)
    newer = {"schema": 2}
    told = json.dumps({**newer, "checksum": s3_backup.checksum(newer)}).encode()
    s3.put_object(Bucket="data", Key=f"backups/{FIRST}.json", Body=told)
    with pytest.raises(s3_backup.BackupError, match="has schema 2, this bundle reads 1"):
        run(s3, FIRST)
    with pytest.raises(s3_backup.BackupError, match="schema 1, not 2"):
        run(s3, SECOND, newer)
