"""Tells of brokers that a running client cannot connect to: kafka-python tries again by itself, without a word."""

from __future__ import annotations

import time

from stock_market.kafka import connections, security
from stock_market.logs import Log
from stock_market.service import Backoff, Systemd
from stock_market.settings import Kafka

_log = Log("kafka")


class Outages:
    """Says now and then which broker does not take this client, and why."""

    def __init__(self, kafka: Kafka, systemd: Systemd) -> None:
        self._kafka = kafka
        self._systemd = systemd
        self._pauses = Backoff(first=1.0, limit=60.0)
        self._next = self._seen = time.monotonic()

    def look(self) -> None:
        """Called often; says something only after a failure that is new, and less and less often."""
        now = time.monotonic()
        if now < self._next:
            return
        failure = connections.newest_failure(self._seen)
        self._seen = now
        if failure is None:
            self._next = now + 1.0
            return
        self._next = now + self._pauses.pause()
        reason = security.why_failed(failure, self._kafka)
        self._systemd.status(f"waiting for Kafka: {reason}")
        _log.warning("kafka_retry", what="connection", attempt=self._pauses.attempts, error=reason)

    def over(self) -> None:
        """Called when the client does its work: the next failure is told at once again."""
        if self._pauses.attempts:
            self._pauses.reset()
            self._next = time.monotonic()
