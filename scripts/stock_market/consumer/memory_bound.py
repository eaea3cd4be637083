"""Keeps what the consumer holds within its bound: closes large segments early, and pauses reading where S3 lags."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kafka import KafkaConsumer, TopicPartition

from stock_market.chain.partition import PartitionWriter
from stock_market.logs import Log

_log = Log("consumer")


class MemoryBound:
    """Decides which partitions are read for now, so that all together hold at most `limit` compressed bytes."""

    def __init__(self, consumer: KafkaConsumer, limit: int) -> None:
        self._consumer = consumer
        self._limit = limit
        self._paused: set[TopicPartition] = set()
        self._choked = False

    def forget(self, where: TopicPartition) -> None:
        """Kafka has taken this partition, and with it its pause."""
        self._paused.discard(where)

    def keep(self, writers: Mapping[TopicPartition, PartitionWriter], leaving: Collection[PartitionWriter]) -> None:
        """Looks at what is held.

        When what grows has reached four fifths of the limit, the largest segments go to S3, so that objects are as
        large as can be; when S3 does not take them, and all that is held has reached the limit, nothing more is read.

        Args:
            writers: those that are being read.
            leaving: those that only store what they hold.
        """
        limit = self._limit
        growing = sum(writer.growing_bytes for writer in writers.values())
        while growing > limit * 4 // 5:
            largest = max(writers.values(), key=lambda writer: writer.growing_bytes)
            growing -= largest.growing_bytes
            largest.seal()
        held = growing + sum(writer.sealed_bytes for writer in (*writers.values(), *leaving))
        choked = held > limit or (self._choked and held > limit * 15 // 16)
        if choked and not self._choked:
            _log.warning("reading_paused", held_bytes=held, limit_bytes=limit)
        self._choked = choked
        for where, writer in writers.items():
            if choked or writer.crowded or writer.searching:
                if where not in self._paused:
                    self._consumer.pause(where)
                    self._paused.add(where)
            elif where in self._paused:
                self._consumer.resume(where)
                self._paused.discard(where)
