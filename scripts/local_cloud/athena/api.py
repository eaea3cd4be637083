"""Athena for moto: its calls answered by real queries over the objects of Glue's tables."""

from __future__ import annotations

import functools
import json
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any, Final, TypeVar

from moto.athena.models import AthenaBackend, WorkGroup
from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError
from moto.s3.models import s3_backends

from local_cloud.athena import catalog_api, named_queries, prepared_statements, requests, statements, workgroups
from local_cloud.athena.catalog import CATALOG, SERVICE
from local_cloud.athena.catalog_api import plain_name
from local_cloud.athena.errors import MalformedQueryError
from local_cloud.athena.executions import CONCURRENT_QUERIES, ENGINE, TIMEOUT_SECONDS, Execution, Executor
from local_cloud.athena.hive.tokens import NOT_SUPPORTED_TYPE
from local_cloud.athena.prepared_statements import StatementNotFoundError
from local_cloud.athena.requests import Answer, Request
from local_cloud.athena.results import StoredResult
from local_cloud.athena.runner import Runner, Task
from local_cloud.athena.statements import Statement
from local_cloud.athena.workgroups import invalid_request
from local_cloud.glue.objects import split_s3_url
from local_cloud.iam.callers import AccessDeniedError, Caller, current_caller
from local_cloud.settings import ACCOUNT_ID
from local_cloud.trino.client import UnavailableError
from local_cloud.trino.engine import TrinoEngine

Item = TypeVar("Item")
MAX_QUERY_BYTES = 262_144
# What is read here and not by the engine.
_OWN: Final = frozenset({"PREPARE", "DEALLOCATE"})


class _State:
    executor: Executor | None = None
    runner: Runner | None = None
    work_group_made: Callable[[], None] = lambda: None
    lock = threading.Lock()
    starting: Final[set[str]] = set()
    """The ClientRequestTokens of requests that are being looked at."""
    started = threading.Condition()


def install(
    engine: TrinoEngine,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    concurrent_queries: int = CONCURRENT_QUERIES,
    work_group_made: Callable[[], None] = lambda: None,
) -> Executor:
    """Puts Athena over a Trino into moto.

    Args:
        engine: the Trino; it may still be starting.
        timeout_seconds: how long a query may take.
        concurrent_queries: how many run at a time; further ones wait.
        work_group_made: is called after each CreateWorkGroup.

    Returns:
        what runs the queries; its `close` is to be called at the end, before the engine's.
    """
    with _State.lock:
        if _State.executor is not None:
            _State.executor.close()
        _State.runner = Runner(engine)
        _State.work_group_made = work_group_made
        _State.executor = Executor(
            _State.runner, timeout_seconds=timeout_seconds, concurrent_queries=concurrent_queries
        )
        for name, handler in HANDLERS.items():
            setattr(AthenaResponse, name, handler)
        return _State.executor


def _executor() -> Executor:
    if _State.executor is None:
        raise RuntimeError("athena.api.install has not been called")
    return _State.executor


def _check_syntax(statement: Statement) -> None:
    """Refuses what is no SQL, or none that Athena has."""
    assert _State.runner is not None
    try:
        if statement.ddl is None and statement.name not in _OWN:
            _State.runner.check_syntax(statements.body_of(statement))
    except MalformedQueryError as error:
        raise _malformed(str(error)) from error
    except UnavailableError as error:
        failure = JsonRESTError("InternalServerException", str(error))
        failure.code = 500  # so that clients ask again
        raise failure from error
    if not statement.kind:
        raise _malformed(NOT_SUPPORTED_TYPE)


def _malformed(message: str) -> JsonRESTError:
    error = invalid_request(message)
    error.description = json.dumps(
        {"__type": "InvalidRequestException", "message": message, "AthenaErrorCode": "MALFORMED_QUERY"}
    )
    return error


def _find(response: AthenaResponse, execution_id: str) -> Execution:
    found = response.athena_backend.executions.get(execution_id)
    if not isinstance(found, Execution):
        raise invalid_request(f"QueryExecution {execution_id} was not found")
    return found


def _executions(backend: AthenaBackend, workgroup: str) -> list[Execution]:
    """A workgroup's queries, the newest first."""
    every: list[Any] = list(backend.executions.values())
    return [e for e in reversed(every) if isinstance(e, Execution) and e.task.workgroup == workgroup]


def start_query_execution(self: AthenaResponse, request: Request) -> Answer:
    token = request.get("ClientRequestToken")
    if not token:
        return _start(self.athena_backend, request)
    # A client that heard nothing asks again while the first request is still being looked at.
    with _State.started:
        _State.started.wait_for(lambda: token not in _State.starting)
        _State.starting.add(token)
    try:
        return _start(self.athena_backend, request)
    finally:
        with _State.started:
            _State.starting.remove(token)
            _State.started.notify_all()


