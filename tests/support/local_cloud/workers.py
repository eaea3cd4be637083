"""The days' work of everybody who has a policy, as it is done against the local cloud: any refusal raises `Refused`."""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import jinja2
import yaml
from botocore.exceptions import ClientError
from tests.support.local_cloud.enforcing import ACCOUNT, REGION, Enforcing, Session
from tests.support.local_cloud.glue_lake import pauses, quote
from tests.support.local_cloud.policies import DATA, DATABASE, NAME, WORKGROUP

from stock_market.chain.objects import Objects
from stock_market.chain.s3_connection import S3Connection
from stock_market.chain.segment import Segment
from stock_market.chain.store import Store, UnfinishedError
from stock_market.kafka.identity import Identity
from stock_market.service import Stop
from stock_market.settings import Storage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CRAWLER = "shop"
HISTORY_KEY = "history/dt=2026-11-25/hour=09/20261125T100500Z-00000000/part"
ICEBERG_KEY = "iceberg/quotes_iceberg-20261125T100500Z-00000000/data/part"
NOON_MS = 1_795_608_000_000  # 2026-11-25T12:00:00Z
_ROLES = Path(__file__).resolve().parents[3] / "roles"
_CATALOG = _ROLES / "catalog" / "vars" / "main.yml"
COLUMNS: Any = [
    {"Name": column["name"], "Type": column["type"]}
    for column in yaml.safe_load(_CATALOG.read_text(encoding="utf-8"))["__catalog_columns"]
]
LOG = Identity("cluster", "topic")


class Refused(AssertionError):  # noqa: N818  # what is told of is not an error here
    """Somebody could not do his work."""


def empty(cloud: Enforcing, bucket: str = DATA) -> None:
    """Deletes a bucket's objects."""
    with unguarded(cloud, bucket) as s3:
        for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=entry["Key"])


@contextmanager
def unguarded(cloud: Enforcing, bucket: str = DATA) -> Iterator[S3Client]:
    """The operator's client while the bucket has no policy, which would let it neither write nor delete quotes."""
    s3 = cloud.operator.s3
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    try:
        yield s3
    finally:
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)


def consume(first_offset: int) -> None:
    """What a consumer does with S3 between two restarts, by its own code, with the credentials of its environment.

    It stores a segment that has a bad record too, is told that it is there, starts again without a committed offset,
    and asks for an object that nobody has written.
    """
    stop = Stop(grace_seconds=0)
    stop.request()  # so that what is refused is not asked for again
    storage = Storage(bucket=DATA)
    objects = Objects(Store(S3Connection(REGION, 2), DATA, stop), storage, "stock-quotes", LOG)
    try:
        for _ in range(2):
            assert objects.store(_segment(first_offset)).info is not None
        last = objects.resume(0, None, "").info
        assert last is not None
        assert last.start == first_offset
        assert objects.probe(0, first_offset + 2, NOON_MS).info is None
    except UnfinishedError as error:
        raise Refused(str(error)) from error


def take_on_the_historys_role() -> None:
    """What stock-history.service does first, with its own settings, on a host whose credentials are the instance's."""
    template = jinja2.Template((_ROLES / "stock_history" / "templates" / "aws.j2").read_text(encoding="utf-8"))
    role = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-history"
    with tempfile.NamedTemporaryFile("w", suffix=".aws") as settings:
        settings.write(template.render(stock_history_region=REGION, stock_history_role=role))
        settings.flush()
        session = botocore.session.Session()
        session.set_config_variable("config_file", settings.name)
        credentials = session.get_credentials()
        assert credentials is not None
        _or_refused(credentials.get_frozen_credentials)
        sts: Any = session.create_client("sts")
        caller = sts.get_caller_identity()["Arn"]
    assert caller == f"arn:aws:sts::{ACCOUNT}:assumed-role/{NAME}-history/stock-history"


def _segment(start: int) -> Segment:
    segment = Segment("stock-quotes", 0, start)
    segment.first_timestamp = segment.last_timestamp = NOON_MS
    segment.end = start + 2
    segment.good.add(json.dumps(quote(start)).encode() + b"\n", 1)
    segment.bad.add(b'{"reason": "no quote"}\n', 1)
    return segment


def _put(cloud: Enforcing, hour: int, sequences: range) -> None:
    body = gzip.compress("".join(json.dumps(quote(n)) + "\n" for n in sequences).encode())
    key = f"quotes/dt=2026-11-25/hour={hour:02d}/stock-quotes+AAAAAAAAAAAAAAAAAAAAAA+0+{sequences.start:020d}.json.gz"
    with unguarded(cloud) as s3:
        s3.put_object(Bucket=DATA, Key=key, Body=body)


def put_quotes(cloud: Enforcing, hour: int = 9) -> None:
    """An object of quotes, as the consumer writes them."""
    _put(cloud, hour, range(3))


