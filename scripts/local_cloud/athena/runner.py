"""Runs one statement: in Trino, or against Glue's catalog if it is Hive's DDL."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from moto.athena.models import AthenaBackend, athena_backends

from local_cloud.athena import prepared_statements, statements, writing
from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.statement import EngineSql
from local_cloud.athena.errors import MalformedQueryError, QueryCancelledError, QueryError
from local_cloud.athena.prepared_statements import StatementNotFoundError
from local_cloud.athena.results import Result
from local_cloud.athena.statements import Statement
from local_cloud.athena.values import text_of
from local_cloud.athena.writing import Written
from local_cloud.iam.callers import AccessDeniedError, Caller
from local_cloud.settings import ACCOUNT_ID
from local_cloud.trino import client
from local_cloud.trino.access import Access
from local_cloud.trino.client import Failure, UnavailableError
from local_cloud.trino.engine import TrinoEngine
from local_cloud.trino.files import HIVE, ICEBERG, ROLE_PREFIX

PARSE_LIMIT_SECONDS: Final = 50.0
_PREPARED: Final = "statement"
_ROWS: Final = {"rawType": "bigint", "arguments": []}
_DENIED: Final = re.compile(r"User: \S+ is not authorized to perform: [^(]*?(?= \(Service:|$)")
_LINE: Final = re.compile(r"^line (\d+):")
_UNRESOLVED: Final = " or requester is not authorized to access requested resources"


@dataclass(slots=True)
class Task:
    """A statement under way: in which name and place it runs, what it has cost, and whether it is to stop."""

    id: str
    caller: Caller
    region: str
    database: str
    output_folder: str
    workgroup: str
    parameters: list[str] | None = None
    scan_limit_bytes: int | None = None
    token: str = ""
    scanned_bytes: int = 0
    output_rows: int = 0
    planning_ms: int = 0
    engine_ms: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    stop_reason: str = "Query cancelled by user"
    interrupt: Callable[[], None] | None = None

    def checkpoint(self) -> None:
        """Raises `QueryCancelledError` once the statement is to stop."""
        if self.stop.is_set():
            raise QueryCancelledError(self.stop_reason)


class Runner:
    """Runs statements in Trino, each in the name of its query's caller."""

    def __init__(self, engine: TrinoEngine) -> None:
        self._engine = engine

    def check_syntax(self, text: str) -> None:
        """Lets Trino parse a statement.

        Raises:
            MalformedQueryError: what Trino says is wrong with it.
            UnavailableError: if Trino does not answer.
        """
        address = self._engine.address(PARSE_LIMIT_SECONDS)
        session = client.Session("local-cloud", f"{ROLE_PREFIX}nobody", HIVE, "default")
        try:
            client.Statement(address, session, f"PREPARE {_PREPARED} FROM\n{text}").run()
        except Failure as error:
            message = _LINE.sub(lambda found: f"line {int(found[1]) - 1}:", error.message)
            raise MalformedQueryError(message) from error

    def run(self, statement: Statement, task: Task) -> Result:
        """Runs a statement to its end.

        Raises:
            QueryError: if it fails.
            QueryCancelledError: if it was stopped.
            AccessDeniedError: if the caller may not do what it does.
        """
        begin = time.monotonic()
        try:
            return self._run(statement, task)
        except MalformedQueryError as error:
            raise QueryError("SYNTAX_ERROR", str(error)) from error
        except StatementNotFoundError as error:
            raise QueryError("NOT_FOUND", str(error.message)) from error
        except UnavailableError as error:
            task.checkpoint()
            raise QueryError("GENERIC_INTERNAL_ERROR", str(error)) from error
        finally:
            task.engine_ms = int((time.monotonic() - begin) * 1000)

    def _run(self, statement: Statement, task: Task) -> Result:
        name = statement.name
        if name == "PREPARE":
            prepared_statements.save(_backend(task), task.workgroup, *statements.prepared(statement.text))
            return Result([], is_query=False)
        if name == "DEALLOCATE":
            prepared_statements.remove(_backend(task), task.workgroup, statements.deallocated(statement.text))
            return Result([], is_query=False)
        if statement.ddl is not None:
            return self._run_ddl(statement, task)
        if name == "CREATE_TABLE_AS_SELECT":
            location = f"{task.output_folder}/tables/{task.id}/"
            return self._write(writing.create_table_as(statement.text, task.database, location), task)
        if name == "UNLOAD":
            return self._write(writing.unload(statement.text, task.id), task, unloads=True)
        text = statements.invoker_view(statement.text) if name == "CREATE_VIEW" else statement.text
        with self._access(task) as access:
            result = self._ask(text, task, access, is_query=statement.is_query)
            if name == "INSERT":
                result.files = []
            return result

    def _run_ddl(self, statement: Statement, task: Task) -> Result:
        assert statement.ddl is not None
        done = statement.ddl.run(Catalog(task.region, task.caller), task.database)
        if not isinstance(done, EngineSql):
            return done
        with self._access(task) as access:
            for sql in done.statements:
                self._ask(sql, task, access, is_query=False, properties=dict(done.properties))
        return Result([], is_query=False)

    def _write(self, written: Written, task: Task, *, unloads: bool = False) -> Result:
        """Runs a statement that writes files into a folder that must be empty."""
        if self._files(written.location, task):
            raise QueryError(
                "HIVE_PATH_ALREADY_EXISTS",
                f"Target directory for table already exists: {written.location}. You may need to manually clean the "
                "data at location before retrying. Athena will not delete data in your account.",
            )
        with self._access(task, unloads=unloads) as access:
            try:
                result = self._ask(written.sql, task, access, properties=dict(written.properties))
            finally:
                if written.cleanup:
                    self._statement(written.cleanup, task, {}).run()
        result.files = self._files(written.location, task)
        return result

    @staticmethod
    def _files(location: str, task: Task) -> list[str]:
        try:
            return [stored.url for stored in Catalog(task.region, task.caller).files(location)]
        except ValueError as error:
            raise QueryError("INVALID_TABLE_PROPERTY", str(error)) from error

    def _access(self, task: Task, *, unloads: bool = False) -> contextlib.AbstractContextManager[Access]:
        return self._engine.accesses.open(task.id, Access(task.caller, task.region, unloads=unloads))

    def _statement(self, sql: str, task: Task, properties: dict[str, str]) -> client.Statement:
        role = self._engine.accesses.role_of(task.caller)
        session = client.Session(task.id, role, HIVE, task.database or "default", {}, properties)
        if task.parameters is not None:
            session.prepared = {_PREPARED: sql}
            sql = f"EXECUTE {_PREPARED} USING {', '.join(task.parameters)}"
        return client.Statement(self._engine.address(), session, sql)

    def _ask(
        self,
        sql: str,
        task: Task,
        access: Access,
        *,
        is_query: bool = True,
        properties: dict[str, str] | None = None,
    ) -> Result:
        statement = self._statement(sql, task, properties or {})
        task.interrupt = statement.cancel
        scanned = task.scanned_bytes
        result: Result | None = None
        texts: list[Callable[[Any], str | None]] = []
        try:
            for rows in statement.pages():
                task.checkpoint()
                self._count(statement, task, scanned)
                if not rows or statement.update_type:
                    continue  # what is written has one row, the count
                if result is None:
                    result, texts = _begin(statement, is_query=is_query)
                for row in rows:
                    result.add([text(value) for text, value in zip(texts, row, strict=True)])
        except Failure as error:
            task.checkpoint()
            raise _error(error, access) from error
        except BaseException:
            with contextlib.suppress(UnavailableError):
                statement.cancel()
            raise
        finally:
            task.interrupt = None
        self._count(statement, task, scanned)
        if result is None:
            result, _ = _begin(statement, is_query=is_query)
        result.update_count = statement.update_count if statement.update_type else None
        task.output_rows = result.row_count
        return result

    @staticmethod
    def _count(statement: client.Statement, task: Task, before: int) -> None:
        task.scanned_bytes = before + int(statement.statistics.get("physicalInputBytes", 0))
        task.planning_ms = int(statement.statistics.get("planningTimeMillis", 0))
        if task.scan_limit_bytes is not None and task.scanned_bytes > task.scan_limit_bytes:
            raise QueryCancelledError("Query cancelled! : Bytes scanned limit was exceeded")


def _backend(task: Task) -> AthenaBackend:
    return athena_backends[ACCOUNT_ID][task.region]


def _begin(statement: client.Statement, *, is_query: bool) -> tuple[Result, list[Callable[[Any], str | None]]]:
    if statement.update_type:
        return Result(["rows"], [_ROWS], is_query=False) if statement.update_count is not None else Result([]), []
    names = [column["name"] for column in statement.columns]
    types = [column["typeSignature"] for column in statement.columns]
    return Result(names, types, is_query=is_query), [text_of(kind) for kind in types]


def _error(failure: Failure, access: Access) -> Exception:
    """Trino's failure in Athena's words."""
    if failure.code == "PERMISSION_DENIED" and access.denied:
        return AccessDeniedError(access.denied)
    for cause in failure.causes:
        if denied := _DENIED.search(cause):
            return AccessDeniedError(denied[0])
    message = failure.message.replace(ICEBERG, HIVE)
    if failure.code == "COLUMN_NOT_FOUND" and message.endswith("cannot be resolved"):
        message += _UNRESOLVED
    return QueryError(failure.code, message)