def _start(backend: AthenaBackend, request: Request) -> Answer:
    group = workgroups.find(backend, request.get("WorkGroup") or "primary")
    if group.state != "ENABLED":
        raise invalid_request(f"WorkGroup {group.name} is disabled.")
    token = request.get("ClientRequestToken")
    for known in _executions(backend, group.name) if token else ():
        if known.task.token == token:
            if known.query != request["QueryString"]:
                raise invalid_request("Idempotent parameters do not match")
            return {"QueryExecutionId": known.id}
    query = request["QueryString"]
    if len(query.encode()) > MAX_QUERY_BYTES:
        raise invalid_request(f"The query string is longer than {MAX_QUERY_BYTES} bytes.")
    context = request.get("QueryExecutionContext") or {}
    catalog_name = context.get("Catalog") or "AwsDataCatalog"
    if plain_name(catalog_name) != CATALOG:
        raise invalid_request(f"Catalog {catalog_name} is not supported by the local cloud.")
    configuration = _result_configuration(group.configuration, request.get("ResultConfiguration") or {})
    caller = current_caller()
    _check_bucket(configuration["OutputLocation"], caller)
    parameters = request.get("ExecutionParameters")
    try:
        statement = statements.parse(query)
        if statement.name == "EXECUTE":
            name, values = statements.executed(statement.text)
            parameters = [*values, *(parameters or [])] or None
            statement = statements.parse(prepared_statements.find(backend, group.name, name).query)
    except MalformedQueryError as error:
        raise _malformed(str(error)) from error
    except StatementNotFoundError as error:
        raise invalid_request(f"NOT_FOUND: {error.message}") from error
    _check_syntax(statement)
    query_id = str(uuid.uuid4())
    task = Task(
        id=query_id,
        caller=caller,
        region=backend.region_name,
        database=plain_name(context.get("Database") or ""),
        output_folder=configuration["OutputLocation"].rstrip("/"),
        workgroup=group.name,
        parameters=parameters,
        scan_limit_bytes=group.configuration.get("BytesScannedCutoffPerQuery"),
        token=token or "",
    )
    execution = Execution(
        id=query_id,
        query=query,
        statement=statement,
        catalog_name=catalog_name,
        result_configuration=configuration,
        parameters=request.get("ExecutionParameters"),
        task=task,
    )
    reuse = (request.get("ResultReuseConfiguration") or {}).get("ResultReuseByAgeConfiguration") or {}
    if reuse.get("Enabled"):
        execution.reuse = {"ResultReuseByAgeConfiguration": reuse}
        execution.reuse_from(_executions(backend, group.name), reuse.get("MaxAgeInMinutes", 60) * 60)
    backend.executions[execution.id] = execution  # type: ignore[assignment]  # moto's own is replaced, or has no types
    if not execution.is_reused:
        _executor().submit(execution)
    return {"QueryExecutionId": execution.id}


def _result_configuration(group: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Where the result goes and how it is encrypted: an enforcing workgroup's own settings win."""
    own = group.get("ResultConfiguration") or {}
    configuration = dict(own) if group.get("EnforceWorkGroupConfiguration") else {**own, **asked}
    location = configuration.get("OutputLocation")
    if not location:
        raise invalid_request(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    return configuration


def _check_bucket(location: str, caller: Caller) -> None:
    try:
        bucket, _ = split_s3_url(location)
    except ValueError as error:
        raise invalid_request(f"outputLocation is not a valid S3 path: {location}") from error
    if bucket not in s3_backends[ACCOUNT_ID]["aws"].buckets:
        raise invalid_request(f"Unable to verify/create output bucket {bucket}")
    try:
        caller.through(SERVICE).authorize("s3:GetBucketLocation", f"arn:aws:s3:::{bucket}")
    except AccessDeniedError as error:
        raise invalid_request(f"Unable to verify/create output bucket {bucket}. {error}") from error


def get_query_execution(self: AthenaResponse, request: Request) -> Answer:
    return {"QueryExecution": _find(self, request["QueryExecutionId"]).as_dict()}


def batch_get_query_execution(self: AthenaResponse, request: Request) -> Answer:
    find = functools.partial(_find, self)
    ids = request["QueryExecutionIds"]
    found, missing = requests.batch(ids, find, "QueryExecutionId", "INVALID_QUERY_EXECUTION_ID")
    return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}


def list_query_executions(self: AthenaResponse, request: Request) -> Answer:
    group = workgroups.find(self.athena_backend, request.get("WorkGroup") or "primary")
    ids = [execution.id for execution in _executions(self.athena_backend, group.name)]
    return requests.answer("QueryExecutionIds", *_page(ids, request, 50))


def stop_query_execution(self: AthenaResponse, request: Request) -> Answer:
    _executor().stop(_find(self, request["QueryExecutionId"]))
    return {}


def get_query_results(self: AthenaResponse, request: Request) -> Answer:
    """Rows come back from the output location, as Athena's do: the header is a SELECT's first row."""
    execution = _find(self, request["QueryExecutionId"])
    if execution.state != "SUCCEEDED":
        if execution.state in {"QUEUED", "RUNNING"}:
            raise invalid_request(f"Query has not yet finished. Current state: {execution.state}")
        raise invalid_request(f"Query did not finish successfully. Final query state: {execution.state}")
    try:
        stored = StoredResult(execution.output_location, current_caller())
        columns, rows, update_count = stored.read()
    except AccessDeniedError as error:
        raise JsonRESTError("AccessDeniedException", str(error)) from error
    except FileNotFoundError as error:
        raise invalid_request(f"Could not find results: {error} does not exist in S3") from error
    page, token = _page(rows, request, 1000)
    data = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in page]
    told = {"Rows": data, "ResultSetMetadata": {"ColumnInfo": columns}}
    answer = {"UpdateCount": update_count, "ResultSet": told}
    return answer if token is None else answer | {"NextToken": token}


