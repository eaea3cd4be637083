"""Glue's tables: their versions, which an update has to know, and lists of tables and databases in pages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.glue.exceptions import EntityNotFoundException, PartitionAlreadyExistsException, PartitionNotFoundException
from moto.glue.models import FakePartition, FakeTable
from moto.glue.responses import GlueResponse

from local_cloud.api.lists import matching
from local_cloud.glue import requests
from local_cloud.glue.requests import Request
from local_cloud.settings import ACCOUNT_ID

# Of two changes at once, one is the first.
_changing = threading.Lock()
_UNSERVED_IN_CREATE = ("OpenTableFormatInput", "PartitionIndexes", "TransactionId")
_UNSERVED_IN_UPDATE = ("TransactionId", "UpdateOpenTableFormatInput", "ViewUpdateAction")


class Partition(FakePartition):
    """A partition of moto's that tells its catalog."""

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"CatalogId": ACCOUNT_ID}


class Table(FakeTable):
    """A table of moto's whose versions count from 0, with the statistics of its columns.

    Attributes:
        column_statistics: by the values of a partition, () for the table itself, and by column.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.versions = {"0": self.versions.pop(str(self._current_version))}
        self._current_version = 0
        self.column_statistics: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}

    @property
    def current(self) -> dict[str, Any]:
        """The table's description."""
        return self.versions[str(self._current_version)]

    def column_names(self) -> set[str]:
        """The names of its columns and partition keys."""
        storage = self.current.get("StorageDescriptor") or {}
        columns = [*(storage.get("Columns") or ()), *(self.current.get("PartitionKeys") or ())]
        return {column["Name"] for column in columns}

    def replace(self, description: dict[str, Any], *, version: str | None, archive: bool) -> None:
        """Gives the table a new description and the next version.

        Args:
            description: the whole new description.
            version: the version that it is meant to replace; None replaces any.
            archive: whether the old one is kept.

        Raises:
            JsonRESTError: ConcurrentModificationException if the table has another version by now.
        """
        with _changing:
            current = str(self._current_version)
            if version is not None and version != current:
                message = "Update table failed due to concurrent modifications."
                raise JsonRESTError("ConcurrentModificationException", message)
            self.update(description)
            if not archive:
                del self.versions[current]

    def delete_version(self, version_id: str) -> None:
        """Forgets an old version.

        Raises:
            EntityNotFoundException: there is none of that number.
            JsonRESTError: InvalidInputException if it is the current one.
        """
        if version_id not in self.versions:
            raise EntityNotFoundException("Table version not found.")
        if version_id == str(self._current_version):
            raise requests.invalid_input("The current version of a table cannot be deleted.")
        del self.versions[version_id]

    def create_partition(self, partiton_input: dict[str, Any]) -> None:
        """Adds a partition.

        Raises:
            JsonRESTError: InvalidInputException if it has not one value for each key.
            PartitionAlreadyExistsException: it is there.
        """
        self._check_values(partiton_input.get("Values") or ())
        with _changing:
            super().create_partition(partiton_input)

    def update_partition(self, old_values: Any, partiton_input: dict[str, Any]) -> None:
        """Gives a partition a new description, and new values if it has others.

        Raises:
            JsonRESTError: InvalidInputException if it has not one value for each key.
            PartitionNotFoundException: there is none of the old values.
            PartitionAlreadyExistsException: there is one of the new values; nothing is changed then.
        """
        new_values = partiton_input.setdefault("Values", old_values)
        self._check_values(new_values)
        if str(old_values) not in self.partitions:
            raise PartitionNotFoundException
        if new_values != old_values and str(new_values) in self.partitions:
            raise PartitionAlreadyExistsException
        super().update_partition(old_values, partiton_input)
        known = self.column_statistics.pop(tuple(old_values), None)
        if known is not None:
            self.column_statistics[tuple(new_values)] = known

    def _check_values(self, values: Sequence[str]) -> None:
        keys = self.current.get("PartitionKeys")
        if not keys or len(keys) != len(values):
            raise requests.invalid_input("The number of partition keys do not match the number of partition values")

    def delete_partition(self, values: Any) -> None:
        """Removes a partition with its statistics.

        Raises:
            PartitionNotFoundException: there is none of these values.
        """
        super().delete_partition(values)
        self.column_statistics.pop(tuple(values), None)


