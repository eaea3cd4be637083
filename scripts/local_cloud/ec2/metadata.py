"""The instance metadata service, version 2: a host asks who it is and gets its role's credentials.

The caller is known by its source address. Paths and answers are those of AWS's documentation of IMDSv2.
"""

from __future__ import annotations

import datetime
import json
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIEnvironment

LOG = logging.getLogger(__name__)

MAX_TOKEN_SECONDS = 21600
CREDENTIAL_SECONDS = 21600
# New credentials are handed out this long before the old ones end, as on EC2.
_REFRESH_SECONDS = 900
_TEXT = "text/plain"
_JSON = "application/json"
_NOT_FOUND = ("404 Not Found", _TEXT, "Not Found")


@dataclass(frozen=True)
class Credentials:
    """What AssumeRole gives."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime.datetime
    """In UTC."""


@dataclass(frozen=True)
class Identity:
    """What an instance can learn about itself."""

    instance_id: str
    instance_type: str
    image_id: str
    account_id: str
    region: str
    zone: str
    private_address: str
    public_address: str | None
    mac: str
    hostname: str
    security_groups: tuple[str, ...]
    tags: Mapping[str, str]
    """Empty unless the instance's metadata options show them."""
    profile_arn: str | None
    profile_id: str | None
    role_name: str | None
    role_arn: str | None
    public_key: str | None
    hop_limit: int
    """How many hops a token may travel, 1 to 64: the answer's time to live."""


class UntrustedError(Exception):
    """EC2 may not take on an instance's role; the text says why."""


class MetadataService:
    """A WSGI application.

    ``identify`` returns the identity of the instance that has a source address, or None; ``assume`` mints credentials
    for a role's ARN under a session name, or raises UntrustedError.
    """

    def __init__(self, identify: Callable[[str], Identity | None], assume: Callable[[str, str], Credentials]) -> None:
        self._identify = identify
        self._assume = assume
        self._tokens: dict[str, tuple[str, float]] = {}
        self._credentials: dict[tuple[str, str], tuple[Credentials, datetime.datetime]] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, kind, body = self._answer(environ)
        content = body.encode()
        headers = [("Content-Type", kind), ("Content-Length", str(len(content))), ("Server", "EC2ws")]
        if status.startswith("200") and environ["REQUEST_METHOD"] == "PUT":
            self._limit_hops(environ)
            headers.append(("X-aws-ec2-metadata-token-ttl-seconds", environ[_TTL_HEADER]))
        start_response(status, headers)
        return [content]

    def _limit_hops(self, environ: WSGIEnvironment) -> None:
        """Lets the token die on its way to a container within the host, as EC2's HttpPutResponseHopLimit does."""
        identity = self._identify(environ["REMOTE_ADDR"])
        connection: socket.socket | None = environ.get("werkzeug.socket")
        if identity is not None and connection is not None:
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, identity.hop_limit)

    def _answer(self, environ: WSGIEnvironment) -> tuple[str, str, str]:
        path = environ.get("PATH_INFO", "")
        method = environ["REQUEST_METHOD"]
        identity = self._identify(environ["REMOTE_ADDR"])
        if identity is None:
            return "403 Forbidden", _TEXT, "Only an instance of this local cloud has metadata here."
        if path == "/latest/api/token":
            return self._token(environ, identity) if method == "PUT" else ("405 Method Not Allowed", _TEXT, "")
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", _TEXT, ""
        if not self._is_valid(environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN", ""), identity):
            return "401 Unauthorized", _TEXT, "Unauthorized: ask PUT /latest/api/token for a token first."
        return self._document(path, identity)

    def _token(self, environ: WSGIEnvironment, identity: Identity) -> tuple[str, str, str]:
        if "HTTP_X_FORWARDED_FOR" in environ:
            return "403 Forbidden", _TEXT, ""
        seconds = environ.get(_TTL_HEADER, "")
        if not seconds.isdecimal() or not 1 <= int(seconds) <= MAX_TOKEN_SECONDS:
            return "400 Bad Request", _TEXT, "Bad Request"
        token = secrets.token_urlsafe(42)
        now = time.monotonic()
        with self._lock:
            self._tokens = {key: held for key, held in self._tokens.items() if held[1] > now}
            self._tokens[token] = (identity.instance_id, now + int(seconds))
        return "200 OK", _TEXT, token

    def _is_valid(self, token: str, identity: Identity) -> bool:
        held = self._tokens.get(token)
        return held is not None and held[0] == identity.instance_id and held[1] > time.monotonic()

    def _document(self, path: str, identity: Identity) -> tuple[str, str, str]:
        if path == "/latest/dynamic/instance-identity/document":
            return "200 OK", _TEXT, _identity_document(identity)
        prefix = "/latest/meta-data"
        if path != prefix and not path.startswith(prefix + "/"):
            return _NOT_FOUND
        name = path.removeprefix(prefix).strip("/")
        if identity.role_name is not None and name == f"iam/security-credentials/{identity.role_name}":
            return "200 OK", _JSON, self._role_credentials(identity)
        leaves = _leaves(identity)
        if name in leaves:
            return "200 OK", _TEXT, leaves[name]
        children = _children(leaves, name)
        return ("200 OK", _TEXT, "\n".join(children)) if children else _NOT_FOUND

    def _role_credentials(self, identity: Identity) -> str:
        now = datetime.datetime.now(datetime.UTC)
        key = (identity.instance_id, str(identity.role_arn))
        with self._lock:
            held = self._credentials.get(key)
            if held is None or (held[0].expiration - now).total_seconds() < _REFRESH_SECONDS:
                try:
                    held = (self._assume(str(identity.role_arn), identity.instance_id), now)
                except UntrustedError as error:
                    refused = {"Code": "AssumeRoleUnauthorizedAccess", "LastUpdated": _stamp(now)}
                    return json.dumps(refused | {"Message": str(error)}, indent=2)
                self._credentials[key] = held
        credentials, minted = held
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": _stamp(minted),
                "Type": "AWS-HMAC",
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": credentials.secret_access_key,
                "Token": credentials.session_token,
                "Expiration": _stamp(credentials.expiration),
            },
            indent=2,
        )


