"""A small data lake in moto for the tests: buckets, a role, a database, a crawler, a workgroup and quotes."""

from __future__ import annotations

import functools
import gzip
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
from tests.support.local_cloud.sent import check_before_moto

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"
DATA, RESULTS = "stock-market-data", "stock-market-results"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ALL_RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*", "glue:*"], "Resource": "*"}],
}
DONE = {"SUCCEEDED", "FAILED", "CANCELLED"}


def quote(
    sequence: int, *, symbol: str = "NYA", minute: int = 0, close: float = 100.5, volume: int = 7
) -> dict[str, Any]:
    """A record as the pipeline's contract has it; its prices grow with its sequence number."""
    return {
        "symbol": symbol,
        "event_time": f"2026-11-23T09:{minute:02d}:{sequence % 60:02d}.{sequence % 1000:03d}Z",
        "open": close,
        "high": close + 1.5,
        "low": close - 1.5,
        "close": close + sequence,
        "adj_close": close,
        "volume": volume,
        "close_usd": close,
        "producer_id": "p-1",
        "sequence": sequence,
    }


def json_lines(records: list[dict[str, Any]], *, compressed: bool = True) -> bytes:
    """The content of an object."""
    plain = "".join(json.dumps(record) + "\n" for record in records).encode()
    return gzip.compress(plain, mtime=0) if compressed else plain


def pauses(complaint: str) -> Iterator[float]:
    """Seconds to the next question: from 5 ms on, since a question takes 3 ms from those who work on the answer."""
    deadline, pause = time.monotonic() + 90, 0.005
    while time.monotonic() < deadline:
        yield pause
        pause = min(pause * 1.25, 0.04)
    raise AssertionError(complaint)


@functools.cache
def clients(endpoint_url: str | None) -> tuple[S3Client, IAMClient, GlueClient, AthenaClient]:
    """The clients, made once since that is slow; moto answers those that were made before it started, too."""
    session = boto3.Session("local-cloud", "local-cloud", region_name=REGION)
    made = (
        session.client("s3", endpoint_url=endpoint_url),
        session.client("iam", endpoint_url=endpoint_url),
        session.client("glue", endpoint_url=endpoint_url),
        session.client("athena", endpoint_url=endpoint_url),
    )
    for client in made:
        check_before_moto(client)
    return made


class Lake:
    """The lake's clients, and what a test does with them again and again."""

    def __init__(self, endpoint_url: str | None = None) -> None:
        self.s3, self.iam, self.glue, self.athena = clients(endpoint_url)

    def build(self, **crawler: Any) -> None:
        """Makes everything but the objects; `crawler` are settings of the crawler beyond its target."""
        self.s3.create_bucket(Bucket=DATA)
        self.s3.create_bucket(Bucket=RESULTS)
        self.iam.create_role(RoleName="glue", AssumeRolePolicyDocument=json.dumps(TRUST))
        self.allow(ALL_RIGHTS)
        self.glue.create_database(DatabaseInput={"Name": "market"})
        settings = {"Targets": {"S3Targets": [{"Path": f"s3://{DATA}/quotes/"}]}} | crawler
        self.glue.create_crawler(Name="quotes", Role="glue", DatabaseName="market", **settings)
        self.athena.create_work_group(
            Name="market",
            Configuration={
                "ResultConfiguration": {"OutputLocation": f"s3://{RESULTS}/results/"},
                "EnforceWorkGroupConfiguration": True,
            },
        )

    def allow(self, policy: dict[str, Any]) -> None:
        """Gives the crawler's role this policy and no other."""
        self.iam.put_role_policy(RoleName="glue", PolicyName="crawl", PolicyDocument=json.dumps(policy))

    def put(self, key: str, body: bytes) -> None:
        """Stores an object in the data bucket."""
        self.s3.put_object(Bucket=DATA, Key=key, Body=body)

    def put_quotes(self, hour: int, records: list[dict[str, Any]], *, start: int = 0, day: str = "2026-11-23") -> str:
        """Stores records as the consumer does; returns the key."""
        key = f"quotes/dt={day}/hour={hour:02d}/stock-quotes+AAAAAAAAAAAAAAAAAAAAAA+0+{start:020d}.json.gz"
        self.put(key, json_lines(records))
        return key

    def crawl(self) -> dict[str, Any]:
        """Runs the crawler to its end; returns LastCrawl."""
        self.glue.start_crawler(Name="quotes")
        for pause in pauses("the crawler does not end"):
            crawler = self.glue.get_crawler(Name="quotes")["Crawler"]
            if crawler["State"] == "READY":
                return dict(crawler["LastCrawl"])
            time.sleep(pause)
        raise AssertionError

    def table(self, name: str = "quotes") -> dict[str, Any]:
        """A table's description."""
        return dict(self.glue.get_table(DatabaseName="market", Name=name)["Table"])

    def columns(self, name: str = "quotes") -> dict[str, str]:
        """A table's columns and their types."""
        return {column["Name"]: column["Type"] for column in self.table(name)["StorageDescriptor"]["Columns"]}

    def partitions(self, name: str = "quotes") -> list[list[str]]:
        """The values of a table's partitions."""
        found = self.glue.get_partitions(DatabaseName="market", TableName=name)["Partitions"]
        return sorted(partition["Values"] for partition in found)

    def start(self, sql: str, **request: Any) -> str:
        """Starts a query; returns its id."""
        context = {"Database": "market"}
        request = {"WorkGroup": "market", "QueryExecutionContext": context} | request
        return str(self.athena.start_query_execution(QueryString=sql, **request)["QueryExecutionId"])

    def wait(self, query_id: str) -> dict[str, Any]:
        """Waits for a query's end; returns its description."""
        for pause in pauses("the query does not end"):
            execution = self.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if execution["Status"]["State"] in DONE:
                return dict(execution)
            time.sleep(pause)
        raise AssertionError

    def run(self, sql: str, **request: Any) -> dict[str, Any]:
        """Runs a query to whatever end it comes to."""
        return self.wait(self.start(sql, **request))

    def rows(self, sql: str, **request: Any) -> list[list[str | None]]:
        """The rows of a query that succeeds, without the header of a SELECT."""
        execution = self.run(sql, **request)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        result = self.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]["Rows"]
        rows = [[datum.get("VarCharValue") for datum in row["Data"]] for row in result]
        return rows[1:] if execution["StatementType"] == "DML" else rows

    def value(self, expression: str) -> str | None:
        """The value of one expression."""
        return self.rows(f"SELECT {expression}")[0][0]

    def reason(self, sql: str, **request: Any) -> str:
        """Why a query fails."""
        execution = self.run(sql, **request)
        assert execution["Status"]["State"] == "FAILED", execution["Status"]
        return str(execution["Status"]["StateChangeReason"])
