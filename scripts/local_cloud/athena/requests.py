"""Reads the requests of Athena's calls that are not about running a query, and cuts their lists into pages."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from typing import Any

from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError

from local_cloud.api import lists
from local_cloud.athena.workgroups import invalid_request


def read(response: AthenaResponse) -> dict[str, Any]:
    """Return a call's parameters."""
    request: dict[str, Any] = json.loads(response.body or "{}")
    return request


page = functools.partial(lists.page, most=50, refuse=invalid_request)
"""A page of a list, 50 entries, and the token of the next page, None after the last."""


def batch(
    ids: Iterable[str], find: Callable[[str], Any], name: str, code: str
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return what a batch call answers: what `find` gives for the ids, and under a name those that it refuses."""
    found, missing = [], []
    for one in ids:
        try:
            found.append(find(one).as_dict())
        except JsonRESTError as error:
            missing.append({name: one, "ErrorCode": code, "ErrorMessage": error.message})
    return found, missing


def answer(name: str, items: list[Any], token: str | None) -> str:
    """Return the JSON of a page."""
    return json.dumps({name: items} if token is None else {name: items, "NextToken": token})
