"""Reads the requests of Glue's calls about the catalog, and cuts their lists into pages."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.glue.responses import GlueResponse

from local_cloud.api import lists

Request = dict[str, Any]
"""A call's parameters."""

_NAMED = frozenset({"GetDatabase", "UpdateDatabase", "DeleteDatabase", "GetTable", "DeleteTable"})
"""The calls whose Name is that of a database or a table."""


def folded(self: GlueResponse) -> dict[str, Any]:
    """Return a call's parameters, with the names of databases and tables in lower case, as Glue keeps them."""
    request: dict[str, Any] = json.loads(self.body or "{}")
    action = str(self.headers.get("X-Amz-Target", "")).rpartition(".")[2]
    for holder, name in (
        (request, "DatabaseName"),
        (request, "TableName"),
        (request if action in _NAMED else None, "Name"),
        (request.get("DatabaseInput"), "Name"),
        (request.get("TableInput"), "Name"),
    ):
        if isinstance(holder, dict) and isinstance(holder.get(name), str):
            holder[name] = holder[name].lower()
    if isinstance(tables := request.get("TablesToDelete"), list):
        request["TablesToDelete"] = [str(table).lower() for table in tables]
    return request


def invalid_input(message: str) -> JsonRESTError:
    """Return Glue's error for what it won't take."""
    return JsonRESTError("InvalidInputException", message)


def refuse_unserved(request: Request, operation: str, unserved: Iterable[str]) -> None:
    """Refuse parameters that the local cloud does not act on.

    Raises:
        JsonRESTError: InvalidInputException for one that is there.
    """
    for name in unserved:
        if request.get(name):
            raise invalid_input(f"The local cloud does not serve {operation} with {name}.")


def method(call: Callable[[GlueResponse, Request], Any]) -> Callable[[GlueResponse], Any]:
    """Return the method of moto's GlueResponse that hands a call its parameters."""
    return lambda self: call(self, self.parameters)


page = functools.partial(lists.page, most=100, refuse=invalid_input)
"""A page of a list, 100 entries, and the token of the next page, None after the last."""


def answer(name: str, items: list[Any], token: str | None) -> ActionResult:
    """Return a page as the answer of a call."""
    return ActionResult({name: items} if token is None else {name: items, "NextToken": token})


def batch(items: Iterable[Any], act: Callable[[Any], None], name: Callable[[Any], dict[str, Any]]) -> ActionResult:
    """Do something for each item; what is refused is told among the errors with its name, and the others are done."""
    errors = []
    for item in items:
        try:
            act(item)
        except JsonRESTError as error:
            detail = {"ErrorCode": error.error_type, "ErrorMessage": error.message}
            errors.append(name(item) | {"ErrorDetail": detail})
    return ActionResult({"Errors": errors})
