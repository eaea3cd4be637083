"""The life of a query: QUEUED, RUNNING and then SUCCEEDED, FAILED or CANCELLED, never another word than the truth."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from local_cloud.athena.errors import QueryCancelledError, QueryError
from local_cloud.athena.results import StoredResult, manifest_of
from local_cloud.athena.runner import Runner, Task
from local_cloud.athena.statements import Statement
from local_cloud.iam.callers import AccessDeniedError
from local_cloud.iam.policy import UnsupportedPolicyError

LOG = logging.getLogger(__name__)

ENGINE = "Athena engine version 3"
CONCURRENT_QUERIES = 4
TIMEOUT_SECONDS = 1800.0  # Athena's own limit for DML: 30 minutes
_DONE = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
_WRITES = frozenset({"CREATE_TABLE_AS_SELECT", "INSERT", "UNLOAD"})


def _suffix(statement: Statement) -> str:
    if statement.name in {"CREATE_TABLE_AS_SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"}:
        return ""  # these have no rows of their own
    return ".csv" if statement.is_query else ".txt"


@dataclass
class Execution:
    """One query, from StartQueryExecution on, and the task that runs it in its caller's name."""

    id: str
    query: str
    statement: Statement
    catalog_name: str
    result_configuration: dict[str, Any]
    parameters: list[str] | None
    task: Task
    state: str = "QUEUED"
    reason: str = ""
    submitted: float = field(default_factory=time.time)
    started: float | None = None
    completed: float | None = None
    is_reused: bool = False
    reuse: dict[str, Any] = field(default_factory=lambda: {"ResultReuseByAgeConfiguration": {"Enabled": False}})

    def __post_init__(self) -> None:
        location = self.result_configuration["OutputLocation"].rstrip("/")
        folder = "tables/" if self.statement.name == "CREATE_TABLE_AS_SELECT" else ""
        output = f"{location}/{folder}{self.id}{_suffix(self.statement)}"
        self.result_configuration = {**self.result_configuration, "OutputLocation": output}

    def reuse_from(self, earlier: Iterable[Execution], age: float) -> None:
        """Takes over the result of the same query, if one has succeeded in the last `age` seconds.

        Only a query's is reused, and only where the caller is the same, with the same database and parameters.
        """

        def asked(one: Execution) -> tuple[object, ...]:
            return one.task.caller.arn, one.query, one.task.database, one.parameters, one.catalog_name

        for other in earlier:
            if (
                other.state == "SUCCEEDED"
                and not other.is_reused
                and other.statement.name == "SELECT"
                and (other.completed or 0) > time.time() - age
                and asked(other) == asked(self)
            ):
                self.result_configuration = other.result_configuration
                self.task.output_rows = other.task.output_rows
                self.started = self.completed = time.time()
                self.is_reused, self.state = True, "SUCCEEDED"
                return

    @property
    def output_location(self) -> str:
        """The result's address in S3."""
        return str(self.result_configuration["OutputLocation"])

    def as_dict(self) -> dict[str, Any]:
        """The query in the API's words."""
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted}
        if self.completed is not None:
            status["CompletionDateTime"] = self.completed
        if self.reason:
            status["StateChangeReason"] = self.reason
            status["AthenaError"] = {
                "ErrorCategory": 2,
                "ErrorType": 1006 if "NOT_FOUND" in self.reason else 1000,
                "Retryable": False,
                "ErrorMessage": self.reason,
            }
        context = {"Catalog": self.catalog_name} | ({"Database": self.task.database} if self.task.database else {})
        description: dict[str, Any] = {
            "QueryExecutionId": self.id,
            "Query": self.query,
            "StatementType": self.statement.kind,
            "SubstatementType": self.statement.name,
            "ResultConfiguration": self.result_configuration,
            "ResultReuseConfiguration": self.reuse,
            "QueryExecutionContext": context,
            "Status": status,
            "Statistics": self.statistics(),
            "WorkGroup": self.task.workgroup,
            "EngineVersion": {
                "SelectedEngineVersion": "AUTO",
                "EffectiveEngineVersion": ENGINE,
            },
        }
        if self.parameters is not None:
            description["ExecutionParameters"] = self.parameters
        return description

    def statistics(self) -> dict[str, Any]:
        """What the query has cost, in milliseconds and bytes; while it runs, so far."""
        end = self.completed or time.time()
        queued = (self.started or end) - self.submitted
        statistics: dict[str, Any] = {
            "EngineExecutionTimeInMillis": self.task.engine_ms,
            "DataScannedInBytes": self.task.scanned_bytes,
            "TotalExecutionTimeInMillis": round((end - self.submitted) * 1000),
            "QueryQueueTimeInMillis": round(queued * 1000),
            "ServicePreProcessingTimeInMillis": 0,
            "QueryPlanningTimeInMillis": self.task.planning_ms,
            "ServiceProcessingTimeInMillis": 0,
            "ResultReuseInformation": {"ReusedPreviousResult": self.is_reused},
        }
        if self.statement.name in _WRITES and self.state == "SUCCEEDED":
            statistics["DataManifestLocation"] = manifest_of(self.output_location)
        return statistics


