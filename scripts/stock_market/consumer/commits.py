"""The chains' ends, as the consumers' group notes them: a hint for the next start, and the base of the group's lag."""

from __future__ import annotations

import time

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from stock_market.chain.naming import ObjectInfo
from stock_market.logs import Log
from stock_market.service import Backoff

_log = Log("consumer")
_ANSWER_SECONDS = 15.0

Ends = dict[TopicPartition, OffsetAndMetadata]


class Commits:
    """Notes the ends of all partitions together, with one request at a time.

    kafka-python refuses a sixth request that waits for a broker's answer, so one for each partition would lose some of
    those whose objects are stored at the same time; an idle partition would then lag until its next object. What a
    request could not note goes with a later one. A commit that gets lost is made up for by a search in S3.

    Args:
        consumer: the member of the group, which calls back while it polls.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._due: Ends = {}
        self._sent: Ends = {}
        self._free_at = 0.0
        self._pauses = Backoff(first=1.0, limit=30.0)

    def note(self, where: TopicPartition, info: ObjectInfo) -> None:
        """The chain of an assigned partition ends with this object."""
        self._due[where] = OffsetAndMetadata(info.end, info.key, -1)

    def forget(self, where: TopicPartition) -> None:
        """Kafka has taken the partition: another consumer notes its end."""
        self._due.pop(where, None)
        self._sent.pop(where, None)

    def send(self) -> None:
        """Called some times a second: sends what is due, unless the answer to the last request is still to come.

        One that has not come for 15 s is not waited for: what it asked goes with the next request.
        """
        if (self._due or self._sent) and time.monotonic() >= self._free_at:
            self._sent, self._due = self.left(), {}
            self._free_at = time.monotonic() + _ANSWER_SECONDS
            self._consumer.commit_async(dict(self._sent), callback=self._on_answer)

    def left(self) -> Ends:
        """What is not known to be noted."""
        return self._sent | self._due

    def _on_answer(self, asked: Ends, answer: object) -> None:
        now = time.monotonic()
        if not isinstance(answer, Exception):
            self._sent = {where: end for where, end in self._sent.items() if asked.get(where) != end}
            self._free_at = now
            self._pauses.reset()
            return
        _log.warning("commit_failed", partitions=",".join(str(each.partition) for each in sorted(asked)), error=answer)
        # An answer that comes after its time finds what a later request has asked for.
        self._due = {where: end for where, end in self._sent.items() if asked.get(where) == end} | self._due
        self._sent = {where: end for where, end in self._sent.items() if where not in self._due}
        self._free_at = now + self._pauses.pause()
