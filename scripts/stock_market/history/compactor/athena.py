"""Queries in Athena: started, waited for, and stopped when they take too long or the program has to end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stock_market.errors import ServiceError
from stock_market.logs import Log
from stock_market.service import Stop

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

_log = Log("history")
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0


class QueryError(ServiceError):
    """A query has failed, was cancelled, or took too long; another try may succeed."""


class StoppedError(ServiceError):
    """The program was asked to end; nothing that it has begun is read by anybody, and the next run begins again."""

    exit_code = 0


class Athena:
    """One workgroup; a query that takes longer than `limit_seconds` is stopped."""

    def __init__(self, client: AthenaClient, workgroup: str, database: str, limit_seconds: float, stop: Stop) -> None:
        self._client = client
        self._workgroup = workgroup
        self._database = database
        self._limit = limit_seconds
        self._stop = stop

    def run(self, sql: str, what: str) -> str:
        """Runs a statement to its end; returns its id.

        Args:
            sql: the statement.
            what: names it in the sentence, such as "UNLOAD of 2026-11-29 12".

        Raises:
            QueryError: it did not succeed.
            StoppedError: the program has to end.
            botocore's errors: Athena does not answer, or refuses the statement.
        """
        # botocore adds a ClientRequestToken, so that a call that it repeats starts no second query.
        query = self._client.start_query_execution(
            QueryString=sql, QueryExecutionContext={"Database": self._database}, WorkGroup=self._workgroup
        )["QueryExecutionId"]
        try:
            self._wait(query, what)
        except BaseException:
            self._client.stop_query_execution(QueryExecutionId=query)
            raise
        return query

    def _wait(self, query: str, what: str) -> None:
        began, pause = time.monotonic(), _FIRST_PAUSE_SECONDS
        while True:
            execution = self._client.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            state, passed = execution["Status"]["State"], time.monotonic() - began
            if state == "SUCCEEDED":
                scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
                _log.info("query_done", what=what, query=query, seconds=passed, scanned=scanned)
                return
            if state in ("FAILED", "CANCELLED"):
                reason = " ".join(execution["Status"].get("StateChangeReason", "").split())
                raise QueryError(f"Athena ended the {what} as {state}: {reason or 'no reason given'} ({query})")
            if passed > self._limit:
                raise QueryError(f"the {what} took longer than {self._limit:g} s and was stopped ({query})")
            if self._stop.wait(pause):
                raise StoppedError(f"asked to end during the {what}, which was stopped ({query})")
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def rows(self, sql: str, what: str) -> list[list[str | None]]:
        """Runs a SELECT; returns its rows without the names of the columns, NULL as None.

        Raises:
            as `run`.
        """
        query = self.run(sql, what)
        found: list[list[str | None]] = []
        for page in self._client.get_paginator("get_query_results").paginate(QueryExecutionId=query):
            for row in page["ResultSet"]["Rows"]:
                found.append([one.get("VarCharValue") for one in row["Data"]])
        return found[1:]
