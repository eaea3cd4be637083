"""Counts what goes wrong between a client and the brokers, by a few kinds that never become more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from kafka.errors import (
    AuthorizationError,
    KafkaConnectionError,
    KafkaTimeoutError,
    RequestTimedOutError,
    SaslAuthenticationFailedError,
    UnknownTopicOrPartitionError,
)

from stock_market.kafka import connections

_AUTHENTICATION, _AUTHORIZATION, _CONNECTION, _TIMEOUT, _TOPIC, _OTHER = REASONS = (
    "authentication",
    "authorization",
    "connection",
    "timeout",
    "topic",
    "other",
)
_KINDS = (
    (AuthorizationError, _AUTHORIZATION),
    (KafkaTimeoutError | RequestTimedOutError, _TIMEOUT),
    (UnknownTopicOrPartitionError, _TOPIC),
)


class ErrorCounts:
    """The errors of this process."""

    def __init__(self) -> None:
        self._noted: Counter[str] = Counter()

    def note(self, error: Exception) -> None:
        """Counts an error, unless it only repeats that a connection failed: those are counted where they fail."""
        if not isinstance(error, KafkaConnectionError | SaslAuthenticationFailedError):
            self._noted[next((reason for kind, reason in _KINDS if isinstance(error, kind)), _OTHER)] += 1

    def counts(self) -> Mapping[str, int]:
        """How many there were of each kind."""
        connection, authentication = connections.failed_attempts()
        found = {_CONNECTION: connection, _AUTHENTICATION: authentication}
        return {reason: self._noted[reason] + found.get(reason, 0) for reason in REASONS}
