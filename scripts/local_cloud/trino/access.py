"""What a statement may do: Trino asks before it touches a table, and the caller's own IAM policies answer.

The questions are those of Trino's plugin for the Open Policy Agent
(https://trino.io/docs/476/security/opa-access-control.html). The user of a statement is its query's id, so that the
answer is about the caller who has started that query. What it reads and writes in S3, Trino asks in the caller's name
itself, by a role that stands for the caller.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_cloud.athena.catalog import SERVICE, Catalog
from local_cloud.iam.callers import AccessDeniedError, Caller, administrator
from local_cloud.iam.policy import UnsupportedPolicyError
from local_cloud.trino.files import HIVE, ICEBERG, OWN_ROLE, ROLE_PREFIX, UNLOAD, write_roles

_TABLES = (HIVE, ICEBERG)
_INFORMATION = "information_schema"
# Every caller may; who sees which table is asked table by table.
_OPEN = frozenset(
    {
        *("ExecuteQuery", "FilterCatalogs", "ShowSchemas", "ShowFunctions", "ExecuteFunction", "FilterFunctions"),
        *("SetSystemSessionProperty", "SetCatalogSessionProperty", "FilterViewQueryOwnedBy", "FilterFunctions"),
    }
)
# Glue's actions for what is done to a table, beside reading its description.
_CHANGES = {
    "CreateTable": ("glue:CreateTable",),
    "CreateView": ("glue:CreateTable",),
    "DropTable": ("glue:DeleteTable",),
    "DropView": ("glue:DeleteTable",),
    "RenameTable": ("glue:CreateTable", "glue:DeleteTable"),
    **dict.fromkeys(
        (
            *("InsertIntoTable", "DeleteFromTable", "UpdateTableColumns", "TruncateTable", "SetTableProperties"),
            *("AddColumn", "AlterColumn", "DropColumn", "RenameColumn", "SetTableComment", "SetColumnComment"),
            "ExecuteTableProcedure",
        ),
        ("glue:UpdateTable",),
    ),
}
_READS = frozenset({"SelectFromColumns", "CreateViewWithSelectFromColumns", "ShowColumns", "ShowCreateTable"})
_FILTERS = frozenset({"FilterTables", "FilterColumns"})


class Access:
    """What the statements of one query may do. `denied` is what was refused, in AWS's words."""

    def __init__(self, caller: Caller, region: str, *, unloads: bool) -> None:
        self._catalog = Catalog(region, caller)
        self._unloads = unloads
        self.denied = ""

    def allows(self, action: Mapping[str, Any]) -> bool:
        """The answer to one of Trino's questions."""
        try:
            return self._allows(action["operation"], action.get("resource") or {}, action.get("targetResource") or {})
        except AccessDeniedError as error:
            if action["operation"] not in _FILTERS:
                self.denied = str(error)
        except UnsupportedPolicyError as error:
            self.denied = f"The local cloud can't judge a policy with {error}"
        return False

    def _allows(self, operation: str, resource: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
        if operation in _OPEN:
            return True
        if operation == "AccessCatalog":
            return resource["catalog"]["name"] in (*_TABLES, *((UNLOAD,) if self._unloads else ()))
        if operation in {"FilterSchemas", "ShowTables"}:
            return self._schema(operation, resource["schema"])
        table = resource.get("table")
        if table is None:
            return False
        if table["catalogName"] == UNLOAD:
            return self._unloads
        return table["catalogName"] in _TABLES and self._table(operation, table, (target or {}).get("table"))

    def _schema(self, operation: str, schema: Mapping[str, Any]) -> bool:
        name = schema["schemaName"]
        if name == _INFORMATION:
            return True
        if operation == "FilterSchemas":
            self._catalog.authorize_database("glue:GetDatabases", "*")
        else:
            self._catalog.authorize_table("glue:GetTables", name, "*")
        return True

    def _table(self, operation: str, table: Mapping[str, Any], target: Mapping[str, Any] | None) -> bool:
        # "quotes$partitions" is about the table quotes.
        schema, name = table["schemaName"], table["tableName"].partition("$")[0]
        if schema == _INFORMATION:
            return operation in _READS or operation in _FILTERS
        if operation in _FILTERS:
            self._catalog.authorize_table("glue:GetTables", schema, "*")
            return True
        if operation in _READS:
            self._catalog.authorize_table("glue:GetTable", schema, name)
            self._catalog.authorize_database("glue:GetDatabase", schema)
            if self._catalog.is_partitioned(schema, name):
                self._catalog.authorize_table("glue:GetPartitions", schema, name)
            return True
        if operation not in _CHANGES:
            return False
        for action in _CHANGES[operation]:
            self._catalog.authorize_table(action, schema, name)
        if target is not None:
            self._catalog.authorize_table("glue:CreateTable", target["schemaName"], target["tableName"])
        if operation == "InsertIntoTable" and self._catalog.is_partitioned(schema, name):
            self._catalog.authorize_table("glue:BatchCreatePartition", schema, name)
        return True


class Accesses:
    """The queries under way, by their ids, and the roles that stand for their callers."""

    def __init__(self, directory: Path) -> None:
        """Keeps the list of the roles in Trino's `directory`."""
        self._directory = directory
        self._lock = threading.Lock()
        self._queries: dict[str, Access] = {}
        self._callers: dict[str, Caller] = {}
        write_roles(directory, ())

    @contextmanager
    def open(self, query_id: str, access: Access) -> Iterator[Access]:
        """Answers questions about the query while the context lasts."""
        with self._lock:
            self._queries[query_id] = access
        try:
            yield access
        finally:
            with self._lock:
                del self._queries[query_id]

    def allows(self, question: Mapping[str, Any]) -> bool:
        """The answer to the body of one of Trino's questions; no for a query that is not under way."""
        asked = question["input"]
        user = asked["context"]["identity"]["user"]
        if user == "local-cloud":  # the engine's own start
            return True
        with self._lock:
            access = self._queries.get(user)
        return access is not None and access.allows(asked["action"])

    def role_of(self, caller: Caller) -> str:
        """The ARN of the role that stands for a caller in what Trino asks of S3."""
        through = caller.through(SERVICE)
        name = hashlib.sha256(repr((caller.arn, caller.names, caller.via, caller.account_id)).encode()).hexdigest()[:32]
        with self._lock:
            is_new = name not in self._callers
            self._callers[name] = through
            if is_new:
                write_roles(self._directory, self._callers)
        return f"{ROLE_PREFIX}{name}"

    def caller_of(self, role: str) -> Caller | None:
        """Who is meant by a role of `role_of`, None if it is another role."""
        if role == OWN_ROLE:
            return administrator()
        with self._lock:
            return self._callers.get(role.removeprefix(ROLE_PREFIX)) if role.startswith(ROLE_PREFIX) else None
