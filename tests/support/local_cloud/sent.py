"""Sends requests of boto3's, which it has not checked, to the local cloud's check alone: nothing runs behind it."""

from __future__ import annotations

import io
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError

from local_cloud.api.errors import RefusedError, refuse
from local_cloud.api.request import ApiRequest
from local_cloud.api.validation import require_valid


class TakenError(Exception):
    """The check had nothing against a request."""


def environ_of(method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """A request as a WSGI server hands it on."""
    parts = urlsplit(url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": parts.path or "/",
        "QUERY_STRING": parts.query,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": parts.netloc,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port or 443),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return environ


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def _incoming(request: AWSPreparedRequest) -> ApiRequest:
    body: Any = request.body or b""
    if hasattr(body, "read"):
        stream, body = body, body.read()
        stream.seek(0)
    body = body.encode() if isinstance(body, str) else body
    headers = {
        name: value.decode() if isinstance(value, bytes) else str(value) for name, value in request.headers.items()
    }
    return ApiRequest(environ_of(request.method, request.url, headers, bytes(body)))


def _answered(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    incoming = _incoming(request)
    status: list[str] = []
    try:
        require_valid(incoming)
    except RefusedError as error:
        parts = refuse(
            incoming.environ,
            lambda text, *_: status.append(text),  # type: ignore[arg-type]  # start_response returns nothing here
            error.refusal,
            incoming.service,
        )
        return AWSResponse(request.url, int(status[0].split()[0]), HTTPHeaders(), _Raw(b"".join(parts)))
    raise TakenError


def _checked(request: AWSPreparedRequest, **_: Any) -> None:
    try:
        require_valid(_incoming(request))
    except RefusedError as error:
        told = {"Code": error.refusal.code, "Message": error.refusal.message}
        raise ClientError({"Error": told, "ResponseMetadata": {"HTTPStatusCode": 400}}, "") from error  # type: ignore[typeddict-item]  # an answer as botocore makes it, not whole


def check_before_moto(asking: Any) -> None:
    """Has a client's requests checked, as the local cloud does it, before moto answers them in this process."""
    asking.meta.events.register_first("before-send.*", _checked)


@cache
def client(service: str) -> Any:
    """A client that checks nothing itself."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    made = boto3.Session("AKIA", "secret", region_name="us-east-1").client(
        service,  # type: ignore[call-overload]  # the stubs know clients by literal names only
        endpoint_url="http://127.0.0.1:4566",
        config=config,
    )
    made.meta.events.register("before-send.*", _answered)
    return made


def refusal(service: str, method: str, **arguments: Any) -> tuple[str, str]:
    """The error's code and text; both are empty where the request is taken."""
    try:
        getattr(client(service), method)(**arguments)
    except TakenError:
        return "", ""
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("neither refused nor taken")
