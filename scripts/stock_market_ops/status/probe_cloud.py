"""Instances, objects and rows, seen through the AWS API."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from stock_market.chain.naming import parse_key
from stock_market.history import folders
from stock_market.history.naming import Hour
from stock_market_ops.common import athena, aws, partitions
from stock_market_ops.status.report import InstanceView, RowsView, StorageView

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_s3 import S3Client

    from stock_market_ops.common.deployment import Deployment

LIMITS = aws.config(connect_seconds=2, read_seconds=6, attempts=1)
"""How long a look may wait for the API: a dead one makes a report, not a hang. One object, for looks share clients."""
# A partition whose records are rare may have its newest object some hours back.
_HOURS_LOOKED_AT = 3
_RATE_WINDOW_SECONDS = 300.0
_QUERY_SECONDS = 7.0
# What Athena reads at most to count rows: the newest objects, compressed. An hour of 5,000 records/s has 700 MB, and
# the local cloud's Trino needs 2 s for these beside such a stream.
_COUNTED_BYTES = 4 << 20
_COUNTED_OBJECTS = 100
# Up to where an object reaches, exclusive: the end of its records, or of a gap that retention left behind them.
_REACH = ("end-offset", "gap-end-offset")


class NothingStoredError(Exception):
    """There is no object yet; the message is one sentence."""


class StoredObject(NamedTuple):
    """An object of the consumer's, read from its listing alone; a name of the old form has no topic id."""

    key: str
    topic_id: str
    partition: int
    start_offset: int
    modified: datetime
    size: int


def look_at_instances(session: boto3.Session, deployment: Deployment) -> list[InstanceView]:
    """Return all instances of the deployment that EC2 still knows, by name."""
    pages = (
        session.client("ec2", config=LIMITS)
        .get_paginator("describe_instances")
        .paginate(Filters=[{"Name": "tag:Deployment", "Values": [deployment.deployment]}])
    )
    found = []
    for page in pages:
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
                found.append(
                    InstanceView(
                        name=tags.get("InstanceName", instance["InstanceId"]),
                        instance_id=instance["InstanceId"],
                        state=instance["State"]["Name"],
                        public_address=instance.get("PublicIpAddress", ""),
                        private_address=instance.get("PrivateIpAddress", ""),
                        services=tags.get("Services", "").split(),
                    )
                )
    return sorted(found, key=lambda instance: (instance.name, instance.instance_id))


def newest_hours(s3: S3Client, deployment: Deployment, most: int) -> list[Hour]:
    """Return the newest hours that have objects, newest first, at most `most`.

    Raises:
        NothingStoredError: there is none.
    """
    found: list[Hour] = []
    for day in reversed(folders.days(s3, deployment.data_bucket, f"{deployment.table}/")):
        found += reversed(folders.hours(s3, deployment.data_bucket, f"{deployment.table}/", day))
        if len(found) >= most:
            break
    if not found:
        raise NothingStoredError(
            f"No object is in s3://{deployment.data_bucket}/{deployment.table}/ yet: see stock-consumer.service."
        )
    return found[:most]


def look_at_storage(session: boto3.Session, deployment: Deployment) -> StorageView:
    """Find the newest objects, and up to which offset they reach.

    Raises:
        NothingStoredError: there is no object yet.
    """
    s3: S3Client = session.client("s3", config=LIMITS)
    objects = [
        stored for hour in newest_hours(s3, deployment, _HOURS_LOOKED_AT) for stored in _objects(s3, deployment, hour)
    ]
    if not objects:
        raise NothingStoredError(f"The newest hours of s3://{deployment.data_bucket} hold no object of the consumer's.")
    objects = newest_log(objects)
    newest = max(objects, key=lambda stored: (stored.modified, stored.key))
    last_of = {stored.partition: stored for stored in sorted(objects, key=lambda stored: stored.start_offset)}
    end_offsets = {}
    for partition, stored in sorted(last_of.items()):
        metadata = s3.head_object(Bucket=deployment.data_bucket, Key=stored.key)["Metadata"]
        end_offsets[partition] = max(int(metadata[name]) for name in _REACH if name in metadata)
    return StorageView(
        newest_key=newest.key,
        newest_age_seconds=max(0.0, (datetime.now(UTC) - newest.modified).total_seconds()),
        newest_bytes=newest.size,
        end_offsets=end_offsets,
        records_per_second=rate(objects),
    )


