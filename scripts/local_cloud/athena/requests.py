"""Reads the requests of Athena's calls that are not about running a query, and cuts their lists into pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from moto.athena.responses import AthenaResponse

from local_cloud.api import pages
from local_cloud.athena.workgroups import invalid_request

Item = TypeVar("Item")
PAGE = 50


def read(response: AthenaResponse) -> dict[str, Any]:
    """Return a call's parameters."""
    request: dict[str, Any] = json.loads(response.body or "{}")
    return request


def page(
    items: Iterable[Item], key: Callable[[Item], Any], request: Mapping[str, Any]
) -> tuple[list[Item], str | None]:
    """Return a page of a list, at most 50 entries, and the token of the next page, None after the last.

    Raises:
        JsonRESTError: InvalidRequestException if NextToken is no token of this list.
    """
    try:
        return pages.page(items, key, request, PAGE)
    except pages.InvalidTokenError as error:
        raise invalid_request(str(error)) from error


def answer(name: str, items: list[Any], token: str | None) -> str:
    """Return the JSON of a page."""
    return json.dumps({name: items} if token is None else {name: items, "NextToken": token})
