"""A request to the API: for which service and region it is signed, which call it is, and what its body says."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import WSGIEnvironment

from local_cloud.api import sigv4
from local_cloud.api.errors import JSON_SERVICES, Refusal, RefusedError

_BODY_LIMIT = 16 * 1024 * 1024


class ApiRequest:
    """One request. Its body is only read where it has to be, and is still there for moto afterwards."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ
        self.method: str = environ.get("REQUEST_METHOD", "GET")
        self.signed = sigv4.read(environ)
        # An unsigned request can only be S3's.
        self.region = self.signed.region if self.signed else "us-east-1"
        self.service = self.signed.service if self.signed else "s3"

    @cached_property
    def body(self) -> bytes:
        """The body.

        Raises:
            RefusedError: if it is longer than any call's but S3's.
        """
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        if length > _BODY_LIMIT:
            message = f"The request has {length} bytes; the local cloud takes {_BODY_LIMIT} here."
            raise RefusedError(Refusal("413 Content Too Large", "RequestEntityTooLarge", message))
        body: bytes = self.environ["wsgi.input"].read(length) if length > 0 else b""
        self.environ["wsgi.input"] = io.BytesIO(body)
        return body

    def require_checksum(self) -> None:
        """Compares an object with the SHA-256 that its sender tells, as S3 does and moto does not.

        Raises:
            RefusedError: it has arrived as another.
        """
        said = self.environ.get("HTTP_X_AMZ_CHECKSUM_SHA256")
        framed = "aws-chunked" in self.environ.get("HTTP_CONTENT_ENCODING", "")
        if self.service != "s3" or said is None or framed:
            return
        content = self.environ["wsgi.input"].read(int(self.environ.get("CONTENT_LENGTH") or 0))
        self.environ["wsgi.input"] = io.BytesIO(content)
        if base64.b64encode(hashlib.sha256(content).digest()).decode() != said:
            message = "The SHA256 you specified did not match the calculated checksum."
            raise RefusedError(Refusal("400 Bad Request", "BadDigest", message))

    @cached_property
    def body_hash(self) -> str:
        """The body's hash as the signature has it."""
        said = self.environ.get("HTTP_X_AMZ_CONTENT_SHA256")
        if said:
            return str(said)
        return "UNSIGNED-PAYLOAD" if self.service == "s3" else hashlib.sha256(self.body).hexdigest()

    @cached_property
    def form(self) -> dict[str, str]:
        """The parameters of a call in AWS's query protocol.

        Raises:
            RefusedError: if one is there twice, so that this program and moto could take it for different things.
        """
        text = self.environ.get("QUERY_STRING", "")
        if self.service not in JSON_SERVICES and self.service != "s3":
            text = f"{text}&{self.body.decode('utf-8', 'replace')}"
        found = parse_qs(text, keep_blank_values=True)
        for name, values in found.items():
            if len(values) > 1:
                message = f"The parameter {name} is there {len(values)} times."
                raise RefusedError(Refusal("400 Bad Request", "ValidationError", message))
        return {name: values[0] for name, values in found.items()}

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The parameters of a call in AWS's JSON protocol; empty where the body is no JSON object."""
        try:
            parsed = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @cached_property
    def action(self) -> str:
        """The call's name; S3's calls have none."""
        if self.service == "lakeformation":  # names its calls in the path
            return str(self.environ.get("PATH_INFO", "")).strip("/")
        if self.service in JSON_SERVICES:
            return str(self.environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        return self.form.get("Action") or f"{self.method} {self.environ.get('PATH_INFO')}"
