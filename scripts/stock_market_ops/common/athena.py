"""Queries in Athena, with typed rows.

https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html: every value comes as a string, its
column's type stands beside the rows, a NULL is a datum without a value, and a SELECT's first row repeats the columns.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import DatumTypeDef, GetQueryResultsOutputTypeDef, QueryExecutionTypeDef

    from stock_market_ops.common.deployment import Deployment

Value = str | int | float | bool | None
Row = dict[str, Value]

_INTEGERS = frozenset({"tinyint", "smallint", "integer", "int", "bigint"})
_FLOATS = frozenset({"float", "real", "double"})
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0


class QueryError(Exception):
    """The query did not succeed; the message is Athena's reason, one sentence."""


@dataclass(frozen=True)
class Answer:
    """A finished query: column names in order, its rows, and the bytes that it scanned.

    `is_query` is false for statements of DDL, which Athena runs for nothing.
    """

    columns: list[str]
    rows: list[Row]
    scanned_bytes: int = 0
    is_query: bool = True


def typed(text: str | None, type_name: str) -> Value:
    """Turn Athena's text of a value into the value of its type.

    A double that is no number (NaN, Infinity) becomes None, for JSON has none; dates and nested types stay text.
    """
    if text is None:
        return None
    kind = type_name.partition("(")[0].lower()
    if kind in _INTEGERS:
        return int(text)
    if kind in _FLOATS:
        number = float(text)
        return number if math.isfinite(number) else None
    if kind == "decimal":
        exact = Decimal(text)
        return int(exact) if exact == exact.to_integral_value() else float(exact)
    if kind == "boolean":
        return text.lower() == "true"
    return text


def run(
    client: AthenaClient,
    deployment: Deployment,
    sql: str,
    timeout_seconds: float = 120.0,
    parameters: Sequence[str] = (),
) -> Answer:
    """Run one statement in the deployment's workgroup and database and fetch all its rows.

    `parameters` are SQL literals, one for each `?` of the statement in its order.
    A query that outlives `timeout_seconds`, or whose caller is interrupted, is stopped in Athena too.

    Raises:
        QueryError: FAILED or CANCELLED, or no answer in time.
        botocore's errors: the API refused the call or cannot be reached.
    """
    started = client.start_query_execution(
        QueryString=sql.strip().rstrip(";"),
        QueryExecutionContext={"Database": deployment.database},
        WorkGroup=deployment.workgroup,
        **({"ExecutionParameters": list(parameters)} if parameters else {}),  # type: ignore[arg-type]  # mypy takes the empty dict for one of str
    )
    execution_id = started["QueryExecutionId"]
    try:
        execution = _wait(client, execution_id, timeout_seconds)
    except (KeyboardInterrupt, TimeoutError):
        client.stop_query_execution(QueryExecutionId=execution_id)
        raise
    is_query = execution.get("StatementType", "DML") == "DML"
    scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
    return replace(_fetch(client, execution_id, has_header=is_query), scanned_bytes=scanned, is_query=is_query)


def _wait(client: AthenaClient, execution_id: str, timeout_seconds: float) -> QueryExecutionTypeDef:
    deadline = time.monotonic() + timeout_seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        execution = client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
        status = execution["Status"]
        if status["State"] == "SUCCEEDED":
            return execution
        if status["State"] in {"FAILED", "CANCELLED"}:
            reason = " ".join(status.get("StateChangeReason", "").split())
            raise QueryError(reason or f"Athena ended the query as {status['State']} without a reason.")
        if time.monotonic() + pause > deadline:
            raise QueryTimeoutError(
                f"Athena gave no answer in {timeout_seconds:.0f} s; the query was stopped. "
                "Ask fewer days, or allow it more time: ARGS='--timeout 600'."
            )
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


class QueryTimeoutError(QueryError, TimeoutError):
    """The query ran longer than the caller would wait, and was stopped."""


def _fetch(client: AthenaClient, execution_id: str, *, has_header: bool) -> Answer:
    columns: list[str] = []
    rows: list[Row] = []
    pages: Iterator[GetQueryResultsOutputTypeDef] = iter(
        client.get_paginator("get_query_results").paginate(QueryExecutionId=execution_id)
    )
    for page in pages:
        result_set = page["ResultSet"]
        info = result_set.get("ResultSetMetadata", {}).get("ColumnInfo", [])
        records = [record.get("Data", []) for record in result_set.get("Rows", [])]
        # DDL answers may have values beyond the columns that they declare: MSCK REPAIR TABLE declares none.
        width = max([len(info), *map(len, records)])
        names = [column["Name"] for column in info] + [f"_col{place}" for place in range(len(info), width)]
        if not columns:
            columns = _distinct(names)
            if has_header:
                records = records[1:]
        columns += names[len(columns) :]
        types = [column["Type"] for column in info] + ["varchar"] * (len(columns) - len(info))
        rows.extend(_row(columns, types, record) for record in records)
    return Answer(columns, rows)


def _row(columns: list[str], types: list[str], record: list[DatumTypeDef]) -> Row:
    # DDL answers (SHOW, DESCRIBE) may hold fewer values than columns in a row.
    texts = [datum.get("VarCharValue") for datum in record] + [None] * (len(columns) - len(record))
    return {name: typed(text, kind) for name, kind, text in zip(columns, types, texts, strict=True)}


def _distinct(names: list[str]) -> list[str]:
    """Number repeated column names, so that a row as an object loses none."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result