def create_table(self: GlueResponse, request: Request) -> EmptyResult:
    requests.refuse_unserved(request, "CreateTable", _UNSERVED_IN_CREATE)
    description = _description(request)
    self.glue_backend.create_table(request["DatabaseName"], description["Name"], description)
    return EmptyResult()


def update_table(self: GlueResponse, request: Request) -> EmptyResult:
    """UpdateTable: a VersionId that is not the current one is refused; SkipArchive forgets the old version."""
    requests.refuse_unserved(request, "UpdateTable", _UNSERVED_IN_UPDATE)
    description = _description(request)
    table = self.glue_backend.get_table(request["DatabaseName"], description["Name"])
    assert isinstance(table, Table)
    table.replace(description, version=request.get("VersionId"), archive=not request.get("SkipArchive"))
    return EmptyResult()


def _description(request: Request) -> dict[str, Any]:
    description: dict[str, Any] | None = request.get("TableInput")
    if description is None:
        raise requests.invalid_input("TableInput cannot be null")
    return description


def get_tables(self: GlueResponse, request: Request) -> ActionResult:
    """GetTables: the tables of a database by name, those that Expression matches."""
    requests.refuse_unserved(request, "GetTables", ("TransactionId", "QueryAsOfTime"))
    database = self.glue_backend.get_database(request["DatabaseName"])
    is_wanted = matching(request.get("Expression"), requests.invalid_input)
    tables = [table for table in list(database.tables.values()) if is_wanted(table.name)]
    found, token = requests.page(tables, lambda table: table.name, request)
    attributes = set(request.get("AttributesToGet") or ("DEFAULT",))
    described = [_selected(table.as_dict(), attributes) for table in found]
    return requests.answer("TableList", described, token)


def _selected(table: dict[str, Any], attributes: set[str]) -> dict[str, Any]:
    if not attributes <= {"NAME", "TABLE_TYPE"}:
        return table
    names = {"Name", "DatabaseName", "CatalogId"} | ({"TableType"} if "TABLE_TYPE" in attributes else set())
    return {name: value for name, value in table.items() if name in names}


def get_databases(self: GlueResponse, request: Request) -> ActionResult:
    """GetDatabases: by name."""
    databases = list(self.glue_backend.databases.values())
    found, token = requests.page(databases, lambda database: database.name, request)
    return requests.answer("DatabaseList", [database.as_dict() for database in found], token)


def find(response: GlueResponse, request: Request) -> Table:
    """The table that a request names as TableName.

    Raises:
        EntityNotFoundException: there is no such database or table.
    """
    table = response.glue_backend.get_table(request["DatabaseName"], request["TableName"])
    assert isinstance(table, Table)
    return table


def get_table_versions(self: GlueResponse, request: Request) -> ActionResult:
    """GetTableVersions: the newest first."""
    table = find(self, request)
    found, token = requests.page(list(table.versions), lambda version: -int(version), request)
    described = [{"Table": table.as_dict(version), "VersionId": version} for version in found]
    return requests.answer("TableVersions", described, token)


def get_table_version(self: GlueResponse, request: Request) -> ActionResult:
    """GetTableVersion: the current one unless another is named."""
    table = find(self, request)
    version = request.get("VersionId") or str(table._current_version)
    return ActionResult({"TableVersion": {"Table": table.as_dict(version), "VersionId": version}})


def batch_delete_table_version(self: GlueResponse, request: Request) -> ActionResult:
    table = find(self, request)
    return requests.batch(
        request["VersionIds"],
        table.delete_version,
        lambda version: {"TableName": table.name, "VersionId": version},
    )
