"""Newly assigned partitions: where their chains in S3 end, and the writers that go on from there."""

from __future__ import annotations

from concurrent.futures import Future

from kafka import KafkaConsumer, TopicPartition

from stock_market.chain.objects import Outcome
from stock_market.chain.partition import Context, PartitionWriter
from stock_market.consumer.commits import Commits
from stock_market.consumer.log_bounds import LogBounds, require_in_log
from stock_market.consumer.log_identity import IdentityCheck
from stock_market.consumer.log_watch import LogWatch
from stock_market.logs import Log

_log = Log("consumer")
_KAFKA_MS = 10_000


class Beginnings:
    """Partitions that have been assigned and are not read yet."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        context: Context,
        bounds: LogBounds,
        check: IdentityCheck,
        watch: LogWatch,
        *,
        commits: Commits,
    ) -> None:
        self._consumer = consumer
        self._commits = commits
        self._check = check
        self._watch = watch
        self._context = context
        self._bounds = bounds
        self._searches: dict[TopicPartition, Future[Outcome] | None] = {}

    def __len__(self) -> int:
        return len(self._searches)

    def add(self, where: TopicPartition) -> None:
        """Kafka has assigned the partition."""
        self._searches[where] = None

    def forget(self, where: TopicPartition) -> None:
        """Kafka has taken it."""
        self._searches.pop(where, None)

    def go_on(self, writers: dict[TopicPartition, PartitionWriter]) -> None:
        """Looks how far each search for a chain's end has come; where one is over, its partition gets a writer.

        Raises:
            KafkaError: a broker does not answer; calling again goes on.
            ConflictError: S3 holds what does not belong to this log.
            RecreatedError: the topic was created again.
        """
        for where, search in list(self._searches.items()):
            if search is None:
                self._searches[where] = self._search(where)
            elif search.done():
                self._start(where, search.result(), writers)
                del self._searches[where]

    def _search(self, where: TopicPartition) -> Future[Outcome]:
        committed = self._consumer.committed(where, metadata=True, timeout_ms=_KAFKA_MS)
        offset = None if committed is None else committed.offset
        key = "" if committed is None else committed.metadata or ""
        return self._context.executor.submit(self._context.objects.resume, where.partition, offset, key)

    def _start(self, where: TopicPartition, outcome: Outcome, writers: dict[TopicPartition, PartitionWriter]) -> None:
        partition, info = where.partition, outcome.info
        log_start, log_end = self._bounds.start(partition), self._bounds.end(partition)
        writer = PartitionWriter(self._context, partition, info, unfinished=outcome.lacks_quarantine)
        if info is not None:
            if info.end > log_end:
                # Of a topic that was created again, the brokers tell other offsets.
                self._check.ask_now(where)
            require_in_log(partition, info.end, log_end)
            self._watch.look(where, writer)
        writers[where] = writer
        self._consumer.seek(where, writer.position)
        self._consumer.resume(where)
        _log.info(
            "partition_started",
            partition=partition,
            offset=writer.position,
            log_start=log_start,
            log_end=log_end,
            last_object="" if info is None else info.key,
        )
        if log_start > writer.position:
            _log.error(
                "behind_log_start",
                partition=partition,
                start=writer.position,
                end=log_start,
                advice="Kafka's retention has removed these offsets; they will be reported as retention_gap, and noted"
                " in the next object, as soon as a record follows them",
            )
        if info is not None:
            self._context.executor.submit(self._context.objects.report_holes, partition, info)
            if not outcome.lacks_quarantine:
                self._commits.note(where, info)
