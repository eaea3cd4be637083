"""Runs the producer and the consumer as the processes that systemd runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from tests.stock_market.broker import Broker
from tests.stock_market.bucket import Bucket

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def eventually(condition: Callable[[], bool], what: str, seconds: float = 25.0) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain: {what}"
        time.sleep(0.05)


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

    def finish(self, seconds: float = 30.0) -> int:
        """Asks it to end, and returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def logged(self, text: str, seconds: float = 25.0) -> None:
        """Waits until it has logged the text."""
        eventually(lambda: text in self.log(), f"{text} in\n{self.log()}", seconds)


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
        self.services: list[Service] = []
        self.folder = folder

    def create_topic(self, partitions: int = 1, timestamps: str = "LogAppendTime") -> None:
        """Makes the topic."""
        configs = {"message.timestamp.type": timestamps}
        options = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
        with KafkaAdminClient(bootstrap_servers=self.broker.address) as admin:
            admin.create_topics({self.topic: options}, wait_for_metadata=True)

    def send(self, records: Sequence[tuple[bytes | None, bytes | None]], partition: int = 0, time_ms: int = 0) -> None:
        """Sends records as they are; `time_ms` is their timestamp where the topic keeps the sender's."""
        producer = KafkaProducer(bootstrap_servers=self.broker.address, linger_ms=20)
        for key, value in records:
            producer.send(self.topic, value, key, partition=partition, timestamp_ms=time_ms or None)
        producer.flush()
        producer.close()

    def committed(self, partition: int = 0) -> int | None:
        """The offset that the group has committed."""
        reader = KafkaConsumer(bootstrap_servers=self.broker.address, group_id=self.group, enable_auto_commit=False)
        try:
            offset: int | None = reader.committed(TopicPartition(self.topic, partition), timeout_ms=5000)
        finally:
            reader.close()
        return offset

    def records_in_topic(self) -> list[dict[str, Any]]:
        """All values in the topic."""
        reader = KafkaConsumer(bootstrap_servers=self.broker.address, auto_offset_reset="earliest", group_id=None)
        places = [TopicPartition(self.topic, number) for number in reader.partitions_for_topic(self.topic)]
        reader.assign(places)
        ends = reader.end_offsets(places)
        found = []
        while any(reader.position(place) < ends[place] for place in places):
            for records in reader.poll(timeout_ms=500, max_records=10_000).values():
                found += [json.loads(record.value) for record in records]
        reader.close()
        return found

    def _start(self, program: str, settings: str, **variables: str) -> Service:
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

    def consumer(self, seconds: float = 0.5, records: int = 1_000_000, group: str = "", **variables: str) -> Service:
        """Starts a consumer with these cuts, in the test's group unless it is to be in another."""
        return self._start(
            "consumer",
            f'[kafka]\nbootstrap_servers = ["{self.broker.address}"]\ntopic = "{self.topic}"\n'
            f'group_id = "{group or self.group}"\nsession_timeout_seconds = 2\n'
            f'[s3]\nbucket = "{self.bucket.name}"\n[cut]\nseconds = {seconds}\nrecords = {records}\n',
            **variables,
        )

    def producer(self, rate: float = 2000, extra: str = "", in_flight_bytes: int = 1 << 24) -> Service:
        """Starts a producer of this rate."""
        return self._start(
            "producer",
            f'rate = {rate}\n{extra}\n[kafka]\nbootstrap_servers = ["{self.broker.address}"]\ntopic = "{self.topic}"\n'
            f"in_flight_bytes = {in_flight_bytes}\n",
        )
