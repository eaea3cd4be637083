"""Reads the whole topic from a little before now, as a consumer outside of any group, into the market."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from stock_market.kafka import client, connections, security, single_records
from stock_market.kafka.raw_fetches import use_batches
from stock_market.kafka.record_block import RecordBlock
from stock_market.service import Backoff, Every
from stock_market.settings import Kafka
from stock_market_ops.live import market

LOOK_BACK_SECONDS: Final = 900
LOOK_BACK_RECORDS: Final = 300_000
"""The page begins with the records of this time, or with this many where they are more."""
BEHIND_SECONDS: Final = 2.0
"""A reader that is further behind than this leaves out what is between it and the topic's end."""
_POLL_MS: Final = 100
_POLL_BLOCKS: Final = 8
_POLL_RECORDS: Final = 10_000
_RATE_SAMPLES: Final = 20
_LOOK_SECONDS: Final = 0.5
_PARTITIONS_SECONDS: Final = 5.0
# So few records behind are no delay, at whatever rate.
_FEW: Final = 20_000
# How long the past may take to be read.
_CATCH_UP_SECONDS: Final = 20.0
# And with so few the past is read.
_NONE: Final = 500
_FETCH_BYTES: Final = 8 << 20


class StreamView(msgspec.Struct, frozen=True):
    """How the reading goes.

    Attributes:
        rate: records a second that the topic took lately, by its end offsets.
        share: which part of the records was read lately, 1.0 where all were.
        read: records since the page began.
        symbols: how many are known.
        invalid: records that are no quotes.
        beyond: how often a symbol beyond the most that the page keeps was met.
        newest: Kafka's timestamp of the newest record read, in milliseconds since 1970; -1 where there is none.
        end: the sum of the partitions' end offsets, as the brokers told last.
        delay: milliseconds from the newest quote's event time to Kafka's timestamp of its record.
        problem: why nothing can be read, one sentence; empty where it can.
    """

    rate: float
    share: float
    read: int
    symbols: int
    invalid: int
    beyond: int
    newest: int
    end: int
    delay: int
    problem: str


