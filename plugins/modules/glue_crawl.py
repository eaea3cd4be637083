#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: one run of a Glue crawler."""

from __future__ import annotations

import time
from typing import Any, NoReturn

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from botocore import exceptions as boto_errors

DOCUMENTATION = r"""
---
module: glue_crawl
short_description: Run a Glue crawler and tell what it changed
description:
  - Starts a crawler, waits until it is done and tells which tables and partitions of its database have come, changed
    and gone. A crawl that finds nothing new is no change.
  - If the crawler is running already, its end is awaited and then it runs again, for what has come in the meantime.
  - In check mode nothing is started.
options:
  name:
    description: The crawler's name.
    type: str
    required: true
  start:
    description: Start the crawler. Without it, the module looks at the crawl that is under way, or at the last one.
    type: bool
    default: true
  wait:
    description: Wait for the end. Without it, the module only starts the crawler, and leaves a running one alone.
    type: bool
    default: true
  timeout:
    description: How long to wait, in seconds. AWS takes one to three minutes for a crawl.
    type: int
    default: 600
  poll_interval:
    description: Seconds between two looks at the crawler; the first ones follow each other faster.
    type: float
    default: 5.0
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode: {description: Starts nothing., support: full}
  diff_mode: {description: Shows the tables before and after., support: full}
author: stock-market
"""

EXAMPLES = r"""
- name: Crawl the quotes
  glue_crawl:
    name: stock-market
    timeout: 300
  register: crawl

- name: Start the crawler
  glue_crawl:
    name: stock-market
    wait: false

- name: Wait for its end, with a line for every look
  glue_crawl:
    name: stock-market
    start: false
    wait: false
  register: crawl
  until: crawl is failed or crawl.state == 'READY'
  delay: 5
  retries: 60

- name: Show what is new
  ansible.builtin.debug:
    msg: "{{ crawl.partitions_added }} new partitions, tables: {{ crawl.tables | map(attribute='name') | join(', ') }}"
"""

RETURN = r"""
tables:
  description: The tables of the crawler's database after the crawl.
  returned: when the database exists
  type: list
  elements: dict
  sample:
    - name: quotes
      location: s3://bucket/quotes/
      classification: json
      columns: {symbol: string, close: double}
      partition_keys: {dt: string, hour: string}
      partitions: 24
created: {description: Names of new tables., returned: always, type: list, sample: [quotes]}
updated: {description: Names of tables with other columns or partitions than before., returned: always, type: list}
deleted: {description: Names of tables that are gone., returned: always, type: list, sample: []}
partitions_added: {description: How many partitions are new, returned: always, type: int, sample: 24}
partitions_removed: {description: How many partitions are gone., returned: always, type: int, sample: 0}
seconds: {description: How long it took., returned: always, type: float, sample: 61.2}
started: {description: Whether this call started the crawler., returned: always, type: bool, sample: true}
state: {description: "Glue's word for the crawler: READY, RUNNING or STOPPING.", returned: always, type: str}
last_crawl:
  description: What Glue tells of the crawl.
  returned: when it is over, unless it was only started
  type: dict
  sample: {status: SUCCEEDED, log_group: /aws-glue/crawlers, log_stream: stock-market, error_message: ""}
"""


