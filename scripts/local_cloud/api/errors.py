"""Errors in the form in which each of AWS's services gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from xml.sax.saxutils import escape

JSON_SERVICES = ("glue", "athena", "tagging", "ssm", "servicequotas", "budgets", "lakeformation")
_DRAINED_BYTES = 256 * 1024 * 1024
_PIECE = 1024 * 1024
_NOT_OF_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Refusal:
    """An error as AWS gives it."""

    status: str
    code: str
    message: str


class RefusedError(Exception):
    """A request is not served; `refusal` is the answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def not_served(service: str, action: str, why: str = "it stands in for AWS only in what it can do truly") -> Refusal:
    """The answer to what the local cloud can't do."""
    return Refusal(
        "501 Not Implemented", "NotImplemented", f"The local cloud does not serve {service}:{action}: {why}."
    )


def access_denied(service: str, message: str) -> Refusal:
    """The answer to a caller whose policies do not let it do something."""
    if service in JSON_SERVICES:
        return Refusal("400 Bad Request", "AccessDeniedException", message)
    if service == "ec2":
        text = f"You are not authorized to perform this operation. {message}"
        return Refusal("403 Forbidden", "UnauthorizedOperation", text)
    return Refusal("403 Forbidden", "AccessDenied", message)


_INVALID_TOKEN = "The security token included in the request is invalid."
_MISMATCH = "The request signature we calculated does not match the signature you provided."
_BAD_KEY = {
    "unknown": (
        ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
        ("UnrecognizedClientException", _INVALID_TOKEN),
        ("InvalidClientTokenId", _INVALID_TOKEN),
    ),
    "signature": (
        ("SignatureDoesNotMatch", f"{_MISMATCH} Check your key."),
        ("InvalidSignatureException", _MISMATCH),
        ("SignatureDoesNotMatch", _MISMATCH),
    ),
    "token": (
        ("InvalidToken", "The provided token is malformed or otherwise invalid."),
        ("UnrecognizedClientException", _INVALID_TOKEN),
        ("InvalidClientTokenId", _INVALID_TOKEN),
    ),
    "expired": (
        ("ExpiredToken", "The provided token has expired."),
        ("ExpiredTokenException", "The security token included in the request is expired"),
        ("ExpiredToken", "The security token included in the request is expired"),
    ),
    "time": (
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("InvalidSignatureException", "Signature expired or not yet current."),
        ("SignatureDoesNotMatch", "Signature expired or not yet current."),
    ),
}


def bad_key(service: str, problem: str) -> Refusal:
    """The answer to a key that opens nothing: unknown, or with a wrong signature, token or time."""
    of_s3, of_json, of_query = _BAD_KEY[problem]
    if service == "s3":
        status = "400 Bad Request" if problem in {"token", "expired"} else "403 Forbidden"
        return Refusal(status, *of_s3)
    if service in JSON_SERVICES:
        return Refusal("400 Bad Request", *of_json)
    if service == "ec2" and problem == "expired":
        return Refusal("400 Bad Request", "RequestExpired", "Request has expired.")
    if service == "ec2":
        message = "AWS was not able to validate the provided access credentials"
        return Refusal("401 Unauthorized", "AuthFailure", message)
    return Refusal("403 Forbidden", *of_query)


def refuse(environ: WSGIEnvironment, start_response: StartResponse, refusal: Refusal, service: str) -> Iterable[bytes]:
    """Gives the answer, after the request's body: a client that still sends would see a broken connection instead."""
    left = min(int(environ.get("CONTENT_LENGTH") or 0), _DRAINED_BYTES)
    while left > 0 and (piece := environ["wsgi.input"].read(min(left, _PIECE))):
        left -= len(piece)
    if service in JSON_SERVICES:
        body = json.dumps({"__type": refusal.code, "message": refusal.message})
        return answer(environ, start_response, refusal.status, "application/x-amz-json-1.1", body)
    code, message = escape(refusal.code), escape(_NOT_OF_XML.sub("?", refusal.message))
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if service == "ec2":
        body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>local-cloud</RequestID></Response>"
    elif service == "s3":
        body = f"<Error>{error}<RequestId>local-cloud</RequestId></Error>"
    else:
        error = f"<Error><Type>Sender</Type>{error}</Error>"
        body = f"<ErrorResponse>{error}<RequestId>local-cloud</RequestId></ErrorResponse>"
    return answer(environ, start_response, refusal.status, "text/xml", body)


def answer(
    environ: WSGIEnvironment, start_response: Callable[..., Any], status: str, kind: str, body: str
) -> Iterable[bytes]:
    """A whole answer; to a HEAD request without its body."""
    content = b"" if environ.get("REQUEST_METHOD") == "HEAD" else body.encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(content)))])
    return [content]
