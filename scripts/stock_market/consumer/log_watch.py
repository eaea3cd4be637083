"""Notices that a partition's log was cut below what was read of it, and tells the range.

Requests are sent only where something may have happened: the client has connected to a broker since the last look, or
records come of another leader epoch than those before them. The logs' ends are asked for where nothing has come within
two seconds of a connection, and once a minute.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stock_market.chain.partition import PartitionWriter
from stock_market.consumer.log_bounds import LogBounds, require_in_log
from stock_market.consumer.log_identity import IdentityCheck
from stock_market.kafka.connections import newest_connection
from stock_market.kafka.record_block import RecordBlock
from stock_market.logs import Log
from stock_market.service import Backoff, Every

_log = Log("consumer")
_ENDS_SECONDS = 60.0
_SETTLE_SECONDS = 2.0
"""From a new connection to the question for the logs' ends."""
_MOMENT_MS = 500
"""Reading waits meanwhile."""
_NEVER = -1.0


class LogWatch:
    """Compares the logs with what was read of them."""

    def __init__(self, consumer: KafkaConsumer, bounds: LogBounds, check: IdentityCheck) -> None:
        self._manager = consumer._manager
        self._bounds = bounds
        self._check = check
        self._looked: dict[TopicPartition, float] = {}
        self._ends_asked = newest_connection(self._manager)
        self._ends_due = Every(_ENDS_SECONDS)
        self._not_before = 0.0
        self._pauses = Backoff(first=_SETTLE_SECONDS, limit=_ENDS_SECONDS)

    def forget(self, where: TopicPartition) -> None:
        """Has the next look at this partition ask the brokers."""
        self._looked.pop(where, None)

    def look(self, where: TopicPartition, writer: PartitionWriter, leader_epoch: int = -1) -> None:
        """Asks whether the log still has the record before the position, where that may have changed.

        `leader_epoch` is that of the records that come next; -1 where it is not known.

        Raises:
            ConflictError: the log does not reach the position.
            KafkaError: a broker does not tell.
            RecreatedError: the topic was created again.
        """
        newest = newest_connection(self._manager)
        same_epoch = leader_epoch < 0 or writer.before is None or writer.before.leader_epoch == leader_epoch
        if self._looked.get(where, _NEVER) == newest and same_epoch:
            return
        if self._bounds.cut(where.partition, writer.before) is not None:
            self._check.ask_now(where)
            # A log that ends below the record tells its end in place of where it was cut.
            require_in_log(where.partition, writer.position, self._bounds.end(where.partition))
            cut_start = self._bounds.cut(where.partition, writer.before)
            if cut_start is not None:
                writer.note_cut(cut_start)
        self._looked[where] = newest

    def astray(self, where: TopicPartition, writer: PartitionWriter, block: RecordBlock) -> None:
        """Kafka gave records that do not begin at the position: finds out whether the log still reaches it.

        Raises:
            ConflictError: it does not.
            KafkaError: a broker does not tell.
            RecreatedError: the topic was created again.
        """
        log_end = self._bounds.end(where.partition)
        self._check.ask_now(where)
        _log.warning("reader_astray", partition=where.partition, offset=block.start, position=writer.position)
        require_in_log(where.partition, writer.position, log_end)
        if block.start < writer.position:
            self.forget(where)
            self.look(where, writer)

    def look_at_ends(self, writers: Mapping[TopicPartition, PartitionWriter]) -> None:
        """Asks whether the logs still reach the positions, also where no record comes any more; called often.

        Raises:
            ConflictError: one does not.
            RecreatedError: the topic was created again.
        """
        asked = self._unsure(writers)
        if not asked:
            return
        try:
            for where, log_end in self._bounds.ends(asked, _MOMENT_MS).items():
                if writers[where].position > log_end:
                    self._check.ask_now(where)
                    require_in_log(where.partition, writers[where].position, log_end)
        except KafkaError as error:
            self._ends_asked = _NEVER
            self._not_before = time.monotonic() + self._pauses.pause()
            _log.warning("log_ends_unknown", error=error)
        else:
            self._pauses.reset()

    def _unsure(self, writers: Mapping[TopicPartition, PartitionWriter]) -> list[TopicPartition]:
        """The partitions whose ends are to be asked for now: each minute all, and those of which nothing has come since
        the client connected."""
        newest, now = newest_connection(self._manager), time.monotonic()
        if self._ends_due.due():
            self._ends_asked = newest
            return list(writers)
        if newest == self._ends_asked or now < max(newest + _SETTLE_SECONDS, self._not_before):
            return []
        self._ends_asked = newest
        return [where for where in writers if self._looked.get(where) != newest]
