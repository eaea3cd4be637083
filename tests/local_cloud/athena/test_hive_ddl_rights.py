"""Statements about the catalog need the rights that AWS lists for them, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws
from tests.support.local_cloud.ddl_lake import ACCOUNT, QUOTES, REGION, DdlLake

from local_cloud.iam.callers import AccessDeniedError

TABLE = [f"arn:aws:glue:{REGION}:{ACCOUNT}:{kind}" for kind in ("catalog", "database/market", "table/market/quotes")]
EVERY_TABLE = [f"arn:aws:glue:{REGION}:{ACCOUNT}:table/market/*"]
RIGHTS = {
    QUOTES: ["GetTable", "GetDatabase", "CreateTable"],
    "DROP TABLE quotes": ["GetTable", "GetDatabase", "DeleteTable"],
    "SHOW PARTITIONS quotes": ["GetTable", "GetDatabase", "GetPartitions"],
    "SHOW CREATE TABLE quotes": ["GetTable", "GetDatabase"],
    "ALTER TABLE quotes ADD PARTITION (dt='x', hour=1)": ["GetTable", "GetDatabase", "BatchCreatePartition"],
    "ALTER TABLE quotes DROP PARTITION (hour>=0)": [
        "GetTable",
        "GetDatabase",
        "GetPartitions",
        "BatchDeletePartition",
    ],
    "ALTER TABLE quotes SET TBLPROPERTIES ('a'='b')": ["GetTable", "GetDatabase", "UpdateTable"],
    "ALTER TABLE quotes PARTITION (dt='2026-11-23', hour=9) SET LOCATION 's3://b/x'": [
        "GetTable",
        "GetDatabase",
        "GetPartition",
        "UpdatePartition",
    ],
}
WANTED = [(sql, action) for sql, actions in RIGHTS.items() for action in actions]


@pytest.fixture
def lake() -> Iterator[DdlLake]:
    with mock_aws():
        yield DdlLake()


@pytest.mark.parametrize("sql", RIGHTS)
def test_the_rights_that_aws_lists_are_enough(lake: DdlLake, sql: str) -> None:
    if sql is not QUOTES:
        lake.run(QUOTES)
        lake.run("ALTER TABLE quotes ADD PARTITION (dt='2026-11-23', hour=9)")
    actions = [f"glue:{action}" for action in RIGHTS[sql]]
    caller = lake.analyst({"Effect": "Allow", "Action": actions, "Resource": TABLE})
    assert lake.run(sql, caller=caller) is not None


@pytest.mark.parametrize(("sql", "missing"), WANTED)
def test_each_right_is_needed_before_anything_changes(lake: DdlLake, sql: str, missing: str) -> None:
    if sql is not QUOTES:
        lake.run(QUOTES)
        lake.run("ALTER TABLE quotes ADD PARTITION (dt='2026-11-23', hour=9)")
    before = sql is not QUOTES and (lake.table(), lake.partitions())
    actions = [f"glue:{action}" for action in RIGHTS[sql] if action != missing]
    caller = lake.analyst({"Effect": "Allow", "Action": actions, "Resource": TABLE})
    with pytest.raises(AccessDeniedError, match=f"glue:{missing} on resource"):
        lake.run(sql, caller=caller)
    if before:
        assert (lake.table(), lake.partitions()) == before
    else:
        assert lake.lines("SHOW TABLES") == []


def test_repair_lists_the_bucket_in_the_callers_name(lake: DdlLake) -> None:
    lake.run(QUOTES)
    lake.put("quotes/dt=x/hour=1/a.json")
    glue = {"Effect": "Allow", "Action": "glue:*", "Resource": TABLE}
    caller = lake.analyst(glue)
    with pytest.raises(AccessDeniedError, match="s3:ListBucket"):
        lake.run("MSCK REPAIR TABLE quotes", caller=caller)
    assert lake.partitions() == {}


def test_a_database_goes_with_all_its_tables_only_for_who_may_delete_them(lake: DdlLake) -> None:
    lake.run(QUOTES)
    allowed = {"Effect": "Allow", "Action": "glue:*", "Resource": TABLE[:2] + EVERY_TABLE}
    denied = {"Effect": "Deny", "Action": "glue:DeleteTable", "Resource": TABLE[2]}
    with pytest.raises(AccessDeniedError, match="glue:DeleteTable"):
        lake.run("DROP DATABASE market CASCADE", caller=lake.analyst(allowed, denied))
    assert lake.lines("SHOW TABLES") == ["quotes"]


def test_a_database_goes_only_for_who_may_delete_its_functions_too(lake: DdlLake) -> None:
    allowed = {"Effect": "Allow", "Action": "glue:*", "Resource": TABLE[:2] + EVERY_TABLE}
    with pytest.raises(AccessDeniedError, match=r"glue:DeleteDatabase on resource: .*:userDefinedFunction/market/\*"):
        lake.run("DROP DATABASE market", caller=lake.analyst(allowed))
    assert lake.lines("SHOW TABLES") == []
