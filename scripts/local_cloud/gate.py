"""The door of the API: refuses what the local cloud does not serve, in the form in which AWS would refuse it."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

from botocore.session import Session
from moto.s3.models import s3_backends

from local_cloud import allowed
from local_cloud.settings import Settings

LOG = logging.getLogger(__name__)

HEALTH_PATH = "/_local_cloud/health"
_CREDENTIAL = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_JSON_SERVICES = ("glue", "athena", "tagging")
_SMALL_BODY = 1024 * 1024


@dataclass(frozen=True)
class Refusal:
    """An error as AWS gives it."""

    status: str
    code: str
    message: str


@lru_cache(maxsize=1)
def known_regions() -> frozenset[str]:
    """AWS's regions of the standard partition, as botocore lists them."""
    return frozenset(Session().get_available_regions("ec2"))


class Gate:
    """A WSGI application before moto's."""

    def __init__(self, settings: Settings, api: WSGIApplication, pid: int) -> None:
        self._health = {"deployment": settings.deployment, "state_dir": str(settings.state_dir), "pid": pid}
        self._api = api
        self._regions = known_regions()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == HEALTH_PATH:
            return _answer(start_response, "200 OK", "application/json", json.dumps(self._health))
        region, service = _scope(environ)
        refusal = self._refusal(environ, region, service)
        if refusal is not None:
            LOG.warning("refused: %s", refusal.message)
            return _refuse(start_response, refusal, service)
        try:
            return self._api(environ, start_response)
        except NotImplementedError as error:
            LOG.warning("refused by moto: %s %s: %s", service, path, error)
            message = f"The local cloud does not serve this call: {error}"
            return _refuse(start_response, Refusal("501 Not Implemented", "NotImplemented", message), service)
        except Exception as error:
            LOG.exception("%s %s", environ.get("REQUEST_METHOD"), path)
            message = f"The local cloud failed: {type(error).__name__}: {error}"
            return _refuse(start_response, Refusal("500 Internal Server Error", "InternalFailure", message), service)

    def _refusal(self, environ: WSGIEnvironment, region: str, service: str) -> Refusal | None:
        path = environ.get("PATH_INFO", "")
        if service == "s3" and (path.startswith("/moto-api") or path == "/favicon.ico"):
            return Refusal("404 Not Found", "NoSuchBucket", "The local cloud has no such address.")
        if region not in self._regions and region != "aws-global":
            return Refusal("400 Bad Request", "InvalidRegion", f"AWS has no region '{region}'.")
        if service == "s3":
            names = list(parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True))
            if _is_somebody_elses(environ):
                return Refusal("403 Forbidden", "AccessDenied", "Access Denied")
            wrong = allowed.refused_s3_query(environ.get("REQUEST_METHOD", "GET"), names)
            return None if wrong is None else _not_served("s3", f"{environ.get('REQUEST_METHOD')} with '{wrong}'")
        action = _action(environ)
        return None if allowed.is_allowed(service, action) else _not_served(service, action)


def _is_somebody_elses(environ: WSGIEnvironment) -> bool:
    """Whether the bucket has another owner than the one that the request expects, which moto does not look at."""
    expected = environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER", "")
    bucket = environ.get("PATH_INFO", "").lstrip("/").partition("/")[0]
    owner = s3_backends.bucket_accounts.get(bucket)
    return owner is not None and expected not in {"", owner[1]}


def _not_served(service: str, action: str) -> Refusal:
    message = f"The local cloud does not serve {service}:{action}: it stands in for AWS only in what it can do truly."
    return Refusal("501 Not Implemented", "NotImplemented", message)


def _scope(environ: WSGIEnvironment) -> tuple[str, str]:
    """The region and the service for which a request is signed; an unsigned request can only be S3's."""
    signed = environ.get("HTTP_AUTHORIZATION", "")
    match = _CREDENTIAL.search(signed)
    if match is None:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        credential = query.get("X-Amz-Credential", [""])[0]
        match = _CREDENTIAL.search(f"Credential={credential}")
    if match is None:
        return "us-east-1", "s3"
    return match["region"], match["service"].lower()


def _action(environ: WSGIEnvironment) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target).rpartition(".")[2]
    found = parse_qs(environ.get("QUERY_STRING", "")).get("Action")
    if not found:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if 0 < length <= _SMALL_BODY:
            body = environ["wsgi.input"].read(length)
            environ["wsgi.input"] = io.BytesIO(body)
            found = parse_qs(body.decode("utf-8", "replace")).get("Action")
    return found[0] if found else f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"


def _refuse(start_response: StartResponse, refusal: Refusal, service: str) -> Iterable[bytes]:
    if service in _JSON_SERVICES:
        body = json.dumps({"__type": refusal.code, "message": refusal.message})
        return _answer(start_response, refusal.status, "application/x-amz-json-1.1", body)
    code, message = escape(refusal.code), escape(refusal.message)
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if service == "ec2":
        body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>local-cloud</RequestID></Response>"
    elif service == "s3":
        body = f"<Error>{error}<RequestId>local-cloud</RequestId></Error>"
    else:
        error = f"<Error><Type>Sender</Type>{error}</Error>"
        body = f"<ErrorResponse>{error}<RequestId>local-cloud</RequestId></ErrorResponse>"
    return _answer(start_response, refusal.status, "text/xml", body)


def _answer(start_response: Callable[..., Any], status: str, kind: str, body: str) -> Iterable[bytes]:
    content = body.encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(content)))])
    return [content]
