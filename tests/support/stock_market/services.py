"""Runs the producer and the consumer as the processes that systemd runs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from tests.support.stock_market.broker import Broker
from tests.support.stock_market.bucket import Bucket

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
PATIENCE_SECONDS = 90.0
"""How long a test waits for what comes by itself, in a few seconds on an idle machine; a starved one takes longer."""


def eventually(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Waits until the condition holds; asks at most for a third of the time, which those who are waited for need."""
    deadline = time.monotonic() + seconds
    asked = time.monotonic()
    while not condition():
        now = time.monotonic()
        assert now < deadline, f"waited {seconds:g} s in vain: {what}"
        time.sleep(max(0.05, min(2 * (now - asked), 1.0)))
        asked = time.monotonic()


def quote(sequence: int, producer_id: str = "p", **changes: Any) -> tuple[bytes, bytes]:
    """Key and value of a valid record, unless the changes make it another."""
    fields = {
        "symbol": "HSI",
        "event_time": "2026-01-31T09:30:00.000Z",
        "open": 1.5,
        "high": 2,
        "low": 1.25,
        "close": 1.75,
        "adj_close": 1.75,
        "volume": 7,
        "close_usd": 0.2275,
        "producer_id": producer_id,
        "sequence": sequence,
    } | changes
    return str(fields["symbol"]).encode(), json.dumps(fields).encode()


def market_quotes(count: int, seed: int = 1) -> list[tuple[bytes | None, bytes | None]]:
    """Keys and values of 20 symbols in turn, of some 230 bytes each, written compactly, with prices that move."""
    draw = random.Random(seed)
    prices = [draw.uniform(50, 40_000) for _ in range(20)]
    found: list[tuple[bytes | None, bytes | None]] = []
    for sequence in range(count):
        number = sequence % len(prices)
        first = prices[number]
        last = prices[number] = first * (1 + draw.gauss(0, 0.0005))
        symbol = f"IDX{number:02d}"
        found.append(
            (
                symbol.encode(),
                f'{{"symbol":"{symbol}","event_time":"2026-01-31T09:30:{sequence // 20_000 % 60:02d}.'
                f'{sequence // 20 % 1000:03d}Z","open":{first:.2f},"high":{max(first, last) * 1.0002:.2f},'
                f'"low":{min(first, last) * 0.9998:.2f},"close":{last:.2f},"adj_close":{last:.2f},'
                f'"volume":{draw.randrange(10_000_000)},"close_usd":{last * 0.13:.4f},'
                f'"producer_id":"host-1-0123456789abcdef","sequence":{sequence}}}'.encode(),
            )
        )
    return found


