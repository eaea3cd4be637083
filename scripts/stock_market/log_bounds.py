"""Where the topic's logs begin and end, as the brokers tell, and what that says about the objects in S3."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kafka import KafkaConsumer, TopicPartition

from stock_market.errors import ConflictError

_KAFKA_MS = 10_000
_LAG_MS = 2_000


class LogBounds:
    """Asks for the first and last offsets of one topic's partitions.

    Args:
        consumer: asks the brokers.
        topic: the topic's name.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic

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
        ends = self._consumer.end_offsets(list(assigned), timeout_ms=_LAG_MS)
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
            " data, or make the topic anew, so that its objects start a new chain"
        )
