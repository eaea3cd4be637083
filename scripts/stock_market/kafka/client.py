"""kafka-python, set up as both services need it."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable
from functools import cache, partial
from types import BuiltinFunctionType
from typing import Any, TypeVar

from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from stock_market.errors import ServiceError
from stock_market.kafka.identity import Identity, topic_id_text
from stock_market.kafka.security import explain
from stock_market.logs import Log, library_hushed
from stock_market.service import Backoff, Stop, Systemd
from stock_market.settings import Kafka

_T = TypeVar("_T")
_log = Log("kafka")
_METADATA_MS = 5000

PATIENCE: dict[str, Any] = {
    "reconnect_backoff_ms": 100,
    "reconnect_backoff_max_ms": 10_000,
    "bootstrap_timeout_ms": 5000,
    "request_timeout_ms": 6000,
    "metadata_max_age_ms": 2000,
    "metrics_enabled": False,
}
"""Growing pauses between attempts to connect, our own retries at the start, and no metrics, which only cost time.

A host that is cut off refuses nothing: kafka-python would wait 30 s for an answer and then 10 s for a connection (see
`connections`), and not ask meanwhile who leads now, which the other brokers have settled in less than ten.
"""


def require_accelerators() -> None:
    """Refuses to start without the C libraries.

    Raises:
        ServiceError: kafka-python would do without crc32c, but eight times slower and without a word.
    """
    for module, name, task in (("crc32c", "crc32c", "checksums"), ("lz4.frame", "compress", "compression")):
        package = module.partition(".")[0]
        sequel = (
            f"and kafka-python's {task} would be slow or impossible without it; install the locked requirements of the"
            " services"
        )
        try:
            function = getattr(importlib.import_module(module), name, None)
        except ImportError as error:
            raise ServiceError(f"the Python package {package} is missing ({error}), {sequel}") from error
        # A function written in Python is no BuiltinFunctionType.
        if not isinstance(function, BuiltinFunctionType):
            raise ServiceError(f"the Python package {package} is here, but not its part in C, {sequel}")


@cache
def _left_alone(part: str) -> None:
    _log.warning("kafka_python_not_patched", methods=part, advice="this kafka-python is another one")


class MendedConsumer(KafkaConsumer):  # type: ignore[misc]  # kafka-python ships no types
    """A consumer that does not forget a partition, as kafka-python 3.0.12 does in two ways, nor its group, in a third.

    When `pause` meets a partition of which `poll` has handed out only a part, kafka-python puts the rest aside and
    takes it up again only when `_next_partition_records` is None. But what `poll` has handed out to its end stays
    there, empty, so that the partition is never read again, on this assignment or on a later one.

    A consumer that was thrown out of its group gives up its partitions, but CooperativeStickyAssignor goes on to claim
    those of its last assignment when it joins again. If the leader then gives one of them to another, it is held back
    until the claimant has given it up; that was long ago, so nobody asks for the second round that would hand it over.

    The group's leader joins again when the topics' partitions differ from those that it has assigned. A broker that
    starts does not know the topics for a moment. If they are back before the new round is over, kafka-python forgets
    that it has begun one: no heartbeat and no commit is sent any more, the group throws the consumer out, and it reads
    on with the partitions that it had. As in Java's client, a round that has been begun is to be ended.

    Where this kafka-python has not what is patched, it stays as it is, and one warning names it. docs/upstream has the
    reproducers.
    """

    def __init__(self, *topics: str, **options: Any) -> None:
        super().__init__(*topics, **options)
        if not hasattr(getattr(self, "_fetcher", None), "_next_partition_records"):
            _left_alone("Fetcher._next_partition_records")
        coordinator = getattr(self, "_coordinator", None)
        if coordinator is None:
            if options.get("group_id") is not None:
                _left_alone("KafkaConsumer._coordinator")
            return
        if hasattr(coordinator, "need_rejoin") and hasattr(coordinator, "request_rejoin"):
            coordinator.need_rejoin = partial(self._need_rejoin, coordinator.need_rejoin)
        else:
            _left_alone("ConsumerCoordinator.need_rejoin")
        if not hasattr(coordinator, "_assignors") or not hasattr(self, "_subscription"):
            _left_alone("CooperativeStickyAssignor.metadata")
            return
        for assignor in coordinator._assignors.values():
            if isinstance(assignor, CooperativeStickyAssignor):
                assignor.metadata = partial(self._claim, assignor)

    def _claim(self, assignor: CooperativeStickyAssignor, topics: Iterable[str]) -> Any:
        """What the assignor tells the group's leader, with the partitions that this consumer really has."""
        assignor.member_assignment = sorted(self._subscription.assigned_partitions())
        return CooperativeStickyAssignor.metadata(assignor, topics)

    def _need_rejoin(self, asked: Callable[[], bool]) -> bool:
        """Whether the group has to be joined again: once it has to, it has to until that is done."""
        needed = asked()
        if needed:
            self._coordinator.request_rejoin()
        return needed

    def poll(self, *args: Any, **options: Any) -> Any:
        """As KafkaConsumer's."""
        fetcher: Any = getattr(self, "_fetcher", None)
        if hasattr(fetcher, "_next_partition_records") and not fetcher._next_partition_records:
            fetcher._next_partition_records = None
        return super().poll(*args, **options)


def connect(what: str, make: Callable[[], _T], kafka: Kafka, stop: Stop, systemd: Systemd) -> _T | None:
    """Makes a Kafka client, as often as it takes, with growing pauses; `what` names it in the log.

    Returns:
        the client; None when the service was asked to end before a broker answered.
    """
    pauses = Backoff()
    while not stop.requested:
        systemd.alive()
        began = time.monotonic()
        try:
            with library_hushed("kafka"):
                return make()
        except KafkaError as error:
            reason = explain(error, kafka, began)
            seconds = pauses.pause()
            systemd.status(f"waiting for Kafka: {reason}")
            _log.warning("kafka_retry", what=what, attempt=pauses.attempts, pause=seconds, error=reason)
            stop.wait(seconds)
    return None


def partitions(client: KafkaConsumer, topic: str) -> set[int]:
    """The topic's partitions; none where there is no such topic.

    Raises:
        TopicAuthorizationFailedError: the user may not know of the topic.
        KafkaError: the broker does not tell.
    """
    found: set[int] = client.partitions_for_topic(topic)
    if not found:
        # Asked for all topics, Kafka leaves out those that the user may not know of; asked for one, it says so.
        cluster = client._manager.cluster
        client._net.run(client._manager.wait_for, cluster.set_topics([topic]), _METADATA_MS)
        if topic in cluster.unauthorized_topics:
            raise TopicAuthorizationFailedError(topic)
    return found


def identity(client: Any, topic: str) -> Identity | None:
    """Which cluster and topic a consumer is connected to; None when the broker has not told yet."""
    cluster = client._manager.cluster
    topic_id = cluster.topic_id(topic)
    if not cluster.cluster_id or topic_id is None:
        return None
    return Identity(str(cluster.cluster_id), topic_id_text(topic_id))
