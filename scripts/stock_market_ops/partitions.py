"""New hours of data, made visible to Athena without a crawl.

The consumer writes `quotes/dt=YYYY-MM-DD/hour=HH/...`. The crawler adds these prefixes to the catalog as partitions;
between two crawls, this module does, so that a row can be counted seconds after it was written.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from stock_market_ops import athena

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

    from stock_market_ops.deployment import Deployment

_DAY = re.compile(r"dt=(\d{4}-\d{2}-\d{2})/$")
_HOUR = re.compile(r"hour=(\d{2})/$")
_HOURS_A_DAY = 24
# Athena takes a statement of at most 262,144 bytes; a partition's clause has some 120.
_PARTITIONS_A_STATEMENT = 500


class MissingTableError(Exception):
    """The crawler has not made the table yet."""


class Hour(NamedTuple):
    """One partition: day `YYYY-MM-DD` and hour `HH`, both UTC."""

    dt: str
    hour: str

    def prefix(self, table: str) -> str:
        """Return the key prefix of the hour's objects."""
        return f"{table}/dt={self.dt}/hour={self.hour}/"


def days(s3: S3Client, bucket: str, table: str) -> list[str]:
    """Return the days that have objects, oldest first."""
    return _children(s3, bucket, f"{table}/", _DAY)


def hours(s3: S3Client, bucket: str, table: str, day: str) -> list[Hour]:
    """Return the hours of `day` that have objects, oldest first."""
    return [Hour(day, hour) for hour in _children(s3, bucket, f"{table}/dt={day}/", _HOUR)]


def _children(s3: S3Client, bucket: str, prefix: str, pattern: re.Pattern[str]) -> list[str]:
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        for entry in page.get("CommonPrefixes", []):
            match = pattern.search(entry.get("Prefix", ""))
            if match:
                found.append(match[1])
    return sorted(found)


def catalogued(glue: GlueClient, database: str, table: str) -> set[Hour]:
    """Return the partitions that the catalog has.

    Raises:
        MissingTableError: the database or the table is not in the catalog.
    """
    known: set[Hour] = set()
    try:
        # Looking for the table first: a catalog may answer an unknown table's partitions with an empty list.
        glue.get_table(DatabaseName=database, Name=table)
        pages = glue.get_paginator("get_partitions").paginate(
            DatabaseName=database, TableName=table, ExcludeColumnSchema=True
        )
        for page in pages:
            known.update(Hour(*partition["Values"]) for partition in page["Partitions"] if "Values" in partition)
    except glue.exceptions.EntityNotFoundException:
        raise MissingTableError(
            f"The table {database}.{table} is not in the catalog yet: run `ansible-playbook playbooks/analysis.yml`, "
            "which crawls the data, once the consumer has written its first object."
        ) from None
    return known


def missing(s3: S3Client, bucket: str, table: str, known: set[Hour]) -> list[Hour]:
    """Return the hours that have objects and no partition; days whose 24 hours are all known are not listed again."""
    known_hours: dict[str, int] = defaultdict(int)
    for hour in known:
        known_hours[hour.dt] += 1
    return [
        hour
        for day in days(s3, bucket, table)
        if known_hours[day] < _HOURS_A_DAY
        for hour in hours(s3, bucket, table, day)
        if hour not in known
    ]


def statements(deployment: Deployment, new: list[Hour]) -> list[str]:
    """Return the DDL that adds `new` to the table."""
    clauses = [
        f"PARTITION (dt = '{hour.dt}', hour = '{hour.hour}') "
        f"LOCATION 's3://{deployment.data_bucket}/{hour.prefix(deployment.table)}'"
        for hour in new
    ]
    return [
        f"ALTER TABLE {deployment.table} ADD IF NOT EXISTS "
        + " ".join(clauses[start : start + _PARTITIONS_A_STATEMENT])
        for start in range(0, len(clauses), _PARTITIONS_A_STATEMENT)
    ]


def synchronize(s3: S3Client, glue: GlueClient, client: AthenaClient, deployment: Deployment) -> list[Hour]:
    """Add to the catalog every hour that S3 has and the catalog has not; return what was added.

    Raises:
        MissingTableError: the table is not in the catalog yet.
        athena.QueryError: Athena refused the statement.
    """
    known = catalogued(glue, deployment.database, deployment.table)
    new = missing(s3, deployment.data_bucket, deployment.table, known)
    for statement in statements(deployment, new):
        athena.run(client, deployment, statement)
    return new
