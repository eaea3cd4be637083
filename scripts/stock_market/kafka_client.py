"""kafka-python, set up as both services need it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

from kafka.errors import KafkaError

from stock_market.chain import Identity
from stock_market.errors import ServiceError
from stock_market.logs import Log
from stock_market.service import Backoff, Stop, Systemd

_T = TypeVar("_T")
_log = Log("kafka")

RECONNECT: dict[str, Any] = {
    "reconnect_backoff_ms": 100,
    "reconnect_backoff_max_ms": 10_000,
    "bootstrap_timeout_ms": 5000,
    "metrics_enabled": False,
}
"""Growing pauses between attempts to connect, our own retries at the start, and no metrics, which only cost time."""


def require_accelerators() -> None:
    """Refuses to start without the C libraries.

    Raises:
        ServiceError: kafka-python would do without crc32c, but eight times slower and without a word.
    """
    for module, task in (("crc32c", "checksums"), ("lz4", "compression")):
        if importlib.util.find_spec(module) is None:
            raise ServiceError(
                f"the Python package {module} is missing, and kafka-python's {task} would be slow or impossible"
                " without it; install the locked requirements of the services"
            )


def connect(what: str, make: Callable[[], _T], stop: Stop, systemd: Systemd) -> _T | None:
    """Makes a Kafka client, as often as it takes, with growing pauses.

    Returns:
        the client; None when the service was asked to end before a broker answered.
    """
    pauses = Backoff()
    while not stop.requested:
        systemd.alive()
        try:
            return make()
        except KafkaError as error:
            seconds = pauses.pause()
            systemd.status(f"waiting for Kafka: {error}")
            _log.warning("kafka_retry", what=what, attempt=pauses.attempts, pause=seconds, error=error)
            stop.wait(seconds)
    return None


def identity(client: Any, topic: str) -> Identity | None:
    """Which cluster and topic a consumer is connected to; None when the broker has not told yet."""
    cluster = client._manager.cluster
    topic_id = cluster.topic_id(topic)
    if not cluster.cluster_id or topic_id is None:
        return None
    return Identity(str(cluster.cluster_id), str(topic_id))
