"""The catalog of a round: Glue and Athena asked by boto3 alone, as somebody does who only knows AWS."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterable
from typing import Any

import boto3
from tests.support.small_cloud import COLUMNS, KEYS
from tests.support.stock_market.bucket import Bucket

DATABASE, WORKGROUP = "chaos", "chaos"
_DONE = {"SUCCEEDED", "FAILED", "CANCELLED"}
_HOUR = re.compile(r"quotes/dt=([\d-]{10})/hour=(\d\d)/")
_SECONDS = 120.0


class Catalog:
    """The database of a round, with the table of the raw objects.

    Args:
        bucket: with the data.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.glue, self.athena = self._client("glue"), self._client("athena")
        self._results = Bucket(bucket.endpoint, f"{bucket.name}-results")
        self._hours: set[tuple[str, str]] = set()
        self._raw: dict[str, Any] = {
            "Columns": [{"Name": name, "Type": kind} for name, kind in COLUMNS.items()],
            "Location": f"s3://{bucket.name}/quotes/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
        }
        self.glue.create_database(DatabaseInput={"Name": DATABASE})
        table = {
            "Name": "quotes",
            "StorageDescriptor": self._raw,
            "PartitionKeys": [{"Name": key, "Type": "string"} for key in KEYS],
            "Parameters": {"classification": "json"},
        }
        self.glue.create_table(DatabaseName=DATABASE, TableInput=table)
        output = {"ResultConfiguration": {"OutputLocation": f"s3://{self._results.name}/"}}
        self.athena.create_work_group(Name=WORKGROUP, Configuration=output)

    def _client(self, service: str) -> Any:
        make: Any = boto3.client
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return make(service, endpoint_url=self._bucket.endpoint, region_name="us-east-1", **keys)

    def see(self, keys: Iterable[str]) -> None:
        """Has Athena see the hours of these raw objects."""
        found = {(match[1], match[2]) for key in keys if (match := _HOUR.match(key))}
        for dt, hour in sorted(found - self._hours):
            location = f"s3://{self._bucket.name}/quotes/dt={dt}/hour={hour}/"
            partition = {"Values": [dt, hour], "StorageDescriptor": self._raw | {"Location": location}}
            self.glue.batch_create_partition(DatabaseName=DATABASE, TableName="quotes", PartitionInputList=[partition])
            self._hours.add((dt, hour))

    def view(self) -> dict[str, Any]:
        """The view quotes_all, as Glue describes it."""
        found: dict[str, Any] = self.glue.get_table(DatabaseName=DATABASE, Name="quotes_all")["Table"]
        return found

    def partitions(self) -> dict[tuple[str, str, str], str]:
        """The prefix of each day, hour and revision of the history."""
        pages = self.glue.get_paginator("get_partitions").paginate(DatabaseName=DATABASE, TableName="quotes_history")
        return {
            tuple(one["Values"]): one["StorageDescriptor"]["Location"].removeprefix(f"s3://{self._bucket.name}/")
            for page in pages
            for one in page["Partitions"]
        }

    def select(self, sql: str) -> list[list[str]]:
        """The rows of a SELECT, as texts.

        Raises:
            RuntimeError: it does not succeed.
        """
        started = self.athena.start_query_execution(
            QueryString=sql, QueryExecutionContext={"Database": DATABASE}, WorkGroup=WORKGROUP
        )["QueryExecutionId"]
        deadline = time.monotonic() + _SECONDS
        while True:
            found = self.athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]
            if found["Status"]["State"] in _DONE or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        if found["Status"]["State"] != "SUCCEEDED":
            raise RuntimeError(f"{sql}: {found['Status'].get('StateChangeReason')}")
        key = found["ResultConfiguration"]["OutputLocation"].removeprefix(f"s3://{self._results.name}/")
        body = self._results.client.get_object(Bucket=self._results.name, Key=key)["Body"].read()
        return list(csv.reader(io.StringIO(body.decode())))[1:]

    def cancel_running(self) -> int:
        """Stops every query that runs; returns how many."""
        ids = self.athena.list_query_executions(WorkGroup=WORKGROUP, MaxResults=50)["QueryExecutionIds"]
        stopped = 0
        for one in ids:
            state = self.athena.get_query_execution(QueryExecutionId=one)["QueryExecution"]["Status"]["State"]
            if state not in _DONE:
                self.athena.stop_query_execution(QueryExecutionId=one)
                stopped += 1
        return stopped
