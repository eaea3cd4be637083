#!/usr/bin/python
"""Ansible module: a table of JSON Lines in Glue's Data Catalog, with declared types."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: glue_table
short_description: Declare a table of JSON Lines in Glue's Data Catalog, and the history beside it
description:
  - Creates an external table over gzipped JSON Lines in S3, with the types that are given.
  - Corrects the columns, the SerDe and the location of a table that is there, and the columns of its partitions.
  - Parameters that a crawler left on the table are kept. Partitions are neither added nor removed.
options:
  database:
    description: The table's database; it has to exist, except in check mode.
    type: str
    required: true
  name:
    description: The table's name.
    type: str
    required: true
  location:
    description: The folder in S3, with the slash at the end.
    type: str
    required: true
  columns:
    description: The columns in order.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Its name., type: str, required: true}
      type: {description: A type of Hive's., type: str, required: true}
  partition_keys:
    description: Names of the partition keys, all strings, in the order of the folders. They can't be changed later.
    type: list
    elements: str
    default: []
  history:
    description:
      - Tables of what is made of this one, each with the view that reads it, from the filter
        C(stock_market.streaming.history_tables).
      - Each is created where it is absent. Nothing else is done to it, as another program changes the views and adds
        partitions.
      - If a table is absent while its view is there, its partitions are gone. The view is set back to what is given,
        and then reads nothing of the table.
    type: list
    elements: dict
    default: []
    suboptions:
      table: {description: Glue's TableInput of the table., type: dict, required: true}
      view: {description: Glue's TableInput of the view., type: dict, required: true}
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.manages]
"""

EXAMPLES = r"""
- name: Declare the table of the quotes
  stock_market.streaming.glue_table:
    database: stock_market
    name: quotes
    location: s3://bucket/quotes/
    columns:
      - {name: symbol, type: string}
      - {name: volume, type: bigint}
    partition_keys: [dt, hour]
"""

RETURN = r"""
table:
  description: The table's declaration as it is now, or would be.
  returned: always
  type: dict
  sample: {location: s3://bucket/quotes/, columns: {volume: bigint}, partition_keys: [dt, hour]}
history:
  description: >-
    What was done to each of these tables and views, or would be: created, reset or nothing. Empty without the option.
  returned: always
  type: dict
  sample: {quotes_history: created, quotes_all: created}
"""

FORMAT = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
}
SERDE = "org.openx.data.jsonserde.JsonSerDe"
PARAMETERS = {"classification": "json", "compressionType": "gzip", "typeOfData": "file"}
# The most that one BatchUpdatePartition takes.
PARTITIONS_A_CALL = 100
# What GetTable tells and UpdateTable takes, https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
INPUT_KEYS = {
    "Name",
    "Description",
    "Owner",
    "LastAccessTime",
    "LastAnalyzedTime",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
    "TargetTable",
}
PARTITION_KEYS = {"Values", "LastAccessTime", "StorageDescriptor", "Parameters", "LastAnalyzedTime"}


