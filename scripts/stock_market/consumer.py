"""From Kafka to S3, each record exactly once: `python -m stock_market.consumer --config FILE`."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import FencedInstanceIdError, KafkaError
from kafka.structs import MemberState

from stock_market import cli
from stock_market.chain import Identity, ObjectInfo
from stock_market.errors import EXIT_FAILED, EXIT_OK, ConflictError, ServiceError
from stock_market.kafka_client import RECONNECT, connect, identity, require_accelerators
from stock_market.logs import Log
from stock_market.objects import Objects, Outcome
from stock_market.partition import Context, PartitionWriter, Progress, Totals
from stock_market.service import Backoff, Every, Stop, Systemd
from stock_market.settings import ConsumerSettings
from stock_market.store import Store, UnfinishedError, make_client

_log = Log("consumer")
_POLL_MS = 200
_POLL_RECORDS = 10_000
_KAFKA_MS = 10_000


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
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


class ConsumerService:
    """The service from its start to its end.

    Args:
        settings: the checked settings.
        stop: ends the service.
        systemd: hears how it goes.
    """

    def __init__(self, settings: ConsumerSettings, stop: Stop, systemd: Systemd) -> None:
        self._settings = settings
        self._stop = stop
        self._systemd = systemd
        self._topic = settings.kafka.topic
        self._totals = Totals()
        self._before = Totals()
        self._minute = Every(60.0)
        self._executor = ThreadPoolExecutor(settings.limits.uploads, thread_name_prefix="s3")
        self._writers: dict[TopicPartition, PartitionWriter] = {}
        self._leaving: list[PartitionWriter] = []
        self._new: dict[TopicPartition, Future[Outcome] | None] = {}
        self._paused: set[TopicPartition] = set()
        self._choked = False
        self._pauses = Backoff(first=0.5, limit=10.0)

    def run(self) -> int:
        """Serves until the end is asked for; returns the exit code."""
        consumer = connect("consumer", self._make_consumer, self._stop, self._systemd)
        if consumer is None:
            return EXIT_OK
        self._consumer = consumer
        try:
            self._identity = self._wait_for_topic()
            if self._identity is None:
                return EXIT_OK
            client = make_client(self._settings.s3.region, self._settings.limits.uploads)
            store = Store(client, self._settings.s3.bucket, self._stop)
            self._objects = Objects(store, self._settings.s3, self._topic, self._identity)
            self._context = Context(
                self._topic, self._objects, self._executor, self._settings.cut, self._log_start, self._totals
            )
            self._rebalance = _Rebalance(consumer)
            consumer.subscribe([self._topic], listener=self._rebalance)
            while not self._stop.requested:
                self._turn()
            return self._finish()
        finally:
            self._stop.request()
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._close(consumer)

    def _close(self, consumer: KafkaConsumer) -> None:
        try:
            consumer.close(autocommit=False, timeout_ms=2000)
        except KafkaError as error:
            _log.warning("close_failed", error=error)

    def _make_consumer(self) -> KafkaConsumer:
        kafka = self._settings.kafka
        options: dict[str, Any] = dict(RECONNECT)
        if kafka.instance_id:
            options["group_instance_id"] = kafka.instance_id
        return KafkaConsumer(
            bootstrap_servers=kafka.bootstrap_servers,
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
            fetch_max_bytes=self._settings.limits.fetch_bytes,
            max_partition_fetch_bytes=min(1 << 20, self._settings.limits.fetch_bytes),
            fetch_max_wait_ms=200,
            **options,
        )

    def _wait_for_topic(self) -> Identity | None:
        pauses = Backoff(limit=5.0)
        while not self._stop.requested:
            self._systemd.alive()
            try:
                known = self._consumer.partitions_for_topic(self._topic)
                found = identity(self._consumer, self._topic)
                if known and found is not None:
                    _log.info("connected", topic=self._topic, topic_id=found.topic_id, cluster_id=found.cluster_id)
                    return found
                self._systemd.status(f"waiting for the topic {self._topic}")
                _log.warning("topic_missing", topic=self._topic)
            except KafkaError as error:
                _log.warning("kafka_retry", what="metadata", error=error)
            self._stop.wait(pauses.pause())
        return None

    def _turn(self) -> None:
        """One turn of the main loop: never waits for S3, and for Kafka only a moment."""
        fetched: dict[TopicPartition, list[ConsumerRecord]] = {}
        try:
            fetched = self._consumer.poll(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
            self._react()
            for where in list(fetched):
                writer = self._writers.get(where)
                if writer is not None and not writer.add(fetched[where]):
                    self._astray(where, writer, fetched[where][0].offset)
                del fetched[where]
            self._resolve()
            self._pauses.reset()
        except FencedInstanceIdError as error:
            raise ServiceError("another consumer with the same instance id has taken this one's place") from error
        except KafkaError as error:
            seconds = self._pauses.pause()
            _log.warning("kafka_retry", what="poll", attempt=self._pauses.attempts, pause=seconds, error=error)
            self._stop.wait(seconds)
            # What was fetched and not taken has to be fetched again.
            for where in fetched.keys() & self._writers.keys():
                self._consumer.seek(where, self._writers[where].position)
        for where, writer in self._writers.items():
            writer.tick()
            self._follow(where, writer.collect())
        self._see_off()
        self._regulate()
        self._report()

    def _react(self) -> None:
        """Acts on what Kafka has given and taken."""
        found = identity(self._consumer, self._topic)
        if found is not None and found != self._identity:
            raise ServiceError(f"the topic {self._topic} was made anew while it was being read; starting afresh")
        while self._rebalance.events:
            event, partitions = self._rebalance.events.popleft()
            _log.info(f"partitions_{event}", partitions=",".join(str(p.partition) for p in sorted(partitions)))
            for where in partitions:
                writer = self._writers.pop(where, None)
                self._new.pop(where, None)
                self._paused.discard(where)
                if writer is not None:
                    # What is held is still stored: whoever owns the partition now finds it there.
                    writer.leave()
                    self._leaving.append(writer)
                if event == "assigned":
                    self._new[where] = None

    def _resolve(self) -> None:
        """Finds out, for newly assigned partitions, where their chains end, and starts to read there."""
        for where, search in list(self._new.items()):
            if search is None:
                committed = self._consumer.committed(where, metadata=True, timeout_ms=_KAFKA_MS)
                offset = None if committed is None else committed.offset
                key = "" if committed is None else committed.metadata or ""
                self._new[where] = self._executor.submit(self._objects.resume, where.partition, offset, key)
            elif search.done():
                self._start(where, search.result())
                del self._new[where]

    def _start(self, where: TopicPartition, outcome: Outcome) -> None:
        log_start = self._log_start(where.partition)
        log_end = self._consumer.end_offsets([where], timeout_ms=_KAFKA_MS)[where]
        info = outcome.info
        start = log_start if info is None else info.end
        self._require_in_log(where, start, log_end)
        writer = PartitionWriter(self._context, where.partition, start, info if outcome.lacks_quarantine else None)
        self._writers[where] = writer
        self._consumer.seek(where, writer.position)
        self._consumer.resume(where)
        _log.info(
            "partition_started",
            partition=where.partition,
            offset=writer.position,
            log_start=log_start,
            log_end=log_end,
            last_object="" if info is None else info.key,
        )
        if info is not None and not outcome.lacks_quarantine:
            self._commit(where, info)

    def _require_in_log(self, where: TopicPartition, position: int, log_end: int) -> None:
        if position > log_end:
            raise ConflictError(
                f"the objects of partition {where.partition} reach offset {position}, but Kafka's log ends at"
                f" {log_end}: the broker has lost records that S3 still has, and new ones would get their offsets;"
                " restore the broker's data, or make the topic anew, so that its objects start a new chain"
            )

    def _log_start(self, partition: int) -> int:
        where = TopicPartition(self._topic, partition)
        return int(self._consumer.beginning_offsets([where], timeout_ms=_KAFKA_MS)[where])

    def _astray(self, where: TopicPartition, writer: PartitionWriter, offset: int) -> None:
        """Kafka gave records that do not begin at the position: read from there again, if the log still has it."""
        log_end = self._consumer.end_offsets([where], timeout_ms=_KAFKA_MS)[where]
        _log.warning("reader_astray", partition=where.partition, offset=offset, position=writer.position)
        self._require_in_log(where, writer.position, log_end)
        self._consumer.seek(where, writer.position)

    def _follow(self, where: TopicPartition, progress: Progress) -> None:
        if progress.seek is not None:
            self._consumer.seek(where, progress.seek)
        if progress.reached is not None:
            self._commit(where, progress.reached)

    def _commit(self, where: TopicPartition, info: ObjectInfo) -> None:
        """Notes the chain's end with the group; a commit that gets lost is made up for by the next, or by a search."""
        self._consumer.commit_async({where: OffsetAndMetadata(info.end, info.key, -1)}, callback=self._on_commit)

    @staticmethod
    def _on_commit(offsets: dict[TopicPartition, OffsetAndMetadata], result: object) -> None:
        if isinstance(result, Exception):
            for where, offset in offsets.items():
                _log.warning("commit_failed", partition=where.partition, offset=offset.offset, error=result)

    def _see_off(self) -> None:
        for writer in self._leaving:
            writer.collect()
        self._leaving = [writer for writer in self._leaving if not writer.idle]

    def _regulate(self) -> None:
        """Keeps memory bounded: when too much is held, the largest segments go to S3 and nothing more is read."""
        held = sum(writer.buffered_bytes for writer in (*self._writers.values(), *self._leaving))
        limit = self._settings.limits.buffer_bytes
        choked = held > limit or (self._choked and held > limit * 3 // 4)
        if choked and not self._choked:
            _log.warning("reading_paused", held_bytes=held, limit_bytes=limit)
        if choked:
            largest = max(self._writers.values(), key=lambda writer: writer.building_bytes, default=None)
            if largest is not None:
                largest.seal()
        self._choked = choked
        for where, writer in self._writers.items():
            if choked or writer.crowded:
                if where not in self._paused:
                    self._consumer.pause(where)
                    self._paused.add(where)
            elif where in self._paused:
                self._consumer.resume(where)
                self._paused.discard(where)

    def _report(self) -> None:
        self._systemd.alive()
        if not self._new and self._consumer.group_metadata().state == MemberState.STABLE:
            self._systemd.ready()
        seconds = self._minute.due()
        if not seconds:
            return
        now, before = self._totals, self._before
        lag = self._lag()
        rate = (now.records - before.records) / seconds
        _log.info(
            "rates",
            partitions=len(self._writers),
            records_per_s=rate,
            bytes_per_s=(now.bytes - before.bytes) / seconds,
            objects=now.objects - before.objects,
            records_stored=now.stored - before.stored,
            records_quarantined=now.quarantined - before.quarantined,
            objects_skipped=now.skipped_objects - before.skipped_objects,
            held_bytes=sum(writer.buffered_bytes for writer in self._writers.values()),
            lag=lag,
        )
        self._systemd.status(f"{len(self._writers)} partitions, {rate:.0f} records/s, lag {lag}")
        self._before = Totals(**{name: getattr(now, name) for name in Totals.__slots__})

    def _lag(self) -> int:
        lag = 0
        for where, writer in self._writers.items():
            if where in self._consumer.assignment():
                lag += max(0, (self._consumer.highwater(where) or writer.position) - writer.position)
        return lag

    def _finish(self) -> int:
        """Stores and commits what is held, within the time that is left."""
        self._systemd.stopping()
        _log.info("stopping", partitions=len(self._writers), seconds=self._stop.remaining())
        reached: dict[TopicPartition, OffsetAndMetadata] = {}
        for writer in self._writers.values():
            writer.leave()
        waiting = dict(self._writers)
        while waiting and not self._stop.expired:
            for where, writer in list(waiting.items()):
                try:
                    info = writer.collect().reached
                except UnfinishedError as error:
                    _log.warning("unfinished", partition=where.partition, error=error)
                    del waiting[where]
                    continue
                if info is not None:
                    reached[where] = OffsetAndMetadata(info.end, info.key, -1)
                if writer.idle:
                    del waiting[where]
            time.sleep(0.01)
        try:
            if reached:
                self._consumer.commit(reached, timeout_ms=3000)
        except KafkaError as error:
            _log.warning("commit_failed", error=error)
        _log.info("stopped", committed=len(reached), unfinished=len(waiting), stored=self._totals.stored)
        return EXIT_FAILED if waiting else EXIT_OK


def serve(settings: ConsumerSettings) -> int:
    """Runs the service until it is asked to end."""
    require_accelerators()
    stop = Stop(grace_seconds=20.0)
    stop.install()
    return ConsumerService(settings, stop, Systemd()).run()


def main(argv: list[str] | None = None) -> int:
    """The program; returns the exit code."""
    return cli.run("consumer", ConsumerSettings, lambda _settings: None, serve, argv)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # A worker thread may still wait for S3; what it does is safe to leave, so nothing waits for it.
    os._exit(code)