def crawl(cloud: Enforcing) -> None:
    """One crawl to its end."""
    glue = cloud.operator.glue
    glue.start_crawler(Name=CRAWLER)
    pause = pauses("the crawler does not end")
    while (crawler := glue.get_crawler(Name=CRAWLER)["Crawler"])["State"] != "READY":
        time.sleep(next(pause))
    last = crawler["LastCrawl"]
    if last["Status"] != "SUCCEEDED":
        raise Refused(last.get("ErrorMessage", ""))


def crawl_through_all_changes(cloud: Enforcing) -> None:
    """What a crawler meets in its life: objects, more of them, fewer, and none at all any more."""
    declare(cloud)
    _put(cloud, 9, range(3))
    _put(cloud, 10, range(3, 5))
    crawl(cloud)
    _put(cloud, 10, range(5, 9))
    crawl(cloud)
    with unguarded(cloud) as s3:
        for entry in s3.list_objects_v2(Bucket=DATA, Prefix="quotes/dt=2026-11-25/hour=09")["Contents"]:
            s3.delete_object(Bucket=DATA, Key=entry["Key"])
    crawl(cloud)
    empty(cloud)
    crawl(cloud)
    (table,) = cloud.operator.glue.get_tables(DatabaseName=DATABASE)["TableList"]
    assert table["StorageDescriptor"]["Columns"] == COLUMNS


def declare(cloud: Enforcing) -> None:
    """The table, without partitions, as the role catalog declares it."""
    glue = cloud.operator.glue
    for table in glue.get_tables(DatabaseName=DATABASE)["TableList"]:
        glue.delete_table(DatabaseName=DATABASE, Name=table["Name"])
    glue.create_table(
        DatabaseName=DATABASE,
        TableInput={
            "Name": "quotes",
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": [{"Name": key, "Type": "string"} for key in ("dt", "hour")],
            "Parameters": {"classification": "json"},
            "StorageDescriptor": {
                "Columns": COLUMNS,
                "Location": f"s3://{DATA}/quotes/",
                "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
            },
        },
    )


def fill(cloud: Enforcing) -> None:
    """Data and a table for the analyst."""
    declare(cloud)
    _put(cloud, 9, range(3))
    with unguarded(cloud) as s3:
        for key in (HISTORY_KEY, ICEBERG_KEY):
            s3.put_object(Bucket=DATA, Key=key, Body=b"PAR1")
    crawl(cloud)


def run(analyst: Session, sql: str, workgroup: str = WORKGROUP) -> str:
    """Runs SQL to its end; returns the query's id, raises `Refused` if it was not allowed."""
    context = {"Database": DATABASE}
    started = _or_refused(
        analyst.athena.start_query_execution, QueryString=sql, WorkGroup=workgroup, QueryExecutionContext=context
    )["QueryExecutionId"]
    for pause in pauses("the query does not end"):
        asked = _or_refused(analyst.athena.get_query_execution, QueryExecutionId=started)
        status = asked["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return str(started)
        if status["State"] == "FAILED":
            assert "Insufficient permissions" in status["StateChangeReason"], status
            raise Refused(status["StateChangeReason"])
        time.sleep(pause)
    raise AssertionError


def analyse(analyst: Session) -> None:
    """What an analyst does: looks into the catalog, asks, reads the answer, by Athena and as a file."""
    for call, arguments in (
        (analyst.glue.get_database, {"Name": DATABASE}),
        (analyst.glue.get_tables, {"DatabaseName": DATABASE}),
        (analyst.athena.get_work_group, {"WorkGroup": WORKGROUP}),
        (analyst.athena.list_query_executions, {"WorkGroup": WORKGROUP}),
    ):
        _or_refused(call, **arguments)
    query = run(analyst, "SELECT count(*) FROM quotes WHERE dt = '2026-11-25'")
    rows = _or_refused(analyst.athena.get_query_results, QueryExecutionId=query)["ResultSet"]["Rows"]
    assert rows[1]["Data"][0]["VarCharValue"] == "3"
    batch = _or_refused(analyst.athena.batch_get_query_execution, QueryExecutionIds=[query])
    location = batch["QueryExecutions"][0]["ResultConfiguration"]["OutputLocation"]
    bucket, _, key = location.removeprefix("s3://").partition("/")
    found = _or_refused(analyst.s3.list_objects_v2, Bucket=bucket, Prefix=key.rpartition("/")[0] + "/")["Contents"]
    assert key in [entry["Key"] for entry in found]
    assert _or_refused(analyst.s3.get_object, Bucket=bucket, Key=key)["Body"].read().endswith(b'"3"\n')
    _or_refused(analyst.athena.stop_query_execution, QueryExecutionId=query)
    for key in (HISTORY_KEY, ICEBERG_KEY):
        assert _or_refused(analyst.s3.get_object, Bucket=DATA, Key=key)["Body"].read() == b"PAR1"


def _or_refused(call: Callable[..., Any], **arguments: Any) -> Any:
    try:
        return call(**arguments)
    except ClientError as error:
        if "not authorized" in str(error):
            raise Refused(str(error)) from error
        raise
