"""Athena's prepared statements: statements with parameters, kept under a name in a workgroup.

PREPARE, EXECUTE and DEALLOCATE PREPARE use `save`, `find` and `remove`.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, field
from typing import Any

from moto.athena.models import AthenaBackend
from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError

from local_cloud.athena import requests, workgroups
from local_cloud.athena.requests import Answer, Request
from local_cloud.athena.workgroups import invalid_request


class StatementNotFoundError(JsonRESTError):
    """A workgroup has no prepared statement of that name: ResourceNotFoundException; `message` is Athena's text."""

    def __init__(self, workgroup: str, name: str) -> None:
        super().__init__(
            "ResourceNotFoundException", f"PreparedStatement {name} was not found in workGroup {workgroup}"
        )


@dataclass(frozen=True, slots=True)
class Statement:
    """A prepared statement; `modified` is in seconds since 1970."""

    workgroup: str
    name: str
    query: str
    description: str = ""
    modified: float = field(default_factory=time.time)

    def as_dict(self) -> dict[str, Any]:
        """The statement as Athena gives it."""
        described = {
            "StatementName": self.name,
            "QueryStatement": self.query,
            "WorkGroupName": self.workgroup,
            "LastModifiedTime": self.modified,
        }
        return described | ({"Description": self.description} if self.description else {})


def _all(backend: AthenaBackend) -> dict[tuple[str, str], Any]:
    """The statements by workgroup and name, in moto's own dictionary, which goes when moto is reset."""
    statements: Any = backend.prepared_statements
    return statements  # type: ignore[no-any-return]  # moto's records are untyped


def find(backend: AthenaBackend, workgroup: str, name: str) -> Statement:
    """A prepared statement.

    Raises:
        StatementNotFoundError: the workgroup has none of that name.
    """
    found = _all(backend).get((workgroup, name))
    if not isinstance(found, Statement):
        raise StatementNotFoundError(workgroup, name)
    return found


def save(backend: AthenaBackend, workgroup: str, name: str, query: str, description: str = "") -> None:
    """Keep a statement under a name; one that is there is replaced."""
    _all(backend)[(workgroup, name)] = Statement(workgroup, name, query, description)


def remove(backend: AthenaBackend, workgroup: str, name: str) -> None:
    """Delete a statement.

    Raises:
        StatementNotFoundError: the workgroup has none of that name.
    """
    find(backend, workgroup, name)
    del _all(backend)[(workgroup, name)]


def _place(response: AthenaResponse, request: Request) -> tuple[AthenaBackend, str]:
    """The backend of a call and its workgroup, which has to exist."""
    backend = response.athena_backend
    return backend, workgroups.find(backend, request["WorkGroup"]).name


def create_prepared_statement(self: AthenaResponse, request: Request) -> Answer:
    """CreatePreparedStatement: a name that is taken is refused."""
    backend, workgroup = _place(self, request)
    name = request["StatementName"]
    if (workgroup, name) in _all(backend):
        raise invalid_request(f"PreparedStatement {name} already exists in workGroup {workgroup}")
    save(backend, workgroup, name, request["QueryStatement"], request.get("Description") or "")
    return {}


def get_prepared_statement(self: AthenaResponse, request: Request) -> Answer:
    backend, workgroup = _place(self, request)
    return {"PreparedStatement": find(backend, workgroup, request["StatementName"]).as_dict()}


def batch_get_prepared_statement(self: AthenaResponse, request: Request) -> Answer:
    """BatchGetPreparedStatement: names that are unknown are listed, the others answered."""
    backend, workgroup = _place(self, request)
    names = request["PreparedStatementNames"]
    of_name = functools.partial(find, backend, workgroup)
    found, missing = requests.batch(names, of_name, "StatementName", "RESOURCE_NOT_FOUND")
    return {"PreparedStatements": found, "UnprocessedPreparedStatementNames": missing}


def list_prepared_statements(self: AthenaResponse, request: Request) -> Answer:
    """ListPreparedStatements: a workgroup's statements by name."""
    backend, workgroup = _place(self, request)
    every = [one for one in list(_all(backend).values()) if isinstance(one, Statement) and one.workgroup == workgroup]
    found, token = requests.page(every, lambda statement: statement.name, request)
    summaries = [{"StatementName": one.name, "LastModifiedTime": one.modified} for one in found]
    return requests.answer("PreparedStatements", summaries, token)


def update_prepared_statement(self: AthenaResponse, request: Request) -> Answer:
    """UpdatePreparedStatement: the text, and the description if one is given."""
    backend, workgroup = _place(self, request)
    known = find(backend, workgroup, request["StatementName"])
    description = request.get("Description") or known.description
    save(backend, workgroup, known.name, request["QueryStatement"], description)
    return {}


def delete_prepared_statement(self: AthenaResponse, request: Request) -> Answer:
    backend, workgroup = _place(self, request)
    remove(backend, workgroup, request["StatementName"])
    return {}
