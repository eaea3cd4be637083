"""Athena's named queries: saved statements of a workgroup, which run nothing by themselves."""

from __future__ import annotations

import functools
import itertools

from moto.athena.models import AthenaBackend, NamedQuery, WorkGroup
from moto.athena.responses import AthenaResponse

from local_cloud.athena import requests, workgroups
from local_cloud.athena.requests import Answer, Request
from local_cloud.athena.workgroups import invalid_request

_numbers = itertools.count()


class SavedQuery(NamedQuery):
    """A named query. `request` is what it was created with, `number` grows with each one."""

    def __init__(self, request: Request, workgroup: WorkGroup) -> None:
        description = request.get("Description") or ""
        super().__init__(request["Name"], description, request["Database"], request["QueryString"], workgroup)
        self.request = request
        self.number = next(_numbers)

    def as_dict(self) -> dict[str, str]:
        """The query as Athena gives it."""
        described = {
            "Name": self.name,
            "Database": self.database,
            "QueryString": self.query_string,
            "NamedQueryId": self.id,
            "WorkGroup": self.workgroup.name,
        }
        return described | ({"Description": self.description} if self.description else {})


def _saved(backend: AthenaBackend) -> list[SavedQuery]:
    return [query for query in list(backend.named_queries.values()) if isinstance(query, SavedQuery)]


def _find(backend: AthenaBackend, query_id: str) -> SavedQuery:
    query = backend.named_queries.get(query_id)
    if not isinstance(query, SavedQuery):
        raise invalid_request(f"NamedQuery {query_id} was not found")
    return query


def create_named_query(self: AthenaResponse, request: Request) -> Answer:
    """CreateNamedQuery: the same ClientRequestToken creates one query only."""
    backend = self.athena_backend
    group = workgroups.find(backend, request.get("WorkGroup") or "primary")
    token = request.get("ClientRequestToken")
    for known in _saved(backend) if token else ():
        if known.request.get("ClientRequestToken") == token:
            if known.request != request:
                raise invalid_request("Idempotent parameters do not match")
            return {"NamedQueryId": known.id}
    query = SavedQuery(request, group)
    backend.named_queries[query.id] = query
    return {"NamedQueryId": query.id}


def get_named_query(self: AthenaResponse, request: Request) -> Answer:
    return {"NamedQuery": _find(self.athena_backend, request["NamedQueryId"]).as_dict()}


def batch_get_named_query(self: AthenaResponse, request: Request) -> Answer:
    """BatchGetNamedQuery: ids that are unknown are listed, the others answered."""
    ids = request["NamedQueryIds"]
    find = functools.partial(_find, self.athena_backend)
    found, missing = requests.batch(ids, find, "NamedQueryId", "INVALID_NAMED_QUERY_ID")
    return {"NamedQueries": found, "UnprocessedNamedQueryIds": missing}


def list_named_queries(self: AthenaResponse, request: Request) -> Answer:
    """ListNamedQueries: the ids of a workgroup's queries, the oldest first."""
    backend = self.athena_backend
    group = workgroups.find(backend, request.get("WorkGroup") or "primary")
    of_group = [query for query in _saved(backend) if query.workgroup is group]
    found, token = requests.page(of_group, lambda query: query.number, request)
    return requests.answer("NamedQueryIds", [query.id for query in found], token)


def update_named_query(self: AthenaResponse, request: Request) -> Answer:
    """UpdateNamedQuery: name and statement, and the description if one is given; an empty one removes it."""
    query = _find(self.athena_backend, request["NamedQueryId"])
    query.name, query.query_string = request["Name"], request["QueryString"]
    if request.get("Description") is not None:
        query.description = request["Description"]
    return {}


def delete_named_query(self: AthenaResponse, request: Request) -> Answer:
    del self.athena_backend.named_queries[_find(self.athena_backend, request["NamedQueryId"]).id]
    return {}
