"""A catalog in moto for the tests of statements about it, and what they do with it again and again."""

from __future__ import annotations

import json
from typing import Any

from tests.support.local_cloud.glue_lake import clients

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.statement import EngineSql
from local_cloud.athena.hive.statements import parse_ddl
from local_cloud.athena.results import Result
from local_cloud.iam.callers import Caller, role_session

REGION, ACCOUNT, BUCKET = "us-east-1", "123456789012", "stock-market-data"
QUOTES = f"""
CREATE EXTERNAL TABLE quotes (symbol string, close double)
PARTITIONED BY (dt string, hour int)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://{BUCKET}/quotes/'
"""


class DdlLake:
    """A bucket, a database `market`, and statements that run in it."""

    def __init__(self) -> None:
        self.s3, self._iam, self.glue, _ = clients(None)
        self.s3.create_bucket(Bucket=BUCKET)
        self.glue.create_database(DatabaseInput={"Name": "market"})

    def analyst(self, *statements: dict[str, Any]) -> Caller:
        """A session of a role with these rights."""
        role = self._iam.create_role(RoleName="analyst", AssumeRolePolicyDocument="{}")["Role"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self._iam.put_role_policy(RoleName="analyst", PolicyName="rights", PolicyDocument=policy)
        return role_session(role["Arn"], "test")

    def run(self, sql: str, *, caller: Caller | None = None, database: str = "market") -> Result | EngineSql:
        """Runs a statement."""
        statement = parse_ddl(sql)
        assert statement is not None
        return statement.run(Catalog(REGION, caller), database)

    def lines(self, sql: str, *, caller: Caller | None = None, database: str = "market") -> list[str]:
        """Runs a statement; returns the lines of its result's file."""
        result = self.run(sql, caller=caller, database=database)
        assert isinstance(result, Result)
        return result.body().decode().splitlines()

    def engine(self, sql: str, *, caller: Caller | None = None) -> tuple[str, ...]:
        """Asks a statement for Trino's statements."""
        asked = self.run(sql, caller=caller)
        assert isinstance(asked, EngineSql)
        return asked.statements

    def put(self, *keys: str) -> None:
        """Stores objects."""
        for key in keys:
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"{}")

    def table(self, name: str = "quotes") -> dict[str, Any]:
        """A table's description, without what changes from one call to the next."""
        found: dict[str, Any] = dict(self.glue.get_table(DatabaseName="market", Name=name)["Table"])
        for field in ("CreateTime", "UpdateTime", "VersionId", "CatalogId", "DatabaseName"):
            found.pop(field, None)
        return found

    def partitions(self, name: str = "quotes") -> dict[tuple[str, ...], str]:
        """A table's partitions: their values and their folders."""
        found = self.glue.get_partitions(DatabaseName="market", TableName=name)["Partitions"]
        return {tuple(partition["Values"]): partition["StorageDescriptor"]["Location"] for partition in found}

    def iceberg(self, name: str = "trades", **properties: str) -> None:
        """Makes a table as Trino's Iceberg connector leaves it: an entry in the catalog and a metadata file."""
        metadata = {
            "format-version": 2,
            "location": f"s3://{BUCKET}/{name}",
            "current-schema-id": 0,
            "schemas": [
                {
                    "schema-id": 0,
                    "fields": [
                        {"id": 1, "name": "id", "type": "long", "required": False},
                        {"id": 2, "name": "ts", "type": "timestamp", "required": False},
                        {"id": 3, "name": "venue", "type": "string", "required": False},
                    ],
                }
            ],
            "default-spec-id": 1,
            "partition-specs": [
                {"spec-id": 0, "fields": []},
                {
                    "spec-id": 1,
                    "fields": [
                        {"name": "ts_day", "transform": "day", "source-id": 2, "field-id": 1000},
                        {"name": "id_bucket", "transform": "bucket[16]", "source-id": 1, "field-id": 1001},
                        {"name": "venue", "transform": "identity", "source-id": 3, "field-id": 1002},
                    ],
                },
            ],
            "properties": {"write.format.default": "PARQUET", **properties},
        }
        key = f"{name}/metadata/00000.metadata.json"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(metadata).encode())
        columns: Any = [
            {"Name": "id", "Type": "bigint", "Parameters": {"trino_type_id": "BIGINT"}},
            {"Name": "ts", "Type": "timestamp"},
            {"Name": "venue", "Type": "string", "Comment": "where"},
        ]
        self.glue.create_table(
            DatabaseName="market",
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"table_type": "ICEBERG", "metadata_location": f"s3://{BUCKET}/{key}"},
                "StorageDescriptor": {"Columns": columns, "Location": f"s3://{BUCKET}/{name}"},
            },
        )

    def view(self, name: str = "v") -> None:
        """Makes a view as Trino leaves it."""
        self.glue.create_table(
            DatabaseName="market",
            TableInput={
                "Name": name,
                "TableType": "VIRTUAL_VIEW",
                "ViewOriginalText": "/* Presto View: e30= */",
                "Parameters": {"presto_view": "true", "comment": "Presto View"},
                "StorageDescriptor": {"Columns": [{"Name": "a", "Type": "int"}], "Location": ""},
            },
        )
