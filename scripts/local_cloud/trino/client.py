"""Asks Trino over its HTTP protocol (https://trino.io/docs/476/develop/client-protocol.html).

The client library on PyPI declares the capability PARAMETRIC_DATETIME, with which a result has timestamps of every
precision; Athena's clients do not, and see milliseconds.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlsplit

import requests

from local_cloud.athena.errors import QueryError

REQUEST_LIMIT_SECONDS = 60.0
_TOKEN_SECONDS = 86_400


class UnavailableError(Exception):
    """Trino does not answer: it is starting, or has ended."""


@dataclass(frozen=True)
class Address:
    """Where Trino listens, and the key with which it checks who asks."""

    url: str
    key: bytes


@dataclass
class Session:
    """In which name and with which settings a statement runs.

    Attributes:
        user: the query's id, by which Trino asks back what its caller may do.
        role: the ARN of the role in which Trino asks S3 on the caller's behalf.
        catalog: the catalog of names without one.
        schema: the database of names without one.
        prepared: prepared statements by name.
        properties: session properties, `catalog.name` or `name`.
    """

    user: str
    role: str
    catalog: str
    schema: str
    prepared: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


class Failure(QueryError):  # noqa: N818  # the word of Trino's protocol for it
    """Trino's error: its name and message; `causes` are the messages of what caused it, the first cause first."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.message = str(error.get("message") or "")
        self.causes = list(_causes(error.get("failureInfo") or {}))
        super().__init__(str(error.get("errorName") or "GENERIC_INTERNAL_ERROR"), self.message)


def _causes(info: Mapping[str, Any]) -> Iterator[str]:
    while info:
        yield str(info.get("message") or "")
        info = info.get("cause") or {}


class Statement:
    """One statement under way. Iterate over `pages` to its end; `cancel` may be called by another thread."""

    def __init__(self, address: Address, session: Session, sql: str) -> None:
        self._address = address
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy of the shell is not for loopback
        self._http.headers.update(_headers(address.key, session))
        self._sql = sql
        self._next: str | None = None
        self.columns: list[dict[str, Any]] = []
        self.update_type = ""
        self.update_count: int | None = None
        self.statistics: dict[str, Any] = {}

    def pages(self) -> Iterator[list[list[Any]]]:
        """The rows as they come, as Trino's JSON has them; empty pages while there are none yet.

        Raises:
            Failure: the statement has failed.
            UnavailableError: Trino does not answer.
        """
        with self._http:
            answer = self._ask("POST", "/v1/statement", data=self._sql.encode())
            while True:
                self.columns = answer.get("columns") or self.columns
                self.update_type = answer.get("updateType") or self.update_type
                self.update_count = answer.get("updateCount", self.update_count)
                self.statistics = answer.get("stats") or self.statistics
                if answer.get("error"):
                    raise Failure(answer["error"])
                yield answer.get("data") or []
                self._next = answer.get("nextUri")
                if self._next is None:
                    return
                answer = self._ask("GET", urlsplit(self._next).path)

    def run(self) -> list[list[Any]]:
        """Every row of a short result."""
        return [row for page in self.pages() for row in page]

    def cancel(self) -> None:
        """Ends the statement; its `pages` raise Failure then."""
        following = self._next
        if following is not None:
            self._ask("DELETE", urlsplit(following).path)

    def _ask(self, method: str, path: str, *, data: bytes | None = None) -> dict[str, Any]:
        try:
            url = f"{self._address.url}{path}"
            response = self._http.request(method, url, data=data, timeout=REQUEST_LIMIT_SECONDS)
        except requests.RequestException as error:
            raise UnavailableError(f"Trino does not answer: {error}") from error
        if response.status_code == requests.codes.no_content:
            return {}
        if response.status_code != requests.codes.ok:
            raise UnavailableError(f"Trino answered {response.status_code}: {response.text[:200]}")
        answer: dict[str, Any] = json.loads(response.text)
        return answer


def _headers(key: bytes, session: Session) -> dict[str, str]:
    headers = {
        "Authorization": f"Bearer {token(key, session.user)}",
        # Trino takes tokens over TLS only; on loopback it is told that something before it has ended TLS.
        "X-Forwarded-Proto": "https",
        "X-Trino-User": session.user,
        "X-Trino-Source": "athena",
        "X-Trino-Catalog": session.catalog,
        "X-Trino-Schema": session.schema,
        "X-Trino-Time-Zone": "UTC",
        "X-Trino-Extra-Credential": f"role={quote_plus(session.role)}",
        "Content-Type": "text/plain; charset=utf-8",
    }
    for header, values in (("Prepared-Statement", session.prepared), ("Session", session.properties)):
        if values:
            headers[f"X-Trino-{header}"] = ",".join(f"{name}={quote_plus(text)}" for name, text in values.items())
    return headers


def token(key: bytes, subject: str) -> str:
    """A JSON Web Token of a day, signed with HMAC-SHA256 (RFC 7519, RFC 7515)."""
    header = _base64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = _base64url(json.dumps({"sub": subject, "exp": int(time.time()) + _TOKEN_SECONDS}).encode())
    signature = hmac.new(key, header + b"." + claims, hashlib.sha256).digest()
    return b".".join((header, claims, _base64url(signature))).decode()


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
