"""glue_hours adds the hours that S3 has and the catalog lacks, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.modules.conftest import Run
from tests.support.local_cloud.glue_lake import DATA, Lake, quote

TABLE = {
    "database": "market",
    "name": "quotes",
    "location": f"s3://{DATA}/quotes/",
    "columns": [{"name": "symbol", "type": "string"}, {"name": "sequence", "type": "bigint"}],
    "partition_keys": ["dt", "hour"],
}
HOURS = {"database": "market", "table": "quotes"}


def test_new_hours_take_the_tables_types_and_a_second_run_adds_none(lake: Lake, run: Run) -> None:
    run("glue_table", **TABLE)
    lake.put_quotes(9, [quote(0)])
    lake.put_quotes(23, [quote(1)], day="2026-11-22")
    first = run("glue_hours", **HOURS)
    assert (first["changed"], first["known"]) == (True, 0)
    assert first["added"] == first["newest"] == ["2026-11-22 23", "2026-11-23 09"]
    found = lake.glue.get_partition(DatabaseName="market", TableName="quotes", PartitionValues=["2026-11-23", "09"])
    storage = found["Partition"]["StorageDescriptor"]
    assert storage["Location"] == f"s3://{DATA}/quotes/dt=2026-11-23/hour=09/"
    assert storage["Columns"] == lake.table()["StorageDescriptor"]["Columns"]
    second = run("glue_hours", **HOURS)
    assert (second["changed"], second["added"], second["known"]) == (False, [], 2)


def test_the_crawler_finds_nothing_more_and_changes_no_type(lake: Lake, run: Run) -> None:
    run("glue_table", **TABLE)
    lake.put_quotes(9, [quote(0)])
    run("glue_hours", **HOURS)
    settings: Any = {
        "Targets": {"CatalogTargets": [{"DatabaseName": "market", "Tables": ["quotes"]}]},
        "SchemaChangePolicy": {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"},
    }
    lake.glue.update_crawler(Name="quotes", **settings)
    assert run("glue_crawl", name="quotes")["partitions_added"] == 0
    assert lake.columns() == {"symbol": "string", "sequence": "bigint"}


def test_more_hours_than_one_call_takes(lake: Lake, run: Run) -> None:
    run("glue_table", **TABLE)
    for hour in range(24):
        for day in range(1, 6):
            lake.put_quotes(hour, [quote(0)], day=f"2026-11-{day:02d}")
    assert len(run("glue_hours", **HOURS)["added"]) == 120
    assert len(lake.partitions()) == 120


def test_check_mode_adds_none(lake: Lake, run: Run) -> None:
    run("glue_table", **TABLE)
    lake.put_quotes(9, [quote(0)])
    assert run("glue_hours", _check=True, **HOURS)["added"] == ["2026-11-23 09"]
    assert lake.partitions() == []


def test_a_missing_table_is_named(lake: Lake, run: Run) -> None:
    assert lake.s3
    failed = run("glue_hours", **HOURS)
    assert failed["failed"]
    assert failed["msg"].startswith("There is no Glue table 'market.quotes'")
