"""The statements in Athena that make, fill and tend the table quotes_iceberg.

https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg.html, engine version 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stock_market.history.naming import Hour
from stock_market.history.tables import COLUMNS, RAW_KEYS, literal

SNAPSHOT_SECONDS = 86_400
"""VACUUM removes snapshots that are older, and files that none of the others needs. Queries and MERGEs end within 30
minutes, so that neither loses a file that it reads or has just written."""
_NAMES = (*(name for name, _ in COLUMNS), *RAW_KEYS)
_MORE_RUNS = "MORE_RUNS_NEEDED"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(literal(value) for value in sorted(values))


def create(table: str, location: str) -> str:
    """Creates the table, unless there is one of its name.

    A day is a partition, so that OPTIMIZE can join its hours: it joins files within a partition only, and without a
    threshold of our own only five or more of them.

    Args:
        table: its name.
        location: its folder, which has to be new: `s3://bucket/iceberg/.../`.
    """
    columns = ", ".join(f"`{name}` {kind}" for name, kind in (*COLUMNS, *((key, "string") for key in RAW_KEYS)))
    return (
        f"CREATE TABLE IF NOT EXISTS `{table}` ({columns}) PARTITIONED BY (`dt`) LOCATION {literal(location)}"
        " TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet', 'write_compression' = 'zstd',"
        f" 'vacuum_max_snapshot_age_seconds' = '{SNAPSHOT_SECONDS}', 'optimize_rewrite_data_file_threshold' = '2')"
    )


def merge(table: str, history: str, revisions: Mapping[Hour, str]) -> str:
    """Adds the records of hours of one day that the table does not have, by producer_id and sequence.

    Day and hours are constants on both sides, so that neither side reads another day or hour. An hour's later revision
    has all records of those before it, so that nothing is ever changed or removed. The revisions are those that the
    view reads.
    """
    (dt,) = {hour.dt for hour in revisions}
    chosen = " OR ".join(
        f"(hour = {literal(hour.hour)} AND revision = {literal(name)})" for hour, name in sorted(revisions.items())
    )
    listed = ", ".join(f'"{name}"' for name in _NAMES)
    hours = _texts(hour.hour for hour in revisions)
    values = ", ".join(f's."{name}"' for name in _NAMES)
    return (
        f'MERGE INTO "{table}" AS t'
        f' USING (SELECT {listed} FROM "{history}" WHERE dt = {literal(dt)} AND ({chosen})) AS s'
        f" ON (t.dt = {literal(dt)} AND t.hour IN ({hours}) AND t.hour = s.hour"
        " AND t.producer_id = s.producer_id AND t.sequence = s.sequence)"
        f" WHEN NOT MATCHED THEN INSERT ({listed})"
        f" VALUES ({values})"
    )


def counts(table: str, since: str = "", days: Iterable[str] = ()) -> str:
    """The table's records by day and hour: of the days from `since` on, and of these days; of all without either."""
    parts = ([f"dt >= {literal(since)}"] if since else []) + ([f"dt IN ({_texts(days)})"] if (days := {*days}) else [])
    where = f" WHERE {' OR '.join(parts)}" if parts else ""
    return f'SELECT dt, hour, count(*) FROM "{table}"{where} GROUP BY dt, hour'


def newest_day(table: str) -> str:
    """The newest day that the table has, from its metadata alone."""
    return f'SELECT max(partition.dt) FROM "{table}$partitions"'


def optimize(table: str, first: str, before: str) -> str:
    """Joins the files of the days from `first` on that lie before another day."""
    return f"OPTIMIZE {table} REWRITE DATA USING BIN_PACK WHERE dt >= {literal(first)} AND dt < {literal(before)}"


def vacuum(table: str) -> str:
    """Removes old snapshots, and files that no snapshot needs."""
    return f"VACUUM {table}"


def needs_more_runs(reason: str) -> bool:
    """Whether Athena has ended an OPTIMIZE or a VACUUM halfway, and wants it to be started again.

    It removes or rewrites a bounded number of files at a time, and then fails with ICEBERG_VACUUM_MORE_RUNS_NEEDED or
    ICEBERG_OPTIMIZE_MORE_RUNS_NEEDED.
    """
    return _MORE_RUNS in reason