class Executor:
    """Runs queries, a few at a time; the others wait in the state QUEUED."""

    def __init__(self, runner: Runner, *, timeout_seconds: float, concurrent_queries: int) -> None:
        self._runner = runner
        self._timeout = timeout_seconds
        self._pool = ThreadPoolExecutor(concurrent_queries, thread_name_prefix="athena")
        self._lock = threading.Lock()
        self._active: dict[str, Execution] = {}

    def submit(self, execution: Execution) -> None:
        """Queues a query."""
        with self._lock:
            self._active[execution.id] = execution
        self._pool.submit(self._run, execution)

    def stop(self, execution: Execution, reason: str = "Query cancelled by user") -> None:
        """Cancels a query; one that has ended stays as it is."""
        if execution.state in _DONE:
            return
        execution.task.stop_reason = reason
        execution.task.stop.set()
        interrupt = execution.task.interrupt
        if interrupt is not None:
            interrupt()
        if execution.state == "QUEUED":
            self._finish(execution, "CANCELLED", reason)

    def close(self) -> None:
        """Cancels what is under way and waits for it to end."""
        with self._lock:
            active = list(self._active.values())
        for execution in active:
            self.stop(execution, "The local cloud is stopping")
        self._pool.shutdown(wait=False, cancel_futures=True)
        while any(execution.state == "RUNNING" for execution in active):
            for execution in active:
                self.stop(execution, "The local cloud is stopping")
            time.sleep(0.02)
        self._pool.shutdown(wait=True)

    def _run(self, execution: Execution) -> None:
        if execution.state in _DONE:
            return
        execution.started = time.time()
        execution.state = "RUNNING"
        too_long = f"Query timeout: it took longer than {self._timeout:.0f} seconds"
        timer = threading.Timer(self._timeout, self.stop, args=(execution, too_long))
        timer.daemon = True
        timer.start()
        try:
            result = self._runner.run(execution.statement, execution.task)
            execution.task.checkpoint()
            StoredResult(execution.output_location, execution.task.caller).write(result)
            self._finish(execution, "SUCCEEDED", "")
        except QueryError as error:
            self._finish(execution, "FAILED", str(error))
        except AccessDeniedError as error:
            self._finish(execution, "FAILED", f"Insufficient permissions to execute the query. {error}")
        except UnsupportedPolicyError as error:
            self._finish(execution, "FAILED", f"NOT_SUPPORTED: The local cloud can't judge a policy with {error}")
        except QueryCancelledError as error:
            timed_out = execution.task.stop_reason.startswith("Query timeout")
            self._finish(execution, "FAILED" if timed_out else "CANCELLED", str(error))
        except LookupError as error:
            self._finish(execution, "FAILED", f"HIVE_FILESYSTEM_ERROR: The output bucket does not exist: {error}")
        except Exception as error:  # the thread's last resort: who waits must see that it has failed
            LOG.exception("query %s", execution.id)
            self._finish(execution, "FAILED", f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}")
        finally:
            timer.cancel()

    def _finish(self, execution: Execution, state: str, reason: str) -> None:
        with self._lock:
            self._active.pop(execution.id, None)
            if execution.state in _DONE:
                return
            execution.completed = time.time()
            execution.reason = reason
            execution.state = state
