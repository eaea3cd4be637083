#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: a query in Athena."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_message
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from botocore import exceptions as boto_errors

DOCUMENTATION = r"""
---
module: athena_query
short_description: Run a query in Athena and return its rows
description:
  - Runs one SQL statement in Athena, waits for its end and returns the rows as a list of dictionaries.
  - A statement that only reads is no change, and runs in check mode too. One that writes is refused unless
    I(read_only=false); it is then a change, and does not run in check mode.
options:
  query:
    description: One statement of Athena's SQL.
    type: str
    required: true
  workgroup:
    description: The workgroup in which it runs.
    type: str
    default: primary
  database:
    description: The database of tables that are named without one.
    type: str
  parameters:
    description: Values for the question marks in the query, in order, each an SQL literal; a string in single quotes.
    type: list
    elements: str
    default: []
  output_location:
    description: Where the result goes, unless the workgroup says so.
    type: str
  read_only:
    description: Refuse a statement that does more than read.
    type: bool
    default: true
  max_rows:
    description: How many rows to return at most; 0 is no limit.
    type: int
    default: 1000
  timeout:
    description: Seconds after which the query is cancelled.
    type: int
    default: 300
  poll_interval:
    description: Seconds between two looks at the query; the first ones follow each other faster.
    type: float
    default: 0.5
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode: {description: Runs statements that only read., support: full}
  diff_mode: {description: Has nothing to show., support: none}
author: stock-market
"""

EXAMPLES = r"""
- name: Count the quotes of a symbol
  athena_query:
    query: SELECT count(*) AS quotes FROM quotes WHERE symbol = ?
    parameters: ["'NYA'"]
    database: stock_market
    workgroup: stock-market
  register: counted

- name: Show the number
  ansible.builtin.debug:
    var: counted.rows[0].quotes

- name: Add the partitions of a table
  athena_query:
    query: MSCK REPAIR TABLE quotes
    database: stock_market
    workgroup: stock-market
    read_only: false
"""

RETURN = r"""
rows:
  description: The rows; numbers and booleans as such, NULL as null, all else as text.
  returned: always
  type: list
  elements: dict
  sample: [{quotes: 42}]
columns:
  description: Name and type of each column.
  returned: always
  type: list
  elements: dict
  sample: [{name: quotes, type: bigint}]
truncated: {description: Whether there are more rows than max_rows., returned: always, type: bool, sample: false}
query_execution_id: {description: Athena's id of the query., returned: when it ran, type: str}
output_location: {description: Where the result is in S3., returned: when it ran, type: str}
statistics:
  description: What the query cost.
  returned: when it ran
  type: dict
  sample: {scanned_bytes: 12345, engine_ms: 410, queue_ms: 55, total_ms: 560}
"""

READS = ("SELECT", "WITH", "VALUES", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "(")
_COMMENT = re.compile(r"\s+|--[^\n]*\n?|/\*.*?\*/", re.DOTALL)
_NUMBERS = {"tinyint", "smallint", "integer", "bigint"}
PAGE = 1000


def only_reads(query: str) -> bool:
    """Whether a statement changes nothing, by its first word (EXPLAIN ANALYZE of a write would run it)."""
    position = 0
    while match := _COMMENT.match(query, position):
        position = match.end()
    text = query[position:].upper()
    if re.match(r"EXPLAIN\s+ANALYZE\b", text):
        return only_reads(re.sub(r"^EXPLAIN\s+ANALYZE(\s+VERBOSE)?\b", "", text))
    return text.startswith(READS[-1]) or re.split(r"[^A-Z]", text, maxsplit=1)[0] in READS[:-1]


def value_of(text: str | None, kind: str) -> Any:
    """A value in Python's terms; what JSON can't hold (NaN, Infinity) and what would lose digits stays text."""
    if text is None:
        return None
    if kind in _NUMBERS:
        return int(text)
    if kind == "boolean":
        return text == "true"
    if kind in {"double", "float", "real"} and text not in {"NaN", "Infinity", "-Infinity"}:
        return float(text)
    return text


