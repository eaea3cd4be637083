"""Signature Version 4: whether a request was signed with a secret.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
S3's requests name their body's hash in a header, and the body itself is not hashed again: at 100 MB/s it is what S3
would do and a second core would be busy with it.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

ALLOWED_SKEW_SECONDS = 900
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+)\s*,\s*SignedHeaders=(?P<headers>[^,\s]+)\s*,"
    r"\s*Signature=(?P<signature>[0-9a-f]+)"
)
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a request says of its signature. `expires` is a presigned URL's life in seconds, else None."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    stamp: str
    token: str
    expires: int | None

    def is_timely(self, now: datetime.datetime) -> bool:
        """Whether the signature's time is near enough to `now`, which is in UTC."""
        try:
            signed_at = datetime.datetime.strptime(self.stamp, _STAMP).replace(tzinfo=datetime.UTC)
        except ValueError:
            return False
        age = (now - signed_at).total_seconds()
        latest = ALLOWED_SKEW_SECONDS if self.expires is None else self.expires
        return -ALLOWED_SKEW_SECONDS <= age <= latest


def read(environ: dict[str, Any]) -> Signed | None:
    """The signature of a request, from its header or from a presigned URL; None if it has none."""
    found = _HEADER.match(environ.get("HTTP_AUTHORIZATION", ""))
    if found is not None:
        scope = found["credential"].split("/")
        stamp, token, expires = environ.get("HTTP_X_AMZ_DATE", ""), environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""), None
        headers, signature = found["headers"], found["signature"]
    else:
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        scope = query.get("X-Amz-Credential", "").split("/")
        stamp, token = query.get("X-Amz-Date", ""), query.get("X-Amz-Security-Token", "")
        headers, signature = query.get("X-Amz-SignedHeaders", ""), query.get("X-Amz-Signature", "")
        expires = int(query["X-Amz-Expires"]) if query.get("X-Amz-Expires", "").isdecimal() else 0
    if len(scope) != 5:
        return None
    key, date, region, service, _ = scope
    return Signed(key, date, region, service.lower(), tuple(headers.split(";")), signature, stamp, token, expires)


def verify(signed: Signed, secret: str, environ: dict[str, Any], body_hash: str) -> bool:
    """Whether the secret made the signature.

    Args:
        signed: what the request says.
        secret: the secret access key.
        environ: the request, of a server that keeps the path as it was sent in REQUEST_URI.
        body_hash: SHA-256 of the body, hexadecimal, or what the request says in its place.
    """
    path = environ.get("REQUEST_URI") or quote(environ.get("PATH_INFO", "").encode("latin-1"))
    headers = "".join(f"{name}:{_header(environ, name)}\n" for name in signed.signed_headers)
    canonical = "\n".join(
        (
            environ.get("REQUEST_METHOD", "GET"),
            path.partition("?")[0] or "/",
            _query(environ.get("QUERY_STRING", "")),
            headers,
            ";".join(signed.signed_headers),
            body_hash,
        )
    )
    scope = f"{signed.date}/{signed.region}/{signed.service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode("latin-1", "replace")).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{signed.stamp}\n{scope}\n{hashed}"
    key = _signing_key(secret, signed.date, signed.region, signed.service)
    return hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), signed.signature)


@lru_cache(maxsize=64)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _header(environ: dict[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    value = environ.get(key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}", "")
    return " ".join(str(value).split())


def _query(text: str) -> str:
    """The query string sorted and encoded as the signature wants it, without the signature itself."""
    pairs = []
    for part in text.split("&") if text else ():
        name, _, value = part.partition("=")
        name = quote(unquote(name), safe="-_.~")
        if name != "X-Amz-Signature":
            pairs.append((name, quote(unquote(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