def _objects(s3: S3Client, deployment: Deployment, hour: Hour) -> list[StoredObject]:
    found, prefix = [], hour.folder(f"{deployment.table}/")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=deployment.data_bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            name = parse_key(entry["Key"])
            if name is not None and name.topic == deployment.topic:
                found.append(
                    StoredObject(
                        entry["Key"],
                        name.log,
                        name.partition,
                        name.start,
                        entry["LastModified"],
                        entry["Size"],
                    )
                )
    return found


def newest_log(objects: list[StoredObject]) -> list[StoredObject]:
    """Return the objects of the log that was written to last; an earlier one's offsets say nothing of this one's.

    Where names of the old form are among them, which do not tell, those stay too.
    """
    named = [stored for stored in objects if stored.topic_id]
    if not named:
        return objects
    newest = max(named, key=lambda stored: (stored.modified, stored.key)).topic_id
    first = min(stored.start_offset for stored in named if stored.topic_id == newest)
    own = [stored for stored in objects if stored.topic_id == newest]
    return own + [stored for stored in objects if not stored.topic_id] if first else own


def rate(objects: list[StoredObject]) -> float | None:
    """Return the records a second that reached S3 lately, or None where no partition has two objects to tell from.

    An object starts where the one before it ends, so start offsets and times of the listing are enough.
    """
    newest = max(stored.modified for stored in objects)
    chains: dict[int, list[StoredObject]] = defaultdict(list)
    for stored in sorted(objects, key=lambda stored: stored.start_offset):
        if (newest - stored.modified).total_seconds() <= _RATE_WINDOW_SECONDS:
            chains[stored.partition].append(stored)
    rates = []
    for chain in chains.values():
        seconds = (chain[-1].modified - chain[0].modified).total_seconds()
        if seconds > 0:
            rates.append((chain[-1].start_offset - chain[0].start_offset) / seconds)
    return sum(rates) if rates else None


def look_at_rows(session: boto3.Session, deployment: Deployment) -> RowsView:
    """Let Athena count the newest hour's rows, after making new hours visible; of a large hour, its newest objects'.

    Raises:
        NothingStoredError, partitions.MissingTableError, partitions.PartitionError, athena.QueryError.
    """
    s3: S3Client = session.client("s3", config=LIMITS)
    client = session.client("athena", config=LIMITS)
    newest = newest_hours(s3, deployment, 1)[0]
    partitions.synchronize(s3, session.client("glue", config=LIMITS), deployment, of=[newest.dt])
    stored = _objects(s3, deployment, newest)
    counted = newest_objects(stored, _COUNTED_BYTES, _COUNTED_OBJECTS)
    whole = len(counted) == len(stored)
    sql = (
        f"SELECT count(*) AS found, max(event_time) AS newest FROM {deployment.view if whole else deployment.table} "
        f"WHERE dt = '{newest.dt}' AND hour = '{newest.hour}'"
    )
    if not whole:
        paths = ", ".join(f"'s3://{deployment.data_bucket}/{each.key}'" for each in counted)
        sql += f' AND "$path" IN ({paths})'
    row = athena.run(client, deployment, sql, _QUERY_SECONDS).rows[0]
    return RowsView(
        dt=newest.dt,
        hour=newest.hour,
        rows=int(str(row["found"])),
        newest_event_time=None if row["newest"] is None else str(row["newest"]),
        objects=None if whole else len(counted),
    )


def newest_objects(objects: list[StoredObject], most_bytes: int, most: int) -> list[StoredObject]:
    """Return the newest objects: at most `most`, of at most `most_bytes` together, and at least one."""
    found: list[StoredObject] = []
    size = 0
    for stored in sorted(objects, key=lambda stored: (stored.modified, stored.key), reverse=True)[:most]:
        size += stored.size
        if found and size > most_bytes:
            break
        found.append(stored)
    return found