_TTL_HEADER = "HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS"


def _stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _leaves(identity: Identity) -> dict[str, str]:
    leaves = {
        "ami-id": identity.image_id,
        "hostname": identity.hostname,
        "instance-id": identity.instance_id,
        "instance-type": identity.instance_type,
        "local-hostname": identity.hostname,
        "local-ipv4": identity.private_address,
        "mac": identity.mac,
        "placement/availability-zone": identity.zone,
        "placement/region": identity.region,
        "security-groups": "\n".join(identity.security_groups),
        "services/domain": "amazonaws.com",
        "services/partition": "aws",
    }
    if identity.public_address is not None:
        leaves["public-ipv4"] = identity.public_address
    if identity.public_key is not None:
        leaves["public-keys/0/openssh-key"] = identity.public_key
    if identity.profile_arn is not None:
        leaves["iam/info"] = json.dumps(
            {
                "Code": "Success",
                "LastUpdated": _stamp(datetime.datetime.now(datetime.UTC)),
                "InstanceProfileArn": identity.profile_arn,
                "InstanceProfileId": identity.profile_id,
            },
            indent=2,
        )
        if identity.role_name is not None:
            leaves[f"iam/security-credentials/{identity.role_name}"] = ""
    for key, value in identity.tags.items():
        leaves[f"tags/instance/{key}"] = value
    return leaves


def _children(leaves: Mapping[str, str], directory: str) -> list[str]:
    prefix = f"{directory}/" if directory else ""
    children = set()
    for name in leaves:
        if name.startswith(prefix):
            first, slash, _ = name.removeprefix(prefix).partition("/")
            children.add(first + slash)
    return sorted(children)


def _identity_document(identity: Identity) -> str:
    return json.dumps(
        {
            "accountId": identity.account_id,
            "architecture": "x86_64",
            "availabilityZone": identity.zone,
            "imageId": identity.image_id,
            "instanceId": identity.instance_id,
            "instanceType": identity.instance_type,
            "privateIp": identity.private_address,
            "region": identity.region,
            "version": "2017-09-30",
        },
        indent=2,
    )