class Query:
    """One query under way."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params: dict[str, Any] = module.params
        self.client = module.client("athena", retry_decorator=AWSRetry.jittered_backoff())

    def start(self) -> str:
        """Starts it; returns its id."""
        params = self.params
        request: dict[str, Any] = {"QueryString": params["query"], "WorkGroup": params["workgroup"]}
        if params["database"]:
            request["QueryExecutionContext"] = {"Database": params["database"]}
        if params["parameters"]:
            request["ExecutionParameters"] = params["parameters"]
        if params["output_location"]:
            request["ResultConfiguration"] = {"OutputLocation": params["output_location"]}
        started = self.client.start_query_execution(**request, aws_retry=True)
        return str(started["QueryExecutionId"])

    def wait(self, query_id: str) -> dict[str, Any]:
        """Waits for its end; fails with the reason if that is no success, and cancels it after the limit."""
        begin, limit = time.monotonic(), self.params["timeout"]
        pause = 0.05
        while True:
            answer = self.client.get_query_execution(QueryExecutionId=query_id, aws_retry=True)
            execution: dict[str, Any] = answer["QueryExecution"]
            state = execution["Status"]["State"]
            if state == "SUCCEEDED":
                return execution
            if state in {"FAILED", "CANCELLED"}:
                reason = execution["Status"].get("StateChangeReason", "Athena gives no reason")
                self.module.fail_json(
                    msg=f"Athena's query {'failed' if state == 'FAILED' else 'was cancelled'}: {reason}",
                    query_execution_id=query_id,
                )
            if time.monotonic() - begin >= limit:
                self.client.stop_query_execution(QueryExecutionId=query_id, aws_retry=True)
                self.module.fail_json(
                    msg=f"Athena did not finish the query in {limit} s, so it was cancelled: raise timeout, or let the "
                    "query read fewer partitions.",
                    query_execution_id=query_id,
                )
            time.sleep(pause)
            pause = min(pause * 2, self.params["poll_interval"])

    def rows(self, query_id: str, *, is_select: bool) -> dict[str, Any]:
        """The rows, up to the limit, with their columns."""
        limit = self.params["max_rows"]
        columns: list[dict[str, str]] = []
        rows: list[dict[str, Any]] = []
        pages = self.client.get_paginator("get_query_results").paginate(
            QueryExecutionId=query_id, PaginationConfig={"PageSize": PAGE}
        )
        for number, page in enumerate(pages):
            result = page["ResultSet"]
            columns = [{"name": c["Name"], "type": c["Type"]} for c in result["ResultSetMetadata"]["ColumnInfo"]]
            # The first row of a SELECT's result is its header.
            for row in result["Rows"][1 if is_select and not number else 0 :]:
                if limit and len(rows) == limit:
                    return {"rows": rows, "columns": columns, "truncated": True}
                values = (datum.get("VarCharValue") for datum in row["Data"])
                rows.append({c["name"]: value_of(v, c["type"]) for c, v in zip(columns, values, strict=False)})
        return {"rows": rows, "columns": columns, "truncated": False}


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Run the query; return the module's result."""
    reads = only_reads(module.params["query"])
    if not reads and module.params["read_only"]:
        module.fail_json(
            msg="The statement does more than read: set read_only to false if that is meant, or begin it with SELECT."
        )
    nothing: dict[str, Any] = {"rows": [], "columns": [], "truncated": False}
    if not reads and module.check_mode:
        return {"changed": True, **nothing}
    query = Query(module)
    try:
        query_id = query.start()
    except is_boto3_error_message("is not found"):
        if module.check_mode:  # an earlier task of the same play would have created it
            return {"changed": False, **nothing}
        module.fail_json(
            msg=f"There is no Athena workgroup '{module.params['workgroup']}' in {module.region}: create it first, "
            "with playbooks/cloud.yml."
        )
    execution = query.wait(query_id)
    statistics = execution.get("Statistics", {})
    return {
        "changed": not reads,
        **query.rows(query_id, is_select=execution.get("StatementType") == "DML"),
        "query_execution_id": query_id,
        "output_location": execution.get("ResultConfiguration", {}).get("OutputLocation", ""),
        "statistics": {
            "scanned_bytes": statistics.get("DataScannedInBytes", 0),
            "engine_ms": statistics.get("EngineExecutionTimeInMillis", 0),
            "queue_ms": statistics.get("QueryQueueTimeInMillis", 0),
            "total_ms": statistics.get("TotalExecutionTimeInMillis", 0),
        },
    }


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec={
            "query": {"type": "str", "required": True},
            "workgroup": {"type": "str", "default": "primary"},
            "database": {"type": "str"},
            "parameters": {"type": "list", "elements": "str", "default": []},
            "output_location": {"type": "str"},
            "read_only": {"type": "bool", "default": True},
            "max_rows": {"type": "int", "default": 1000},
            "timeout": {"type": "int", "default": 300},
            "poll_interval": {"type": "float", "default": 0.5},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (boto_errors.BotoCoreError, boto_errors.ClientError) as error:
        module.fail_json_aws(error, msg="Athena does not take the query")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
