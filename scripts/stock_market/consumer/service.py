"""From Kafka to S3, each record exactly once: `python -m stock_market.consumer --config FILE`."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    KafkaError,
    SaslAuthenticationFailedError,
)

from stock_market import cli
from stock_market.allocator import keep_freed_memory
from stock_market.chain.objects import Objects
from stock_market.chain.partition import Context, PartitionWriter, Progress
from stock_market.chain.s3_connection import S3Connection
from stock_market.chain.store import Store, UnfinishedError
from stock_market.chain.totals import Totals
from stock_market.consumer.commits import Commits, Ends
from stock_market.consumer.group_member import Membership, Rebalance, make_consumer, make_reader
from stock_market.consumer.log_bounds import LogBounds
from stock_market.consumer.log_identity import IdentityCheck, RecreatedError
from stock_market.consumer.log_watch import LogWatch
from stock_market.consumer.memory_bound import MemoryBound
from stock_market.consumer.metrics import ConsumerReadings
from stock_market.consumer.rates import Rates
from stock_market.consumer.startup import Beginnings
from stock_market.errors import EXIT_FAILED, EXIT_OK, ConflictError, ServiceError
from stock_market.kafka import connections, security, single_records
from stock_market.kafka.client import connect, identity, partitions, require_accelerators
from stock_market.kafka.connection_errors import Outages
from stock_market.kafka.identity import Identity
from stock_market.kafka.raw_fetches import use_batches
from stock_market.kafka.record_block import RecordBlock
from stock_market.kafka.topic_settings import tell_timestamps
from stock_market.logs import Log
from stock_market.metrics.start import listen
from stock_market.service import Backoff, Every, Stop, Systemd
from stock_market.settings import ConsumerSettings

_log = Log("consumer")
_POLL_MS = 200
_POLL_BLOCKS = 4
_POLL_RECORDS = 10_000
_UPKEEP_SECONDS = 0.05
_CONFIRM_MS = 50
"""A poll waits no longer where something is to be confirmed, which takes milliseconds, or as long as a fetch waits."""
_HEAP_BYTES = 8 << 20


class ConsumerService:
    """The service from its start to its end."""

    def __init__(self, settings: ConsumerSettings, stop: Stop, systemd: Systemd) -> None:
        self._settings = settings
        self._stop = stop
        self._systemd = systemd
        self._topic = settings.kafka.topic
        self._totals = Totals()
        self._rates = Rates(self._totals, systemd)
        self._upkeep = Every(_UPKEEP_SECONDS)
        self._poll_ms = _POLL_MS
        self._executor = ThreadPoolExecutor(settings.limits.uploads, thread_name_prefix="s3")
        self._store = Store(S3Connection(settings.s3.region, settings.limits.uploads), settings.s3.bucket, stop)
        self._readings = ConsumerReadings(settings, self._totals, self._store.requests)
        self._whole_batches = False
        self._writers: dict[TopicPartition, PartitionWriter] = {}
        self._leaving: list[PartitionWriter] = []
        self._pauses = Backoff(first=0.5, limit=10.0)
        self._troubled = False
        self._outages = Outages(settings.kafka, systemd)

    def run(self) -> int:
        """Serves until the end is asked for; returns the exit code."""
        listen(self._settings.metrics, self._readings.read, self._stop)
        try:
            code = None
            while code is None:
                code = self._serve_log()
            return code
        finally:
            self._stop.request()
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _serve_log(self) -> int | None:
        """Serves one log; returns the exit code, or None where the topic was created again, and another log follows."""
        consumer = connect(
            "consumer", partial(make_consumer, self._settings), self._settings.kafka, self._stop, self._systemd
        )
        if consumer is None:
            return EXIT_OK
        self._consumer = consumer
        self._whole_batches = self._bound_reading(consumer)
        try:
            found = self._wait_for_topic()
            if found is None:
                return EXIT_OK
            self._join(found)
            while not self._stop.requested:
                self._turn()
            return self._finish()
        except RecreatedError as error:
            _log.warning(
                "topic_recreated", reason=error, advice="what is held of the old log is stored, then it goes on"
            )
            _, unfinished = self._store_held()
            return EXIT_FAILED if unfinished else None
        except ConflictError:
            # Kafka may have lost what is held.
            self._stop.request()
            self._store_held()
            raise
        finally:
            self._close(consumer)

    def _join(self, log: Identity) -> None:
        """Prepares to read this log, and joins the group."""
        consumer = self._consumer
        tell_timestamps(self._settings.kafka)
        objects = Objects(self._store, self._settings.s3, self._topic, log)
        self._bounds = LogBounds(consumer, self._topic, partial(make_reader, self._settings))
        self._check = IdentityCheck(consumer, self._topic, log)
        context = Context(self._topic, objects, self._executor, self._settings.cut, self._bounds.start, self._totals)
        self._watch = LogWatch(consumer, self._bounds, self._check)
        self._commits = Commits(consumer)
        self._new = Beginnings(consumer, context, self._bounds, self._check, self._watch, commits=self._commits)
        self._memory = MemoryBound(consumer, self._settings.limits.buffer_bytes)
        self._rebalance = Rebalance(consumer)
        self._membership = Membership(consumer, self._settings.kafka.session_timeout_seconds)
        consumer.subscribe([self._topic], listener=self._rebalance)

    def _bound_reading(self, consumer: KafkaConsumer) -> bool:
        """Bounds what a batch may have when unpacked; tells whether whole batches are read."""
        limit = self._settings.limits.unpacked_batch_bytes
        if self._settings.kafka.reader == "batches" and use_batches(consumer, unpacked_limit=limit):
            single_records.bound_old_format(limit)
            return True
        single_records.bound(limit)
        return False

    def _close(self, consumer: KafkaConsumer) -> None:
        try:
            consumer.close(autocommit=False, timeout_ms=2000)
        except KafkaError as error:
            _log.warning("close_failed", error=error)

    def _wait_for_topic(self) -> Identity | None:
        pauses = Backoff(limit=5.0)
        while not self._stop.requested:
            self._systemd.alive()
            try:
                known = partitions(self._consumer, self._topic)
                found = identity(self._consumer, self._topic)
                if known and found is not None:
                    _log.info("connected", topic=self._topic, topic_id=found.topic_id, cluster_id=found.cluster_id)
                    return found
                self._systemd.status(f"waiting for the topic {self._topic}")
                _log.warning("topic_missing", topic=self._topic)
            except KafkaError as error:
                self._complain("metadata", error)
            self._stop.wait(pauses.pause())
        return None

    def _turn(self) -> None:
        """One turn of the main loop: never waits for S3, and for Kafka only a moment."""
        fetched: dict[TopicPartition, list[RecordBlock]] = {}
        try:
            fetched = self._poll()
            self._check.hold(fetched)
            if fetched:
                self._outages.over()
            if self._rebalance.events:
                self._react()
            for where, blocks in self._check.release():
                # The others are still held, or have been taken.
                fetched = {where: blocks}
                self._hand_over(where, blocks)
                # Not only some times a second: what is held passes its bound by one poll at most.
                self._memory.keep(self._writers, self._leaving)
            if self._new:
                self._new.go_on(self._writers)
            self._pauses.reset()
        except FencedInstanceIdError as error:
            raise ServiceError("another consumer with the same instance id has taken this one's place") from error
        except KafkaError as error:
            if isinstance(error, AuthorizationError):
                self._membership.excuse()
            seconds = self._pauses.pause()
            self._complain("poll", error, attempt=self._pauses.attempts, pause=seconds)
            self._stop.wait(seconds)
            # What was fetched and not taken has to be fetched again.
            for where in (fetched.keys() | self._check.take_back()) & self._writers.keys():
                self._consumer.seek(where, self._writers[where].position)
        if self._upkeep.due():
            self._keep_up()

    def _complain(self, what: str, error: KafkaError, **fields: object) -> None:
        """Says what is wrong, unless a broker refuses the user, of which `_outages` tells."""
        if isinstance(error, SaslAuthenticationFailedError):
            return
        reason = security.explain(error, self._settings.kafka)
        self._systemd.status(f"waiting for Kafka: {reason}")
        _log.warning("kafka_retry", what=what, **fields, error=reason)

    def _poll(self) -> dict[TopicPartition, list[RecordBlock]]:
        timeout_ms = min(self._poll_ms, _CONFIRM_MS) if self._check.holds else self._poll_ms
        if self._whole_batches:
            blocks: dict[TopicPartition, list[RecordBlock]]
            blocks = self._consumer.poll(timeout_ms=timeout_ms, max_records=_POLL_BLOCKS)
            return blocks
        records = self._consumer.poll(timeout_ms=timeout_ms, max_records=_POLL_RECORDS)
        return {where: single_records.blocks(found) for where, found in records.items()}

    def _hand_over(self, where: TopicPartition, blocks: list[RecordBlock]) -> None:
        writer = self._writers.get(where)
        if writer is None:
            return
        self._watch.look(where, writer, blocks[0].leader_epoch)
        for block in blocks:
            if not writer.add(block):
                self._check.forget(where)
                if not writer.searching:
                    self._watch.astray(where, writer, block)
                    self._consumer.seek(where, writer.position)
                return

    def _keep_up(self) -> None:
        """What has to be done some times a second, for every partition."""
        self._outages.look()
        self._check.require_same()
        for where, writer in self._writers.items():
            writer.tick()
            self._follow(where, writer.collect())
        self._commits.send()
        self._see_off()
        self._watch.look_at_ends(self._writers)
        self._memory.keep(self._writers, self._leaving)
        # An idle topic's last records wait no longer than they have to.
        left = min((writer.seconds_left for writer in self._writers.values()), default=math.inf)
        if any(writer.crowded for writer in self._writers.values()):
            left = 0.0  # Nor do full segments for their turn.
        self._poll_ms = int(max(_UPKEEP_SECONDS * 1000, min(_POLL_MS, left * 1000)))
        self._systemd.alive()
        self._membership.look()
        if not self._new and self._membership.stable:
            self._systemd.ready()
        self._rates.report(self._writers, self._lag)
        self._readings.look(self._consumer, self._bounds, self._writers, self._leaving)
        self._tell_trouble()

    def _tell_trouble(self) -> None:
        """Has systemd show why nothing is stored, until that is over."""
        trouble = self._store.trouble.text
        if trouble:
            self._systemd.status(f"waiting for S3: {trouble}")
        elif self._troubled:
            self._systemd.status("S3 answers again")
        self._troubled = bool(trouble)

    def _react(self) -> None:
        """Acts on what Kafka has given and taken."""
        self._check.require_same()
        while self._rebalance.events:
            event, partitions = self._rebalance.events.popleft()
            _log.info(f"partitions_{event}", partitions=",".join(str(p.partition) for p in sorted(partitions)))
            for where in partitions:
                writer = self._writers.pop(where, None)
                self._new.forget(where)
                self._check.forget(where)
                self._memory.forget(where)
                self._watch.forget(where)
                self._commits.forget(where)
                if writer is not None:
                    # What is held is still stored: whoever owns the partition now finds it there.
                    writer.leave()
                    self._leaving.append(writer)
                if event == "assigned":
                    self._new.add(where)

    def _follow(self, where: TopicPartition, progress: Progress) -> None:
        if progress.seek is not None:
            self._check.forget(where)
            # What another consumer has stored may have been read before the log was cut.
            self._watch.forget(where)
            self._consumer.seek(where, progress.seek)
        if progress.reached is not None:
            self._commits.note(where, progress.reached)

    def _see_off(self) -> None:
        for writer in self._leaving:
            writer.collect()
        self._leaving = [writer for writer in self._leaving if not writer.idle]

    def _lag(self) -> str:
        """Records of the assigned partitions that have not been read, by the ends that Kafka tells."""
        read = {where: writer.position for where, writer in self._writers.items()}
        try:
            return str(self._bounds.lag(self._consumer.assignment(), read))
        except KafkaError as error:
            self._complain("lag", error)
            return "unknown"

    def _finish(self) -> int:
        """Stores and commits what is held, within the time that is left."""
        self._systemd.stopping()
        _log.info("stopping", partitions=len(self._writers), seconds=self._stop.remaining())
        reached, waiting = self._store_held()
        try:
            if reached:
                self._consumer.commit(reached, timeout_ms=3000)
        except KafkaError as error:
            _log.warning("commit_failed", error=error)
        _log.info("stopped", committed=len(reached), unfinished=waiting, stored=self._totals.stored)
        return EXIT_FAILED if waiting else EXIT_OK

    def _store_held(self) -> tuple[Ends, int]:
        """Stores what is held; returns what is to be committed, and how many partitions are not stored to their end."""
        for writer in self._writers.values():
            writer.leave()
        waiting = [
            *self._writers.items(),
            *((TopicPartition(self._topic, each.partition), each) for each in self._leaving),
        ]
        unfinished = 0
        while waiting and not self._stop.expired:
            self._systemd.alive()
            self._tell_trouble()
            for where, writer in list(waiting):
                try:
                    info = writer.collect().reached
                except (ConflictError, UnfinishedError) as error:
                    _log.warning("unfinished", partition=where.partition, error=error)
                    unfinished += 1
                    waiting.remove((where, writer))
                    continue
                if info is not None and self._writers.get(where) is writer:
                    self._commits.note(where, info)
                if writer.idle:
                    waiting.remove((where, writer))
            time.sleep(0.01)
        self._writers.clear()
        self._leaving.clear()
        return self._commits.left(), len(waiting) + unfinished


def serve(settings: ConsumerSettings) -> int:
    """Runs the service until it is asked to end."""
    require_accelerators()
    connections.mend()
    # Left alone, glibc keeps a hundred megabytes for buffers to come.
    keep_freed_memory(heap_bytes=_HEAP_BYTES, piece_bytes=_HEAP_BYTES // 8, arenas=2)
    stop = Stop(grace_seconds=20.0)
    stop.install()
    return ConsumerService(settings, stop, Systemd()).run()


def main(argv: list[str] | None = None) -> int:
    """The program; returns the exit code."""
    return cli.run("consumer", ConsumerSettings, lambda settings: security.check(settings.kafka), serve, argv)