class GlueTable:
    """One table, as it is and as it should be."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params: dict[str, Any] = module.params
        self.client = module.client("glue", retry_decorator=AWSRetry.jittered_backoff())
        self.columns = [{"Name": column["name"], "Type": column["type"]} for column in self.params["columns"]]
        self.serde = {
            "SerializationLibrary": SERDE,
            "Parameters": {"paths": ",".join(sorted(column["Name"] for column in self.columns))},
        }

    def current(self, name: str = "") -> dict[str, Any]:
        """The table, or another one by its name, as Glue has it; empty if there is none."""
        try:
            found = self.client.get_table(
                DatabaseName=self.params["database"], Name=name or self.params["name"], aws_retry=True
            )
        except is_boto3_error_code("EntityNotFoundException"):
            return {}
        return dict(found["Table"])

    def wanted(self, current: dict[str, Any]) -> dict[str, Any]:
        """The TableInput as it should be, given the table as it is."""
        kept = {key: value for key, value in current.items() if key in INPUT_KEYS}
        wanted: dict[str, Any] = {**kept, "Name": self.params["name"]}
        wanted["TableType"] = "EXTERNAL_TABLE"
        wanted["PartitionKeys"] = [{"Name": key, "Type": "string"} for key in self.params["partition_keys"]]
        wanted["Parameters"] = {**(current.get("Parameters") or {}), **PARAMETERS}
        fresh = {"Compressed": True, "NumberOfBuckets": -1, "StoredAsSubDirectories": False}
        wanted["StorageDescriptor"] = {
            **(current.get("StorageDescriptor") or fresh),
            **FORMAT,
            "Columns": self.columns,
            "Location": self.params["location"],
            "SerdeInfo": self.serde,
        }
        return wanted

    def stale_partitions(self) -> list[dict[str, Any]]:
        """The partitions whose own columns are not the declared ones, as they should be."""
        pages = self.client.get_paginator("get_partitions").paginate(
            DatabaseName=self.params["database"], TableName=self.params["name"]
        )
        stale = []
        for partition in (partition for page in pages for partition in page["Partitions"]):
            described = partition["StorageDescriptor"]
            # A partition without columns of its own takes the table's.
            if described.get("Columns") and described["Columns"] != self.columns:
                wanted = {**described, **FORMAT, "Columns": self.columns, "SerdeInfo": self.serde}
                kept = {key: value for key, value in partition.items() if key in PARTITION_KEYS}
                stale.append({**kept, "StorageDescriptor": wanted})
        return stale

    def correct_partitions(self, stale: list[dict[str, Any]]) -> None:
        """Gives partitions the declared columns."""
        names = {"DatabaseName": self.params["database"], "TableName": self.params["name"]}
        entries = [{"PartitionValueList": partition["Values"], "PartitionInput": partition} for partition in stale]
        for start in range(0, len(entries), PARTITIONS_A_CALL):
            answer = self.client.batch_update_partition(
                **names, Entries=entries[start : start + PARTITIONS_A_CALL], aws_retry=True
            )
            if answer.get("Errors"):
                error = answer["Errors"][0]
                self.module.fail_json(
                    msg=f"Glue did not correct the partition {'/'.join(error.get('PartitionValueList', []))} of "
                    f"'{self.params['name']}': {error.get('ErrorDetail', {}).get('ErrorMessage', 'no reason given')}"
                )

    def declare_history(self) -> dict[str, str]:
        """Creates what is absent of the history's tables and views; returns what was done to each by its name."""
        done: dict[str, str] = {}
        for one in self.params["history"]:
            done |= self.declare_pair(one["table"], one["view"])
        return done

    def declare_pair(self, table: dict[str, Any], view: dict[str, Any]) -> dict[str, str]:
        """Creates a table and its view where they are absent; returns what was done to each by its name."""
        database = self.params["database"]
        tables, views = self.current(table["Name"]), self.current(view["Name"])
        stale = bool(views) and not tables and views.get("ViewOriginalText") != view["ViewOriginalText"]
        done = {
            table["Name"]: "nothing" if tables else "created",
            view["Name"]: "reset" if stale else "nothing" if views else "created",
        }
        if self.module.check_mode:
            return done
        if stale:
            # With the version that was read: whoever has published in the meantime is not overwritten.
            self.client.update_table(
                DatabaseName=database, TableInput=view, VersionId=views["VersionId"], aws_retry=True
            )
        for declared, found in ((table, tables), (view, views)):
            if not found:
                self.client.create_table(DatabaseName=database, TableInput=declared, aws_retry=True)
        return done

    def check_keys(self, current: dict[str, Any]) -> None:
        """Fails where the table is partitioned in another way, which can't be changed."""
        keys = [key["Name"] for key in current.get("PartitionKeys") or []]
        if current and keys != self.params["partition_keys"]:
            self.module.fail_json(
                msg=f"The Glue table '{self.params['database']}.{self.params['name']}' is partitioned by "
                f"{', '.join(keys) or 'nothing'} and not by {', '.join(self.params['partition_keys']) or 'nothing'}: "
                "delete it in Glue, which deletes no data, and run this again."
            )


def shown(table: dict[str, Any]) -> dict[str, Any]:
    """What the result and the difference tell of a table."""
    if not table:
        return {}
    storage = table.get("StorageDescriptor") or {}
    return {
        "location": storage.get("Location", ""),
        "serde": (storage.get("SerdeInfo") or {}).get("SerializationLibrary", ""),
        "columns": {column["Name"]: column.get("Type", "") for column in storage.get("Columns") or []},
        "partition_keys": [key["Name"] for key in table.get("PartitionKeys") or []],
    }


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Bring the table to what is declared; return the module's result."""
    table = GlueTable(module)
    current = table.current()
    table.check_keys(current)
    wanted = table.wanted(current)
    differs = {key: value for key, value in current.items() if key in INPUT_KEYS} != wanted
    stale = table.stale_partitions() if current else []
    if not module.check_mode:
        if not current:
            table.client.create_table(DatabaseName=module.params["database"], TableInput=wanted, aws_retry=True)
        elif differs:
            table.client.update_table(DatabaseName=module.params["database"], TableInput=wanted, aws_retry=True)
        table.correct_partitions(stale)
    history = table.declare_history()
    before, after = shown(current), shown(wanted)
    if stale:
        before["partitions_of_other_types"], after["partitions_of_other_types"] = len(stale), 0
    for name, done in history.items():
        if done != "nothing":
            before[name], after[name] = {"created": "absent", "reset": "up to its watermark"}[done], "declared"
    changed = differs or bool(stale) or set(history.values()) - {"nothing"} != set()
    diff = {"before": before, "after": after}
    return {"changed": changed, "table": shown(wanted), "history": history, "diff": diff}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "The Glue table '{name}' can't be managed")


if __name__ == "__main__":
    main()
