"""New hours of data, made visible to Athena without a crawl.

The consumer writes `quotes/dt=YYYY-MM-DD/hour=HH/...`. The crawler adds these prefixes to the catalog as partitions;
after the first crawl, this module does, so that a row can be counted seconds after it was written. It calls Glue's
BatchCreatePartition, which does what Athena's ALTER TABLE ... ADD IF NOT EXISTS PARTITION does, without a query's wait.
https://docs.aws.amazon.com/glue/latest/webapi/API_BatchCreatePartition.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stock_market.history import folders
from stock_market.history.naming import Hour

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import PartitionInputTypeDef, TableTypeDef
    from mypy_boto3_s3 import S3Client

    from stock_market_ops.common.deployment import Deployment

_HOURS_A_DAY = 24
# The most that one BatchCreatePartition takes.
_PARTITIONS_A_CALL = 100


class MissingTableError(Exception):
    """The crawler has not made the table yet; the message is one sentence that says what to do."""


class PartitionError(Exception):
    """Glue did not take a new partition; the message is one sentence."""


def all_days(s3: S3Client, deployment: Deployment) -> list[str]:
    """Return the days that have raw objects or history, oldest first: raw objects may have expired."""
    prefixes = (f"{deployment.table}/", deployment.history_prefix)
    return sorted({day for prefix in prefixes for day in folders.days(s3, deployment.data_bucket, prefix)})


def newest_hours(s3: S3Client, deployment: Deployment, count: int) -> list[Hour]:
    """Return the newest hours, at least `count` if there are, that have raw objects or history, oldest first."""
    found: set[Hour] = set()
    for day in reversed(all_days(s3, deployment)):
        for prefix in (f"{deployment.table}/", deployment.history_prefix):
            found.update(folders.hours(s3, deployment.data_bucket, prefix, day))
        if len(found) >= count:
            break
    return sorted(found)


def described(glue: GlueClient, database: str, table: str) -> TableTypeDef:
    """Return the catalog's description of the table.

    Raises:
        MissingTableError: the database or the table is not in the catalog.
    """
    try:
        return glue.get_table(DatabaseName=database, Name=table)["Table"]
    except glue.exceptions.EntityNotFoundException:
        raise MissingTableError(
            f"The table {database}.{table} is not in the catalog yet: run `ansible-playbook playbooks/analysis.yml`, "
            "which crawls the data, once the consumer has written its first object."
        ) from None


def catalogued(glue: GlueClient, database: str, table: str, since: str = "") -> set[Hour]:
    """Return the partitions that the catalog has, of the days from `since` on."""
    known: set[Hour] = set()
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=database,
        TableName=table,
        ExcludeColumnSchema=True,
        **({"Expression": f"dt >= '{since}'"} if since else {}),  # type: ignore[arg-type]  # mypy takes the empty dict for one of str
    )
    for page in pages:
        known.update(Hour(*partition["Values"]) for partition in page["Partitions"] if "Values" in partition)
    return known


def missing(s3: S3Client, bucket: str, table: str, known: set[Hour], of: Sequence[str]) -> list[Hour]:
    """Return the hours of the days `of` that have objects and no partition; a day whose 24 are known is not listed."""
    known_hours: dict[str, int] = defaultdict(int)
    for hour in known:
        known_hours[hour.dt] += 1
    return [
        hour
        for day in of
        if known_hours[day] < _HOURS_A_DAY
        for hour in folders.hours(s3, bucket, f"{table}/", day)
        if hour not in known
    ]


def add(glue: GlueClient, deployment: Deployment, table: TableTypeDef, new: list[Hour]) -> None:
    """Add hours to the table; one that somebody else has added in the meantime is left alone.

    Raises:
        PartitionError: Glue refused one.
    """
    inputs: list[PartitionInputTypeDef] = []
    for hour in new:
        # The table's own description serves for its partitions; only the place differs.
        storage: Any = {
            **table["StorageDescriptor"],
            "Location": f"s3://{deployment.data_bucket}/{hour.folder(f'{deployment.table}/')}",
        }
        inputs.append({"Values": list(hour), "StorageDescriptor": storage})
    for start in range(0, len(inputs), _PARTITIONS_A_CALL):
        answer = glue.batch_create_partition(
            DatabaseName=deployment.database,
            TableName=deployment.table,
            PartitionInputList=inputs[start : start + _PARTITIONS_A_CALL],
        )
        for error in answer.get("Errors", []):
            detail = error.get("ErrorDetail", {})
            if detail.get("ErrorCode") != "AlreadyExistsException":
                raise PartitionError(
                    f"Glue did not take the partition {'/'.join(error.get('PartitionValues', []))}: "
                    f"{detail.get('ErrorCode')}: {detail.get('ErrorMessage')}"
                )


def synchronize(s3: S3Client, glue: GlueClient, deployment: Deployment, of: Sequence[str] | None = None) -> list[Hour]:
    """Add to the catalog every hour that S3 has and the catalog has not, of the days `of` or of all; return these.

    Raises:
        MissingTableError: the table is not in the catalog yet.
        PartitionError: Glue refused a partition.
    """
    table = described(glue, deployment.database, deployment.table)
    wanted = folders.days(s3, deployment.data_bucket, f"{deployment.table}/") if of is None else of
    since = min(wanted, default="") if of is not None else ""
    known = catalogued(glue, deployment.database, deployment.table, since)
    new = missing(s3, deployment.data_bucket, deployment.table, known, wanted)
    add(glue, deployment, table, new)
    return new
