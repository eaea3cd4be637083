"""Glue's user-defined functions: records of a database, which nothing here runs."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.glue.exceptions import AlreadyExistsException, EntityNotFoundException
from moto.glue.models import FakeDatabase
from moto.glue.responses import GlueResponse

from local_cloud.api.lists import matching
from local_cloud.glue import requests
from local_cloud.glue.requests import Request

Function = dict[str, Any]

_functions: WeakKeyDictionary[FakeDatabase, dict[str, Function]] = WeakKeyDictionary()
"""The functions by name of each database; they go with it."""


def _of(database: FakeDatabase) -> dict[str, Function]:
    return _functions.setdefault(database, {})


def _described(database: FakeDatabase, given: Function, created: Any) -> Function:
    return given | {"DatabaseName": database.name, "CatalogId": database.catalog_id, "CreateTime": created}


def _find(response: GlueResponse, request: Request) -> tuple[FakeDatabase, Function]:
    database = response.glue_backend.get_database(request["DatabaseName"])
    name = request["FunctionName"]
    if name not in _of(database):
        raise EntityNotFoundException(f"Function {name} not found.")
    return database, _of(database)[name]


def _name_of(given: Function) -> str:
    name = given.get("FunctionName")
    if not name:
        raise requests.invalid_input("FunctionName cannot be null or empty")
    return str(name)


def create_user_defined_function(self: GlueResponse, request: Request) -> EmptyResult:
    database = self.glue_backend.get_database(request["DatabaseName"])
    given = request["FunctionInput"]
    name = _name_of(given)
    if name in _of(database):
        raise AlreadyExistsException("Function")
    _of(database)[name] = _described(database, given, utcnow())
    return EmptyResult()


def update_user_defined_function(self: GlueResponse, request: Request) -> EmptyResult:
    """UpdateUserDefinedFunction: the new description replaces the old one, and may rename the function."""
    database, known = _find(self, request)
    given = {"FunctionName": request["FunctionName"]} | request["FunctionInput"]
    name = _name_of(given)
    if name != request["FunctionName"] and name in _of(database):
        raise AlreadyExistsException("Function")
    del _of(database)[request["FunctionName"]]
    _of(database)[name] = _described(database, given, known["CreateTime"])
    return EmptyResult()


def delete_user_defined_function(self: GlueResponse, request: Request) -> EmptyResult:
    database, known = _find(self, request)
    del _of(database)[known["FunctionName"]]
    return EmptyResult()


def get_user_defined_function(self: GlueResponse, request: Request) -> ActionResult:
    return ActionResult({"UserDefinedFunction": _find(self, request)[1]})


def get_user_defined_functions(self: GlueResponse, request: Request) -> ActionResult:
    """GetUserDefinedFunctions: those of a database, or of all, whose names match the pattern."""
    backend = self.glue_backend
    name = request.get("DatabaseName")
    databases = [backend.get_database(name)] if name else list(backend.databases.values())
    kind = request.get("FunctionType")
    is_wanted = matching(request["Pattern"], requests.invalid_input)
    functions = [
        function
        for database in databases
        for function in list(_of(database).values())
        if is_wanted(function["FunctionName"]) and kind in {None, function.get("FunctionType")}
    ]
    found, token = requests.page(functions, lambda one: [one["DatabaseName"], one["FunctionName"]], request)
    return requests.answer("UserDefinedFunctions", found, token)
