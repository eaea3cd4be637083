"""Faults that AWS has on some days and the local cloud on demand: throttling, lost connections, expired credentials.

Sources: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html (RequestLimitExceeded),
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (SlowDown), botocore's data/_retry.json and
retries/standard.py for the codes of the others, which clients repeat.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter

from local_cloud.incoming import Incoming
from local_cloud.refusals import JSON_SERVICES, Refusal, RefusedError, bad_key
from local_cloud.settings import ADMINISTRATOR_SESSION, FaultSettings


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

    def meet(self, incoming: Incoming) -> None:
        """Let a request pass, or not.

        Raises:
            RefusedError: it is throttled, or its credentials have expired.
            ConnectionResetError: its connection is lost.
        """
        settings = self._settings
        if settings == FaultSettings():
            return
        key = incoming.signed.access_key_id if incoming.signed else ""
        action = incoming.method if incoming.service == "s3" else incoming.action
        with self._lock:
            self._requests[key] += 1
            self._requests[f"{incoming.service}:{action}"] += 1
            used, turn = self._requests[key], self._requests[f"{incoming.service}:{action}"]
        if key == ADMINISTRATOR_SESSION and 0 < settings.expire_after < used:
            raise RefusedError(bad_key(incoming.service, "expired"))
        if settings.drop_every and turn % settings.drop_every == 0:
            _drop(incoming)
        if settings.throttle_every and turn % settings.throttle_every == 0:
            raise RefusedError(throttled(incoming.service))


def _drop(incoming: Incoming) -> None:
    # What is left unread would be taken for the next request.
    incoming.environ["wsgi.input"].read(int(incoming.environ.get("CONTENT_LENGTH") or 0))
    connection = incoming.environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError(f"the connection of {incoming.service}:{incoming.action} is lost, as was asked for")
