"""Athena's calls about the catalog: the data catalog, its databases and its tables, as Glue has them.

Athena asks Glue in the caller's name. What Glue refuses or does not find is a MetadataException that quotes Glue.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError
from moto.glue.models import FakeDatabase, FakeTable

from local_cloud.api.lists import matching
from local_cloud.athena import requests, workgroups
from local_cloud.athena.catalog import CATALOG, Catalog
from local_cloud.athena.requests import Answer, Request
from local_cloud.athena.workgroups import invalid_request
from local_cloud.iam.callers import AccessDeniedError, current_caller
from local_cloud.settings import ACCOUNT_ID

CATALOG_NAME = "AwsDataCatalog"
_STATUS = "CREATE_COMPLETE"
_QUOTES = ("`", '"')


def plain_name(name: str) -> str:
    """Return a database's or a table's name as Glue has it: without its pair of backticks or quotes, in lower case."""
    if len(name) > 2 and name.startswith(_QUOTES) and name[0] == name[-1]:
        name = name[1:-1]
    return name.lower()


def list_data_catalogs(self: AthenaResponse, request: Request) -> Answer:
    """ListDataCatalogs: Glue's is the only one."""
    _check_workgroup(self, request)
    summary = {"CatalogName": CATALOG_NAME, "Type": "GLUE", "Status": _STATUS}
    found, token = requests.page([summary], lambda one: one["CatalogName"], request)
    return requests.answer("DataCatalogsSummary", found, token)


def get_data_catalog(self: AthenaResponse, request: Request) -> Answer:
    """GetDataCatalog: Glue's, which is this account's."""
    _catalog(self, request, "Name")
    parameters = {"catalog-id": ACCOUNT_ID}
    return {"DataCatalog": {"Name": CATALOG_NAME, "Type": "GLUE", "Parameters": parameters, "Status": _STATUS}}


def get_database(self: AthenaResponse, request: Request) -> Answer:
    """GetDatabase: a database of the catalog."""
    catalog = _catalog(self, request)
    name = plain_name(request["DatabaseName"])
    with _in_glue():
        catalog.authorize_database("glue:GetDatabase", name)
    return {"Database": _describe_database(_database(catalog, name))}


def list_databases(self: AthenaResponse, request: Request) -> Answer:
    """ListDatabases: the databases of the catalog by name."""
    catalog = _catalog(self, request)
    with _in_glue():
        catalog.authorize_database("glue:GetDatabases", "*")
    found, token = requests.page(list(catalog.backend.databases.values()), lambda one: one.name, request)
    described = [_describe_database(database) for database in found]
    if request.get("AttributesToGet"):
        described = [{"Name": database["Name"]} for database in described]
    return requests.answer("DatabaseList", described, token)


def get_table_metadata(self: AthenaResponse, request: Request) -> Answer:
    """GetTableMetadata: a table or a view of the catalog."""
    catalog = _catalog(self, request)
    database, name = plain_name(request["DatabaseName"]), plain_name(request["TableName"])
    with _in_glue():
        catalog.authorize_table("glue:GetTable", database, name)
    table = _database(catalog, database).tables.get(name)
    if table is None:
        raise _glue_error("EntityNotFoundException", "Entity Not Found")
    return {"TableMetadata": _describe_table(table)}


def list_table_metadata(self: AthenaResponse, request: Request) -> Answer:
    """ListTableMetadata: the tables and views of a database by name, those that Expression matches."""
    catalog = _catalog(self, request)
    database = plain_name(request["DatabaseName"])
    with _in_glue():
        catalog.authorize_table("glue:GetTables", database, "*")
    is_wanted = matching(request.get("Expression"), functools.partial(_glue_error, "InvalidInputException"))
    tables = [table for table in list(_database(catalog, database).tables.values()) if is_wanted(table.name)]
    found, token = requests.page(tables, lambda one: one.name, request)
    described = [_describe_table(table) for table in found]
    if attributes := request.get("AttributesToGet"):
        names = [{"NAME": "Name", "TABLE_TYPE": "TableType"}[attribute] for attribute in attributes]
        described = [{name: table[name] for name in names if name in table} for table in described]
    return requests.answer("TableMetadataList", described, token)


def _catalog(response: AthenaResponse, request: Request, parameter: str = "CatalogName") -> Catalog:
    _check_workgroup(response, request)
    name = request[parameter]
    if name.lower() != CATALOG:
        raise invalid_request(f"DataCatalog {name} was not found")
    return Catalog(response.athena_backend.region_name, current_caller())


def _check_workgroup(response: AthenaResponse, request: Request) -> None:
    if request.get("WorkGroup"):
        workgroups.find(response.athena_backend, request["WorkGroup"])


def _glue_error(code: str, message: str) -> JsonRESTError:
    """What Athena says of an error of Glue's; clients read Glue's code in it."""
    envelope = (
        f"Service: AmazonDataCatalog; Status Code: 400; Error Code: {code}; Request ID: {uuid.uuid4()}; Proxy: null"
    )
    return JsonRESTError("MetadataException", f"{message} ({envelope})")


@contextmanager
def _in_glue() -> Iterator[None]:
    try:
        yield
    except AccessDeniedError as error:
        raise _glue_error("AccessDeniedException", str(error)) from error


def _database(catalog: Catalog, name: str) -> FakeDatabase:
    database = catalog.backend.databases.get(name)
    if database is None:
        raise _glue_error("EntityNotFoundException", f"Database {name} not found.")
    return database


def _describe_database(database: FakeDatabase) -> dict[str, Any]:
    described: dict[str, Any] = {"Name": database.name}
    for field in ("Description", "Parameters"):
        if database.input.get(field):
            described[field] = database.input[field]
    return described


def _describe_table(table: FakeTable) -> dict[str, Any]:
    """A table as TableMetadata has it: what Glue keeps in the StorageDescriptor is among the parameters."""
    glue = table.as_dict()
    storage: dict[str, Any] = glue.get("StorageDescriptor") or {}
    serde: dict[str, Any] = storage.get("SerdeInfo") or {}
    parameters: dict[str, str] = dict(glue.get("Parameters") or {})
    for name, value in (
        ("inputformat", storage.get("InputFormat")),
        ("location", storage.get("Location")),
        ("outputformat", storage.get("OutputFormat")),
        ("serde.serialization.lib", serde.get("SerializationLibrary")),
    ):
        if value is not None:
            parameters[name] = value
    parameters |= {f"serde.param.{name}": value for name, value in (serde.get("Parameters") or {}).items()}
    described: dict[str, Any] = {
        "Name": table.name,
        "CreateTime": table.created_time.timestamp(),
        "LastAccessTime": glue.get("LastAccessTime") or 0.0,
        "Columns": [_describe_column(column) for column in storage.get("Columns") or ()],
        "PartitionKeys": [_describe_column(column) for column in glue.get("PartitionKeys") or ()],
        "Parameters": parameters,
    }
    if glue.get("TableType"):
        described["TableType"] = glue["TableType"]
    return described


def _describe_column(column: dict[str, Any]) -> dict[str, str]:
    return {field: column[field] for field in ("Name", "Type", "Comment") if column.get(field) is not None}