class Reader(threading.Thread):
    """The thread that reads; it connects again by itself. It begins with the last `look_back_seconds`."""

    def __init__(self, kafka: Kafka, into: market.Market, look_back_seconds: float = LOOK_BACK_SECONDS) -> None:
        super().__init__(name="reader", daemon=True)
        self._kafka = kafka
        self._market = into
        self._look_back_seconds = look_back_seconds
        self._stop_requested = threading.Event()
        self._problem = "Connecting to the brokers."
        self._read = self._skipped = 0
        self._newest = -1
        self._end = self._delay = 0
        self._caught_up = False
        self._began = 0.0
        self._samples: deque[tuple[float, int, int, int]] = deque(maxlen=_RATE_SAMPLES)
        self._sample_due = Every(_LOOK_SECONDS)

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stop_requested.set()

    def view(self) -> StreamView:
        """Return how the reading goes."""
        samples = list(self._samples) or [(0.0, 0, 0, 0)]
        (then, read_before, skipped_before, end_before), (now, read, skipped, end) = samples[0], samples[-1]
        took, left = read - read_before, skipped - skipped_before
        seconds = now - then
        return StreamView(
            rate=(end - end_before) / seconds if seconds > 0 else 0.0,
            share=took / (took + left) if left else 1.0,
            read=self._read,
            symbols=len(self._market),
            invalid=self._market.invalid,
            beyond=self._market.beyond,
            newest=self._newest,
            end=self._end,
            delay=self._delay,
            problem=self._problem,
        )

    def run(self) -> None:
        """Read until the end is asked for."""
        connections.mend()
        pauses = Backoff()
        while not self._stop_requested.is_set():
            began = time.monotonic()
            try:
                security.check(self._kafka)
                self._read_on(self._connected())
            except Exception as error:  # the page says why it stands still, whatever it is, and goes on by itself
                reason = security.explain(error, self._kafka, began) if isinstance(error, KafkaError) else str(error)
                self._problem = f"The topic cannot be read: {reason}."
                self._stop_requested.wait(pauses.pause())

    def _connected(self) -> KafkaConsumer:
        return KafkaConsumer(
            client_id="stock-market-live",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=_POLL_MS,
            **(client.PATIENCE | security.options(self._kafka)),
        )

    def _read_on(self, consumer: KafkaConsumer) -> None:
        try:
            whole_batches = use_batches(consumer)
            if not whole_batches:
                single_records.bound(1 << 25)
            assigned: set[TopicPartition] = set()
            look_due = Every(_PARTITIONS_SECONDS)
            while not self._stop_requested.is_set():
                if not assigned or look_due.due():
                    assigned = self._follow_partitions(consumer, assigned)
                if not assigned:
                    self._problem = f"The topic {self._kafka.topic} does not exist, or has no partitions yet."
                    self._stop_requested.wait(_LOOK_SECONDS)
                    continue
                self._problem = ""
                most = _POLL_BLOCKS if whole_batches else _POLL_RECORDS
                for found in consumer.poll(timeout_ms=_POLL_MS, max_records=most).values():
                    self._take(found if whole_batches else single_records.blocks(found))
                self._keep_up(consumer, assigned)
        finally:
            consumer.close(timeout_ms=1000)

    def _follow_partitions(self, consumer: KafkaConsumer, assigned: set[TopicPartition]) -> set[TopicPartition]:
        """Assign the topic's partitions; new ones from their beginning, at the start from the look back."""
        numbers: set[int] = set()
        with suppress(UnknownTopicOrPartitionError):
            numbers = client.partitions(consumer, self._kafka.topic) or numbers
        wanted = {TopicPartition(self._kafka.topic, number) for number in numbers}
        new = wanted - assigned
        if not new:
            return assigned
        consumer.assign(sorted(wanted))
        if assigned:
            consumer.seek_to_beginning(*new)
        else:
            for where, offset in self._starts(consumer, wanted).items():
                consumer.seek(where, offset)
            self._caught_up, self._began = False, time.monotonic()
            self._samples.clear()
        return wanted

    def _starts(self, consumer: KafkaConsumer, wanted: set[TopicPartition]) -> dict[TopicPartition, int]:
        since = self._newest if self._newest >= 0 else int((time.time() - self._look_back_seconds) * 1000)
        begins, ends = consumer.beginning_offsets(list(wanted)), consumer.end_offsets(list(wanted))
        found = consumer.offsets_for_times(dict.fromkeys(wanted, since))
        most = LOOK_BACK_RECORDS // len(wanted)
        return {
            where: max(begins[where], end - most, found[where].offset if found.get(where) else end)
            for where, end in ends.items()
        }

    def _take(self, blocks: Iterable[RecordBlock]) -> None:
        for block in blocks:
            ticks, invalid = market.quotes(block)
            self._market.add(ticks, invalid)
            self._read += len(block)
            if len(block):
                self._newest = max(self._newest, int(block.timestamps[-1]))
            if ticks:
                self._delay = int(block.timestamps[-1]) - market.milliseconds(ticks[-1].event_time)

    def _keep_up(self, consumer: KafkaConsumer, assigned: set[TopicPartition]) -> None:
        """Note the rate, and leave out what is too much to be read in time."""
        if not self._sample_due.due():
            return
        behind = self._behind(consumer, assigned)
        if behind is None:
            return
        total = sum(behind.values())
        rate = self.view().rate
        if total <= (_FEW if self._caught_up else _NONE) or total <= rate * BEHIND_SECONDS / 2:
            self._caught_up = True
        elif (self._caught_up or time.monotonic() - self._began > _CATCH_UP_SECONDS) and total > rate * BEHIND_SECONDS:
            for where, count in behind.items():
                consumer.seek(where, consumer.position(where) + count)
            self._skipped += total
        self._samples.append((time.monotonic(), self._read, self._skipped, self._end))

    def _behind(self, consumer: KafkaConsumer, assigned: set[TopicPartition]) -> dict[TopicPartition, int] | None:
        """Return how many records lie between each partition's position and its end; None where one was not told."""
        found = {}
        total = 0
        for where in assigned:
            position, end = consumer.position(where), consumer.highwater(where)
            if end is None:
                return None
            total += end
            if end > position:
                found[where] = end - position
        self._end = total
        return found
