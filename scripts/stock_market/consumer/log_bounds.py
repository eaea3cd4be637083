"""Where the topic's logs begin and end, as the brokers tell, and what that says about the objects in S3."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError, LeaderNotAvailableError, for_code
from kafka.protocol.consumer import OffsetForLeaderEpochRequest

from stock_market.chain.partition import LastRecord
from stock_market.errors import ConflictError
from stock_market.hours import is_time

_KAFKA_MS = 10_000
_LAG_MS = 2_000


class LogBounds:
    """Asks for the first and last offsets of one topic's partitions.

    `make_reader` makes a consumer outside of the group, for a look at a single record.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str, make_reader: Callable[[], KafkaConsumer]) -> None:
        self._consumer = consumer
        self._topic = topic
        self._make_reader = make_reader

    def start(self, partition: int) -> int:
        """The first offset that the log still has.

        Raises:
            KafkaError: the broker does not tell.
        """
        where = TopicPartition(self._topic, partition)
        return int(self._consumer.beginning_offsets([where], timeout_ms=_KAFKA_MS)[where])

    def end(self, partition: int) -> int:
        """The offset of the log's next record.

        Raises:
            KafkaError: the broker does not tell.
        """
        where = TopicPartition(self._topic, partition)
        return int(self._consumer.end_offsets([where], timeout_ms=_KAFKA_MS)[where])

    def ends(self, partitions: Collection[TopicPartition], timeout_ms: int = _LAG_MS) -> dict[TopicPartition, int]:
        """The offset of each log's next record, with one request for each leader.

        Raises:
            KafkaError: a broker does not tell.
        """
        ends: dict[TopicPartition, int] = self._consumer.end_offsets(list(partitions), timeout_ms=timeout_ms)
        return ends

    def cut(self, partition: int, before: LastRecord | None) -> int | None:
        """Where the log was cut below a record that it once had, if it was.

        Kafka's leaders keep at which offset each epoch ended (KIP-101, KIP-320): where the record's epoch ended before
        its offset, the record is no longer in the log. A broker that is alone goes on in its old epoch, so the
        timestamp is compared, too: another record at the same offset has another one, as far as the clock tells.

        Returns:
            the first offset that the log lost: exact where epochs tell or the topic's timestamps are LogAppendTime,
            else the record's own at the most; None where it lost none, or nobody can tell.

        Raises:
            KafkaError: a broker does not answer.
        """
        if before is None:
            return None
        where = TopicPartition(self._topic, partition)
        if before.leader_epoch >= 0:
            end = self._epoch_end(where, before.leader_epoch)
            if 0 <= end <= before.offset:
                return end
        if not is_time(before.timestamp):
            return None
        # The first record that is later. Those of the same millisecond tell nothing: what the log kept has some, too.
        first = self._consumer.offsets_for_times({where: before.timestamp + 1}, timeout_ms=_KAFKA_MS)[where]
        if first is None or first.offset > before.offset:
            return None
        # In an unbroken log only one whose clock was ahead lies there.
        timestamp = self._timestamp_at(where, before.offset)
        return None if timestamp in (None, before.timestamp) else int(first.offset)

    def _timestamp_at(self, where: TopicPartition, offset: int) -> int | None:
        """The timestamp of a record that Kafka has; None where it has none at this offset."""
        reader = self._make_reader()
        try:
            reader.assign([where])
            reader.seek(where, offset)
            deadline = time.monotonic() + _KAFKA_MS / 1000
            while time.monotonic() < deadline:
                for record in reader.poll(timeout_ms=500, max_records=1).get(where, []):
                    return int(record.timestamp) if record.offset == offset else None
        finally:
            reader.close(autocommit=False, timeout_ms=2000)
        raise KafkaTimeoutError(f"the record at offset {offset} of {where} did not come within {_KAFKA_MS} ms")

    def _epoch_end(self, where: TopicPartition, leader_epoch: int) -> int:
        """Where an epoch, or the last one before it, ended, or the log ends; -1 where the leader does not know."""
        # Beneath the public API, which asks only for positions of its own and then seeks without a word.
        manager = self._consumer._manager
        leader = manager.cluster.leader_for_partition(where)
        if leader is None or leader < 0:
            manager.cluster.request_update()
            raise LeaderNotAvailableError(f"nobody leads {where}")
        topic = OffsetForLeaderEpochRequest.OffsetForLeaderTopic
        asked = topic.OffsetForLeaderPartition(
            partition=where.partition, current_leader_epoch=-1, leader_epoch=leader_epoch
        )
        request = OffsetForLeaderEpochRequest(replica_id=-1, topics=[(where.topic, [asked])])
        # Sent by the client's own thread: a connection's buffer takes no writes of two at once.
        future = manager.call_soon(manager.send, request, leader)
        answer = manager.run(manager.wait_for, future, _KAFKA_MS)
        (found,) = answer.topics[0].partitions
        if found.error_code:
            manager.cluster.request_update()
            raise for_code(found.error_code)(f"where epoch {leader_epoch} of {where} ended")
        return int(found.end_offset)

    def lag(self, assigned: Collection[TopicPartition], read: Mapping[TopicPartition, int]) -> int:
        """Records that have not been read.

        Args:
            assigned: the partitions to count.
            read: how far they have been read; where that is not known, all that the log has counts.

        Raises:
            KafkaError: a broker does not tell.
        """
        if not assigned:
            return 0
        unknown = list(assigned - read.keys())
        ends = self.ends(assigned)
        starts = self._consumer.beginning_offsets(unknown, timeout_ms=_LAG_MS) if unknown else {}
        return sum(max(0, end - (read[where] if where in read else starts[where])) for where, end in ends.items())


def require_in_log(partition: int, position: int, log_end: int) -> None:
    """The objects of a partition must not reach beyond its log.

    Raises:
        ConflictError: they do.
    """
    if position > log_end:
        raise ConflictError(
            f"the objects of partition {partition} reach offset {position}, but Kafka's log ends at {log_end}: the"
            " broker has lost records that S3 still has, and new ones would get their offsets; restore the broker's"
            " data, or create the topic again, so that its objects start a new chain"
        )
