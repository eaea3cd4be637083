"""Makes sure that fetched records are of the log whose chain they go into: the topic can be recreated meanwhile.

A fetch of kafka-python names its topic by name, not by id, so the answer can come from a topic that was created again
under the same name. Kafka never uses an id twice: if a leader, asked after its answer to a fetch was received, still
gives the topic's id, the answer was of that topic. So fetched records wait until their leader has confirmed the id.
A broker answers the requests of a connection in their order, so little can pile up meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, LeaderNotAvailableError

from stock_market.kafka.client import identity
from stock_market.kafka.identity import Identity, topic_id_text
from stock_market.kafka.record_block import RecordBlock

_PAUSE_SECONDS = 0.05
"""Between two questions to one leader: each costs half a millisecond of CPU, and what a fast stream holds is memory."""
_KAFKA_MS = 10_000


class RecreatedError(Exception):
    """The topic was deleted and created again, or another cluster answers: the offsets now count another log."""


class _Fetched(NamedTuple):
    received: float
    leader: int
    where: TopicPartition
    blocks: list[RecordBlock]


class _Question(NamedTuple):
    asked: float
    answer: Any


class IdentityCheck:
    """Holds fetched records until their leader has confirmed that they are of the log."""

    def __init__(self, consumer: KafkaConsumer, topic: str, expected: Identity) -> None:
        self._consumer = consumer
        # Beneath the public API, which has no way to ask a certain broker, nor for a topic's id.
        self._manager = consumer._manager
        self._topic = topic
        self._expected = expected
        self._held: list[_Fetched] = []
        self._questions: dict[int, _Question] = {}
        self._confirmed: dict[int, float] = {}

    @property
    def holds(self) -> bool:
        """Whether anything waits for its confirmation."""
        return bool(self._held)

    def require_same(self) -> None:
        """Compares with what the client knows of the topic at this moment.

        Raises:
            RecreatedError: it is another log.
        """
        self._require(identity(self._consumer, self._topic))

    def ask_now(self, where: TopicPartition) -> None:
        """Asks the partition's leader, and waits for its answer: what it told of the log before is of this log.

        Raises:
            RecreatedError: it is another log.
            KafkaError: the leader does not tell.
        """
        leader = self._leader(where)
        if leader < 0:
            self._manager.cluster.request_update()
            raise LeaderNotAvailableError(f"nobody leads {where}")
        found = self._read(self._manager.run(self._manager.wait_for, self._ask(leader), _KAFKA_MS))
        if found is None:
            raise KafkaError(f"broker {leader} does not tell the id of the topic {self._topic}")
        self._require(found)

    def hold(self, fetched: dict[TopicPartition, list[RecordBlock]]) -> None:
        """Takes what a poll has returned."""
        now = time.monotonic()
        self._held += [_Fetched(now, self._leader(where), where, found) for where, found in fetched.items()]

    def forget(self, where: TopicPartition) -> None:
        """Drops what is held of a partition; it has to be fetched again."""
        self._held = [fetched for fetched in self._held if fetched.where != where]

    def take_back(self) -> set[TopicPartition]:
        """Drops all that is held; returns its partitions, which have to be fetched again."""
        partitions = {fetched.where for fetched in self._held}
        self._held.clear()
        return partitions

    def release(self) -> Iterator[tuple[TopicPartition, list[RecordBlock]]]:
        """Gives out what has been confirmed, each partition's records in their order.

        Raises:
            RecreatedError: it is another log; what is still held is of the one or the other.
            KafkaError: a leader does not answer.
        """
        if not self._held:
            return
        self._look()
        for fetched in self._ready():
            # One that was handed over before can have had this one forgotten.
            if fetched in self._held:
                self._held.remove(fetched)
                yield fetched.where, fetched.blocks

    def _ready(self) -> list[_Fetched]:
        """What is confirmed and behind nothing of its partition that is not."""
        ready: list[_Fetched] = []
        blocked: set[TopicPartition] = set()
        for fetched in self._held:
            if fetched.where in blocked or fetched.received > self._confirmed.get(self._answerer(fetched), -1.0):
                blocked.add(fetched.where)
            else:
                ready.append(fetched)
        return ready

    def _leader(self, where: TopicPartition) -> int:
        leader = self._manager.cluster.leader_for_partition(where)
        return -1 if leader is None else int(leader)

    def _answerer(self, fetched: _Fetched) -> int:
        """The broker that answers for what was fetched; the present leader where none was known then."""
        return fetched.leader if fetched.leader >= 0 else self._leader(fetched.where)

    def _look(self) -> None:
        """Reads answers, and asks each leader of which something is held that it has not confirmed."""
        newest: dict[int, float] = {}
        for fetched in self._held:
            newest[self._answerer(fetched)] = fetched.received
        now = time.monotonic()
        for node, question in list(self._questions.items()):
            if not question.answer.is_done:
                continue
            if question.answer.failed():
                del self._questions[node]
                if node in newest:
                    # Another broker may lead by now: what this one gave is fetched again from that one.
                    raise KafkaError(f"broker {node} did not confirm the topic's id: {question.answer.exception}")
                continue
            found = self._read(question.answer.value)
            self._require(found)
            if found is not None:
                self._confirmed[node] = question.asked
            if now - question.asked >= _PAUSE_SECONDS:
                del self._questions[node]
        for node, received in newest.items():
            if node >= 0 and node not in self._questions and received > self._confirmed.get(node, -1.0):
                self._questions[node] = _Question(now, self._ask(node))

    def _ask(self, node: int) -> Any:
        return self._manager.call_soon(_send, self._manager, node)

    def _read(self, answer: Any) -> Identity | None:
        for topic in answer.topics:
            if topic.name == self._topic and topic.error_code == 0 and topic.topic_id is not None:
                return Identity(str(answer.cluster_id), topic_id_text(topic.topic_id))
        return None

    def _require(self, found: Identity | None) -> None:
        if found is not None and found != self._expected:
            raise RecreatedError(
                f"the topic {self._topic} was deleted and created again: topic id {found.topic_id} of cluster"
                f" {found.cluster_id} instead of {self._expected.topic_id} of {self._expected.cluster_id}"
            )


async def _send(manager: Any, node: int) -> Any:
    return await manager.send(manager.cluster.metadata_request(), node)