class Crawl:
    """One run of a crawler."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.name: str = module.params["name"]
        self.client = module.client("glue", retry_decorator=AWSRetry.jittered_backoff())
        self.begin = time.monotonic()

    def crawler(self) -> dict[str, Any]:
        """The crawler's description, empty if there is no crawler of that name."""
        try:
            found: dict[str, Any] = self.client.get_crawler(Name=self.name, aws_retry=True)["Crawler"]
        except is_boto3_error_code("EntityNotFoundException"):
            return {}
        return found

    def tables(self, database: str) -> dict[str, dict[str, Any]]:
        """The database's tables by name, each with the values of its partitions."""
        tables = {}
        try:
            for page in self.client.get_paginator("get_tables").paginate(DatabaseName=database):
                for table in page["TableList"]:
                    tables[table["Name"]] = self._table(database, table)
        except is_boto3_error_code("EntityNotFoundException"):
            return {}
        return tables

    def _table(self, database: str, table: dict[str, Any]) -> dict[str, Any]:
        storage = table.get("StorageDescriptor", {})
        keys = {key["Name"]: key["Type"] for key in table.get("PartitionKeys", [])}
        values: list[str] = []
        if keys:
            pages = self.client.get_paginator("get_partitions").paginate(
                DatabaseName=database, TableName=table["Name"], ExcludeColumnSchema=True
            )
            for page in pages:
                for partition in page["Partitions"]:
                    pairs = zip(keys, partition["Values"], strict=True)
                    values.append("/".join(f"{key}={value}" for key, value in pairs))
        return {
            "location": storage.get("Location", ""),
            "classification": table.get("Parameters", {}).get("classification", ""),
            "columns": {column["Name"]: column.get("Type", "") for column in storage.get("Columns", [])},
            "partition_keys": keys,
            "partitions": sorted(values),
        }

    def start(self) -> bool:
        """Starts the crawler; False if it is running already."""
        try:
            self.client.start_crawler(Name=self.name)
        except is_boto3_error_code("CrawlerRunningException"):
            return False
        return True

    def wait(self) -> dict[str, Any]:
        """Waits until the crawler is ready again and returns its description."""
        limit = self.module.params["timeout"]
        pause = 0.1
        while True:
            crawler = self.crawler()
            if not crawler:
                self.module.fail_json(msg=f"The Glue crawler '{self.name}' was deleted while it ran.")
            if crawler["State"] == "READY":
                return crawler
            if self.seconds() >= limit:
                self._time_out(crawler["State"], limit)
            time.sleep(pause)
            pause = min(pause * 1.5, self.module.params["poll_interval"])

    def judge(self, last: dict[str, Any]) -> dict[str, str]:
        """What Glue tells of a crawl that is over; one that did not succeed is a failure."""
        if last.get("Status") != "SUCCEEDED":
            self.module.fail_json(
                msg=f"The Glue crawler '{self.name}' ended as {last.get('Status', 'unknown')}: "
                f"{last.get('ErrorMessage') or 'Glue gives no reason'} (log group {last.get('LogGroup')}, "
                f"stream {last.get('LogStream')})"
            )
        return {
            "status": last["Status"],
            "log_group": last.get("LogGroup", ""),
            "log_stream": last.get("LogStream", ""),
            "error_message": last.get("ErrorMessage", ""),
        }

    def _time_out(self, state: str, limit: int) -> NoReturn:
        self.module.fail_json(
            msg=f"The Glue crawler '{self.name}' did not finish in {limit} s and is still {state}: "
            "it goes on by itself; wait and run again, or raise timeout."
        )
        raise AssertionError("fail_json ends the program")

    def seconds(self) -> float:
        """Seconds since the module began."""
        return time.monotonic() - self.begin


def compare(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What has come, changed and gone between two looks at a database's tables."""
    added = removed = 0
    for name in before.keys() | after.keys():
        old = set(before.get(name, {}).get("partitions", []))
        new = set(after.get(name, {}).get("partitions", []))
        added += len(new - old)
        removed += len(old - new)
    return {
        "changed": before != after,
        "created": sorted(after.keys() - before.keys()),
        "deleted": sorted(before.keys() - after.keys()),
        "updated": sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
        "partitions_added": added,
        "partitions_removed": removed,
        "tables": [
            {"name": name, **table, "partitions": len(table["partitions"])} for name, table in sorted(after.items())
        ],
        "diff": {"before": before, "after": after},
    }


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Run the crawler; return the module's result."""
    crawl = Crawl(module)
    crawler = crawl.crawler()
    if not crawler:
        if module.check_mode:  # an earlier task of the same play would have created it
            return {**compare({}, {}), "changed": True, "started": False, "state": "", "seconds": 0.0}
        module.fail_json(
            msg=f"There is no Glue crawler '{crawl.name}' in {module.region}: create it first, "
            "with playbooks/cloud.yml."
        )
    params = module.params
    before = crawl.tables(crawler.get("DatabaseName", ""))
    started = False
    if params["start"] and not module.check_mode:
        started = crawl.start()
        while params["wait"] and not started:
            crawl.wait()
            started = crawl.start()
    if params["wait"] and not module.check_mode:
        crawler = crawl.wait()
    elif started:
        crawler = crawl.crawler()
    result = compare(before, crawl.tables(crawler.get("DatabaseName", "")) if params["wait"] else before)
    over = crawler.get("State") == "READY" and "LastCrawl" in crawler and not module.check_mode
    if over and (params["wait"] or not params["start"]):
        result["last_crawl"] = crawl.judge(crawler["LastCrawl"])
    result["changed"] = result["changed"] or (started and not params["wait"])
    return {**result, "started": started, "state": crawler.get("State", ""), "seconds": round(crawl.seconds(), 3)}


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "start": {"type": "bool", "default": True},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 600},
            "poll_interval": {"type": "float", "default": 5.0},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (boto_errors.BotoCoreError, boto_errors.ClientError) as error:
        module.fail_json_aws(error, msg=f"The Glue crawler '{module.params['name']}' can't be run")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
