"""Faults that AWS has on some days and the local cloud on demand: throttling, lost connections, expired credentials.

Sources: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html (RequestLimitExceeded),
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (SlowDown), botocore's data/_retry.json and
retries/standard.py for the codes of the others, which clients repeat.
"""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter

from local_cloud.api.errors import JSON_SERVICES, Refusal, RefusedError, bad_key
from local_cloud.api.request import ApiRequest
from local_cloud.settings import ADMINISTRATOR_SESSION, FaultSettings

_ATTEMPT = re.compile(r"\battempt=(\d+)")
# Two clients at once may take each other's turns for as long as they repeat.
_MOST_REFUSED = 2


def throttled(service: str) -> Refusal:
    """A service's answer to a caller who asks too often."""
    if service == "ec2":
        return Refusal("503 Service Unavailable", "RequestLimitExceeded", "Request limit exceeded.")
    if service == "s3":
        return Refusal("503 Slow Down", "SlowDown", "Please reduce your request rate.")
    if service in JSON_SERVICES:
        return Refusal("400 Bad Request", "ThrottlingException", "Rate exceeded")
    return Refusal("400 Bad Request", "Throttling", "Rate exceeded")


class Faults:
    """Counts requests, and refuses those whose turn it is."""

    def __init__(self, settings: FaultSettings) -> None:
        self._settings = settings
        self._requests: Counter[str] = Counter()
        self._lock = threading.Lock()

    def meet(self, request: ApiRequest) -> None:
        """Let a request pass, or not.

        Raises:
            RefusedError: it is throttled, or its credentials have expired.
            ConnectionResetError: its connection is lost.
        """
        settings = self._settings
        if settings == FaultSettings():
            return
        key = request.signed.access_key_id if request.signed else ""
        action = request.method if request.service == "s3" else request.action
        with self._lock:
            self._requests[key] += 1
            self._requests[f"{request.service}:{action}"] += 1
            used, turn = self._requests[key], self._requests[f"{request.service}:{action}"]
        if key == ADMINISTRATOR_SESSION and 0 < settings.expire_after < used:
            raise RefusedError(bad_key(request.service, "expired"))
        # Which try this is, as AWS' clients tell it: `amz-sdk-request: attempt=2; max=5`.
        attempt = _ATTEMPT.search(str(request.environ.get("HTTP_AMZ_SDK_REQUEST", "")))
        if attempt and int(attempt[1]) > _MOST_REFUSED:
            return
        if settings.drop_every and turn % settings.drop_every == 0:
            _drop(request)
        if settings.throttle_every and turn % settings.throttle_every == 0:
            raise RefusedError(throttled(request.service))


def _drop(request: ApiRequest) -> None:
    # What is left unread would be taken for the next request.
    request.environ["wsgi.input"].read(int(request.environ.get("CONTENT_LENGTH") or 0))
    connection = request.environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError(f"the connection of {request.service}:{request.action} is lost, as was asked for")