class Service:
    """A running service and its log."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to it alone."""
        os.kill(self.process.pid, number)

    def finish(self) -> int:
        """Asks it to end, and returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Waits for its end, and returns its exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def logged(self, text: str) -> None:
        """Waits until it has logged the text."""
        eventually(lambda: text in self.log(), f"{text} in\n{self.log()}")


class Workbench:
    """A topic of its own on the broker.

    Args:
        broker: the broker.
        bucket: the bucket that consumers write to.
        folder: for settings and logs.
    """

    def __init__(self, broker: Broker, bucket: Bucket, folder: Path) -> None:
        self.broker = broker
        self.bucket = bucket
        self.topic = f"quotes-{uuid.uuid4().hex[:12]}"
        self.group = f"group-{self.topic}"
        self.reader = "batches"
        self.services: list[Service] = []
        self.folder = folder

    def create_topic(self, partitions: int = 1, timestamps: str = "LogAppendTime") -> None:
        """Makes the topic."""
        configs = {"message.timestamp.type": timestamps}
        if timestamps == "CreateTime":
            # Kafka 4 refuses what lies more than an hour ahead (KIP-1030).
            configs["message.timestamp.after.max.ms"] = str((1 << 63) - 1)
        options = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
        # A broker that starves beside other tests takes longer than the 30 s of the default.
        with KafkaAdminClient(**self.broker.client, request_timeout_ms=90_000) as admin:
            admin.create_topics({self.topic: options}, wait_for_metadata=True)
            if self.broker.secured is not None:
                self.broker.secured.allow_pipeline(admin, self.topic, self.group)

    def send(self, records: Sequence[tuple[bytes | None, bytes | None]], partition: int = 0, time_ms: int = 0) -> None:
        """Sends records as they are; `time_ms` is their timestamp where the topic keeps the sender's.

        Up to 16 KB of a partition are one batch, however slowly this process runs: `flush` ends the wait for more.
        """
        producer = KafkaProducer(**self.broker.client, linger_ms=30_000)
        for key, value in records:
            producer.send(self.topic, value, key, partition=partition, timestamp_ms=time_ms or None)
        producer.flush()
        producer.close()

    def committed(self, partition: int = 0) -> int | None:
        """The offset that the group has committed."""
        reader = KafkaConsumer(**self.broker.client, group_id=self.group, enable_auto_commit=False)
        try:
            offset: int | None = reader.committed(TopicPartition(self.topic, partition), timeout_ms=60_000)
        finally:
            reader.close()
        return offset

    def _places(self, reader: KafkaConsumer) -> list[TopicPartition]:
        # A broker that has just started may not know its topics yet.
        eventually(lambda: bool(reader.partitions_for_topic(self.topic)), "the topic's partitions")
        return [TopicPartition(self.topic, number) for number in reader.partitions_for_topic(self.topic)]

    def record_count(self) -> int:
        """How many records are in the topic, by the ends of its logs, which nobody has cut."""
        with KafkaConsumer(**self.broker.client, group_id=None) as reader:
            return int(sum(reader.end_offsets(self._places(reader)).values()))

    def records_in_topic(self) -> list[dict[str, Any]]:
        """All values in the topic."""
        reader = KafkaConsumer(**self.broker.client, auto_offset_reset="earliest", group_id=None)
        places = self._places(reader)
        reader.assign(places)
        ends = reader.end_offsets(places)
        found = []
        while any(reader.position(place) < ends[place] for place in places):
            for records in reader.poll(timeout_ms=500, max_records=10_000).values():
                found += [json.loads(record.value) for record in records]
        reader.close()
        return found

    def end(self) -> None:
        """Kills what still runs."""
        for service in self.services:
            if service.process.poll() is None:
                os.kill(service.process.pid, signal.SIGCONT)
                service.process.kill()
            service.ended()

    def start(self, program: str, settings: str, **variables: str) -> Service:
        """Starts a program of the package with this settings file and these environment variables."""
        number = len(self.services)
        config = self.folder / f"{program}-{number}.toml"
        config.write_text(settings)
        log = self.folder / f"{program}-{number}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {
            "PYTHONPATH": str(SCRIPTS),
            "AWS_ENDPOINT_URL": self.bucket.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        } | variables
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", f"stock_market.{program}", "--config", str(config)],
                stdout=output,
                stderr=output,
                env=environment,
            )
        service = Service(process, log)
        self.services.append(service)
        return service

    def _security(self, user: str) -> str:
        return "" if self.broker.secured is None else self.broker.secured.table(user)

    def consumer(
        self,
        seconds: float = 0.5,
        records: int = 1_000_000,
        group: str = "",
        extra: str = "",
        session: float = 2,
        **variables: str,
    ) -> Service:
        """Starts a consumer with these cuts, in the test's group unless it is to be in another."""
        return self.start("consumer", self.consumer_settings(seconds, records, group, session) + extra, **variables)

    def consumer_settings(
        self, seconds: float = 0.5, records: int = 1_000_000, group: str = "", session: float = 2
    ) -> str:
        """The text of a consumer's settings file."""
        return (
            f'[kafka]\nbootstrap_servers = ["{self.broker.address}"]\ntopic = "{self.topic}"\n'
            f'group_id = "{group or self.group}"\nsession_timeout_seconds = {session}\n'
            f'reader = "{self.reader}"\n{self._security("consumer")}'
            f'[s3]\nbucket = "{self.bucket.name}"\n[cut]\nseconds = {seconds}\nrecords = {records}\n'
        )

    def producer(
        self, rate: float = 2000, extra: str = "", in_flight_bytes: int = 1 << 24, writer: str = "batches"
    ) -> Service:
        """Starts a producer of this rate."""
        return self.start(
            "producer",
            f'rate = {rate}\n{extra}\n[kafka]\nbootstrap_servers = ["{self.broker.address}"]\ntopic = "{self.topic}"\n'
            f'in_flight_bytes = {in_flight_bytes}\nwriter = "{writer}"\n'
            f"{self._security('producer')}",
        )
