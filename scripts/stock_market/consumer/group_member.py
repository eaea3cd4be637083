"""The consumer's membership in its group: how it joins, and what it is told of its partitions."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import MemberState

from stock_market.errors import ServiceError
from stock_market.kafka import security
from stock_market.kafka.client import PATIENCE, MendedConsumer
from stock_market.logs import Log
from stock_market.service import Every
from stock_market.settings import ConsumerSettings

_log = Log("consumer")
_LOOK_SECONDS = 0.5
_SESSIONS_OUTSIDE = 3


class Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python ships no types
    """Notes what Kafka gives and takes; the main loop acts on it when its poll returns.

    kafka-python calls these on its network thread while the main thread waits in `poll`.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self.events: deque[tuple[str, frozenset[TopicPartition]]] = deque()

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        # Nothing is read before the chain's end is known.
        self._consumer.pause(*assigned)
        self.events.append(("assigned", frozenset(assigned)))

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self.events.append(("revoked", frozenset(revoked)))

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        self.events.append(("revoked", frozenset(lost)))


class Membership:
    """Whether the consumer is in its group, by what the group's coordinator says, not by what the client believes.

    Out of its group a consumer may read on, but its commits fail, and others are given its partitions. kafka-python is
    to join again by itself; where it does not, although the brokers answer, a new client has to.

    Args:
        consumer: the member.
        session_seconds: how long the coordinator keeps a member that it does not hear of.
    """

    def __init__(self, consumer: KafkaConsumer, session_seconds: float) -> None:
        self._consumer = consumer
        self._session_seconds = session_seconds
        self._due = Every(_LOOK_SECONDS)
        self._generation: tuple[int, str] | None = None
        self._confirmed = time.monotonic()
        self._inside = False
        self._outside_seconds = 0.0
        self._told = False
        self._metadata: Any = None

    @property
    def stable(self) -> bool:
        """Whether the client takes itself for a member, with partitions that have been agreed upon."""
        return bool(self._consumer.group_metadata().state == MemberState.STABLE)

    def look(self) -> None:
        """Called often; logs when the consumer has joined.

        Raises:
            ServiceError: it has been outside for three sessions in which the brokers answered.
        """
        passed = self._due.due()
        if not passed:
            return
        if self._is_inside():
            self._inside, self._told, self._outside_seconds, self._metadata = True, False, 0.0, None
            return
        self._inside = False
        # A process that was stopped has not waited.
        self._outside_seconds += min(passed, 2 * _LOOK_SECONDS) if self._brokers_answer() else 0.0
        limit = _SESSIONS_OUTSIDE * self._session_seconds
        if self._outside_seconds >= limit:
            raise ServiceError(
                f"the consumer has been outside of its group for {limit:g} s in which the brokers answered; starting"
                " afresh"
            )
        if self._outside_seconds >= self._session_seconds and not self._told:
            self._told = True
            _log.warning("outside_group", seconds=self._outside_seconds, limit=limit)

    def excuse(self) -> None:
        """Called when the brokers refuse the membership: a new client would be refused as well."""
        self._outside_seconds = 0.0

    def _is_inside(self) -> bool:
        """Whether the coordinator has confirmed the membership within a session."""
        now = time.monotonic()
        group = self._consumer.group_metadata()
        if group.state != MemberState.STABLE:
            return False
        generation = (group.generation_id, group.member_id)
        joined = generation != self._generation
        heard = now if joined else max(self._confirmed, self._consumer._coordinator.heartbeat.last_receive)
        if now - heard >= self._session_seconds:
            return False
        if joined or not self._inside:
            away = 0.0 if self._generation is None else heard - self._confirmed
            _log.info("group_joined", generation=group.generation_id, away_seconds=away)
        self._generation, self._confirmed = generation, heard
        return True

    def _brokers_answer(self) -> bool:
        """Whether the newest request for the cluster's metadata was answered; asks again."""
        asked = self._metadata
        if asked is None or asked.is_done:
            self._metadata = self._consumer._manager.cluster.request_update()
        return bool(asked is not None and asked.succeeded())


def make_consumer(settings: ConsumerSettings) -> KafkaConsumer:
    """A member of the consumers' group, not subscribed yet.

    Raises:
        KafkaError: no broker answers.
    """
    kafka = settings.kafka
    options: dict[str, Any] = PATIENCE | security.options(kafka)
    if kafka.instance_id:
        options["group_instance_id"] = kafka.instance_id
    return MendedConsumer(
        client_id=kafka.client_id,
        group_id=kafka.group_id,
        enable_auto_commit=False,
        # Where to begin is always told by a seek; this only keeps a poll from failing before that.
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        allow_auto_create_topics=False,
        partition_assignment_strategy=[CooperativeStickyAssignor],
        session_timeout_ms=int(kafka.session_timeout_seconds * 1000),
        heartbeat_interval_ms=min(3000, int(kafka.session_timeout_seconds * 1000) // 3),
        fetch_max_bytes=settings.limits.fetch_bytes,
        max_partition_fetch_bytes=min(1 << 19, settings.limits.fetch_bytes),
        # Records wait for their object far longer; an answer for each one would cost a slow stream a tenth of a core.
        fetch_min_bytes=1 << 16,
        fetch_max_wait_ms=200,
        **options,
    )


def make_reader(settings: ConsumerSettings) -> KafkaConsumer:
    """A consumer outside of the group, for a single look into the log.

    Raises:
        KafkaError: no broker answers.
    """
    return KafkaConsumer(
        client_id=f"{settings.kafka.client_id}-reader",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        **(PATIENCE | security.options(settings.kafka)),
    )
