"""Hands the requests of Athena's calls to what answers them, and cuts their lists into pages."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError

from local_cloud.api import lists
from local_cloud.athena.workgroups import invalid_request
from local_cloud.moto_patch import calls

Request = dict[str, Any]
"""A call's parameters."""
Answer = dict[str, Any]
"""What a call answers."""


def handlers(module: ModuleType) -> dict[str, Callable[[AthenaResponse], str]]:
    """Return the methods that a module's calls are in moto's AthenaResponse, by name: they read and write JSON."""
    return {name: _method(call) for name, call in calls(module).items()}


def _method(call: Callable[[AthenaResponse, Request], Answer]) -> Callable[[AthenaResponse], str]:
    def method(self: AthenaResponse) -> str:
        return json.dumps(call(self, json.loads(self.body or "{}")))

    return method


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


def answer(name: str, items: list[Any], token: str | None) -> Answer:
    """Return a page as the answer of a call."""
    return {name: items} if token is None else {name: items, "NextToken": token}