def _page(items: list[Item], request: dict[str, Any], most: int) -> tuple[list[Item], str | None]:
    """A page of a list that keeps its order, and the token of the next page, None after the last: where it begins."""
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise invalid_request(f"Invalid pagination token: {token}")
    start, limit = int(token), int(request.get("MaxResults") or most)
    end = start + limit
    return items[start:end], str(end) if end < len(items) else None


def get_query_runtime_statistics(self: AthenaResponse, request: Request) -> Answer:
    execution = _find(self, request["QueryExecutionId"])
    statistics = execution.statistics()
    timeline = {key: value for key, value in statistics.items() if key.endswith("InMillis")}
    rows = {"InputBytes": statistics["DataScannedInBytes"], "OutputRows": execution.task.output_rows}
    return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}


def create_work_group(self: AthenaResponse, request: Request) -> Answer:
    configuration = request.get("Configuration") or {}
    workgroups.check(configuration)
    created = self.athena_backend.create_work_group(
        request["Name"], configuration, request.get("Description") or "", request.get("Tags") or []
    )
    if created is None:
        raise invalid_request("WorkGroup already exists")
    workgroups.created(created)
    _State.work_group_made()
    return {}


def get_work_group(self: AthenaResponse, request: Request) -> Answer:
    group = workgroups.find(self.athena_backend, request["WorkGroup"])
    described = self.athena_backend.get_work_group(group.name) or {}
    return {"WorkGroup": {**described, "CreationTime": workgroups.created(group)}}


def list_work_groups(self: AthenaResponse, request: Request) -> Answer:
    """ListWorkGroups: by name."""
    groups = list(self.athena_backend.work_groups.values())
    found, token = requests.page(groups, lambda group: group.name, request)
    return requests.answer("WorkGroups", [_workgroup_summary(group) for group in found], token)


def _workgroup_summary(group: WorkGroup) -> dict[str, Any]:
    engine = group.configuration["EngineVersion"]
    summary = {
        "Name": group.name,
        "State": group.state,
        "EngineVersion": engine,
        "CreationTime": workgroups.created(group),
    }
    return summary | ({"Description": group.description} if group.description else {})


def list_engine_versions(self: AthenaResponse, request: Request) -> Answer:  # noqa: ARG001  # as all calls have it
    """ListEngineVersions: there is one, and AUTO is that one."""
    versions = [{"SelectedEngineVersion": name, "EffectiveEngineVersion": ENGINE} for name in ("AUTO", ENGINE)]
    return requests.answer(
        "EngineVersions", *requests.page(versions, lambda one: one["SelectedEngineVersion"], request)
    )


def update_work_group(self: AthenaResponse, request: Request) -> Answer:
    workgroups.update(workgroups.find(self.athena_backend, request["WorkGroup"]), request)
    return {}


def delete_work_group(self: AthenaResponse, request: Request) -> Answer:
    name = request["WorkGroup"]
    executions = _executions(self.athena_backend, name)
    workgroups.find(self.athena_backend, name)
    recursive = bool(request.get("RecursiveDeleteOption"))
    if recursive:
        for execution in executions:
            _executor().stop(execution)
    workgroups.delete(
        self.athena_backend, name, recursive=recursive, executions=[execution.id for execution in executions]
    )
    return {}


def list_tags_for_resource(self: AthenaResponse, request: Request) -> Answer:
    arn = request["ResourceARN"]
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind == "workgroup":
        workgroups.find(self.athena_backend, name)
    return self.athena_backend.tagger.list_tags_for_resource(arn)


_MODULES = (sys.modules[__name__], catalog_api, named_queries, prepared_statements)
HANDLERS = {name: call for module in _MODULES for name, call in requests.handlers(module).items()}
