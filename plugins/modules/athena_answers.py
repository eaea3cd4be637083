#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: several queries in Athena, side by side."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from botocore import exceptions as boto_errors

DOCUMENTATION = r"""
---
module: athena_answers
short_description: Run several reading queries in Athena side by side
description:
  - Runs named queries at the same time, waits for all and returns their rows in the order given.
  - One module starts for all of them, and the queries run at the same time.
  - Only queries that begin with SELECT or WITH are taken, so nothing changes, and check mode runs them too.
options:
  queries:
    description: What to ask, each with a name and one statement of Athena's SQL, which may begin with comment lines.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name under which the answer is returned.
        type: str
        required: true
      sql:
        description: The statement.
        type: str
        required: true
      parameters:
        description: SQL literals, one for each C(?) of the statement in its order.
        type: list
        elements: str
        default: []
  workgroup:
    description: The workgroup in which they run.
    type: str
    default: primary
  database:
    description: The database of tables that are named without one.
    type: str
    required: true
  timeout:
    description: Seconds after which a query is cancelled.
    type: int
    default: 300
  at_once:
    description: How many queries run at the same time at most.
    type: int
    default: 4
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode: {description: Only reads., support: full}
  diff_mode: {description: Has nothing to show., support: none}
author: stock-market
"""

EXAMPLES = r"""
- name: Ask two things at once
  athena_answers:
    database: stock_market
    workgroup: stock-market
    queries:
      - {name: count, sql: SELECT count(*) AS records FROM quotes}
      - {name: newest, sql: SELECT max(event_time) AS newest FROM quotes}
  register: asked

- name: Show the count
  ansible.builtin.debug:
    var: asked.answers[0].rows[0].records
"""

RETURN = r"""
answers:
  description: The answers in the order of the queries. Numbers and booleans as such, NULL as null, all else as text.
  returned: always
  type: list
  elements: dict
  sample: [{name: count, columns: [records], rows: [{records: 42}], seconds: 0.8}]
"""

_INTEGERS = {"tinyint", "smallint", "integer", "bigint"}
_FLOATS = {"double", "float", "real"}
_NOT_IN_JSON = {"NaN", "Infinity", "-Infinity"}


class AnswerError(Exception):
    """One query did not succeed; the message is a sentence that names it."""


def value_of(text: str | None, kind: str) -> Any:
    """A value in Python's terms; what JSON can't hold and what would lose digits stays text."""
    if text is None:
        return None
    if kind in _INTEGERS:
        return int(text)
    if kind == "boolean":
        return text == "true"
    if kind in _FLOATS and text not in _NOT_IN_JSON:
        return float(text)
    return text


def reads(sql: str) -> bool:
    """Whether a statement is a query, by its first word after comment lines."""
    lines = [line.strip() for line in sql.splitlines()]
    first = next((line for line in lines if line and not line.startswith("--")), "")
    return first.upper().startswith(("SELECT", "WITH"))


def ask(client: Any, params: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
    """Run one query to its end and return its answer.

    Raises:
        AnswerError: it failed, was cancelled, or took longer than the limit.
    """
    begin = time.monotonic()
    query_id = client.start_query_execution(
        QueryString=query["sql"],
        WorkGroup=params["workgroup"],
        QueryExecutionContext={"Database": params["database"]},
        **({"ExecutionParameters": query["parameters"]} if query["parameters"] else {}),
        aws_retry=True,
    )["QueryExecutionId"]
    pause = 0.05
    while True:
        status = client.get_query_execution(QueryExecutionId=query_id, aws_retry=True)["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            break
        if status["State"] in {"FAILED", "CANCELLED"}:
            reason = status.get("StateChangeReason", "Athena gives no reason")
            raise AnswerError(f"Athena's query '{query['name']}' ended as {status['State']}: {reason}")
        if time.monotonic() - begin >= params["timeout"]:
            client.stop_query_execution(QueryExecutionId=query_id, aws_retry=True)
            raise AnswerError(
                f"Athena did not finish the query '{query['name']}' in {params['timeout']} s, so it was cancelled."
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
    return {"name": query["name"], **rows_of(client, query_id), "seconds": round(time.monotonic() - begin, 3)}


def rows_of(client: Any, query_id: str) -> dict[str, Any]:
    """All rows of a SELECT that succeeded; its first row, which repeats the columns' names, is left out."""
    names: list[str] = []
    rows: list[dict[str, Any]] = []
    for page in client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id):
        info = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        skipped = 0 if names else 1
        names = [column["Name"] for column in info]
        for row in page["ResultSet"]["Rows"][skipped:]:
            values = (datum.get("VarCharValue") for datum in row["Data"])
            rows.append({c["Name"]: value_of(value, c["Type"]) for c, value in zip(info, values, strict=True)})
    return {"columns": names, "rows": rows}


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Run the queries; return the module's result."""
    params: dict[str, Any] = module.params
    for query in params["queries"]:
        if not reads(query["sql"]):
            module.fail_json(msg=f"The query '{query['name']}' must begin with SELECT or WITH: this module only reads.")
    client = module.client("athena", retry_decorator=AWSRetry.jittered_backoff())
    with ThreadPoolExecutor(max(1, params["at_once"])) as pool:
        answers = list(pool.map(lambda query: ask(client, params, query), params["queries"]))
    return {"changed": False, "answers": answers}


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec={
            "queries": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "sql": {"type": "str", "required": True},
                    "parameters": {"type": "list", "elements": "str", "default": []},
                },
            },
            "workgroup": {"type": "str", "default": "primary"},
            "database": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 300},
            "at_once": {"type": "int", "default": 4},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except AnswerError as error:
        module.fail_json(msg=str(error))
    except (boto_errors.BotoCoreError, boto_errors.ClientError) as error:
        module.fail_json_aws(error, msg="Athena does not take the queries")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
