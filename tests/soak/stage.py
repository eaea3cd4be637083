"""All that a soak needs, and what happens to it: cloud, broker, producers, consumers, a follower, new certificates."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from tests.chaos.clock import Clock
from tests.soak.cloud import BUCKET
from tests.soak.follower import Follower
from tests.soak.plan import HOUR_SECONDS, Plan
from tests.soak.vitals import Vitals
from tests.support.stock_market.authority import Authority
from tests.support.stock_market.broker import Broker, distribution
from tests.support.stock_market.secured import Secured
from tests.support.stock_market.services import SCRIPTS, Service

from local_cloud.settings import ADMINISTRATOR
from stock_market.kafka import connections

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PARTITIONS = 3
TOPIC = "quotes-soak"
GROUP = "group-soak"
PRODUCERS = ("producer", "late", "idle")
CONSUMERS = ("consumer-0", "consumer-1")
_ROOT = SCRIPTS.parent
_LOOPBACK = ["127.0.0.1"]
_CERTIFICATES = {"zookeeper": _LOOPBACK, "broker": _LOOPBACK, "kafka": list[str]()}
_HOUR_MS = HOUR_SECONDS * 1000
_BROKER = """\
connections.max.idle.ms=4000
zookeeper.connection.timeout.ms=30000
controlled.shutdown.enable=false
producer.id.expiration.ms={producer_ids}
producer.id.expiration.check.interval.ms=500
offsets.retention.minutes={offsets}
offsets.retention.check.interval.ms=500
controller.socket.timeout.ms={patience}
request.timeout.ms={patience}
socket.connection.setup.timeout.ms={patience}
socket.connection.setup.timeout.max.ms={patience}
"""
"""Kafka counts the time that its own connections take by the wall clock, so `patience` is given for a clock that
runs fast; without it the broker does not reach itself."""


class Stage:
    """A soak's stage; `close` ends all of it.

    Args:
        plan: what happens when.
        clock: everybody's.
        folder: for settings, data and logs.

    Attributes:
        bucket: a client of S3 that may do everything.
        restarts: how often ZooKeeper and the broker were restarted with what is new.
        forgotten: whether Kafka had forgotten the group's offsets when the consumers came back.
    """

    def __init__(self, plan: Plan, clock: Clock, folder: Path) -> None:
        self.plan = plan
        self.clock = clock
        self.folder = folder
        self.restarts = 0
        self.forgotten = False
        self.services: dict[str, Service] = {}
        self.problems: list[str] = []
        self._ended = ExitStack()
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        connections.mend()
        self._start_cloud()
        (self.folder / "kafka").mkdir()
        self.secured = Secured(self.folder / "kafka")
        self._trust(Authority(self.folder / "kafka", "ca-1", timedelta(days=30)))
        self._issue(self.plan.first_life)
        self.broker = Broker(distribution(), self.folder / "kafka", self.secured)
        with (self.folder / "kafka" / "server.properties").open("a") as settings:
            kept = {
                "producer_ids": round(self.plan.producer_ids_kept * _HOUR_MS),
                "offsets": round(self.plan.offsets_kept * 60),
                "patience": 30_000 * self.plan.rate,
            }
            settings.write(_BROKER.format(**kept))
        self._ended.callback(self.broker.stop)
        self.broker.start()
        configs = {
            "message.timestamp.type": "LogAppendTime",
            "segment.ms": str(round(self.plan.segment * _HOUR_MS)),
            "retention.ms": str(round(self.plan.retention * _HOUR_MS)),
        }
        with KafkaAdminClient(**self.broker.client) as admin:
            options = {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": configs}
            admin.create_topics({TOPIC: options}, wait_for_metadata=True)
            self.secured.allow_pipeline(admin, TOPIC, GROUP)
        self.follower = Follower(self.broker.client, TOPIC, PARTITIONS)
        self.vitals = Vitals()
        for number, name in enumerate(CONSUMERS):
            self._consumer(name, number)
        self._producer("producer", "stock_market.producer", self.plan.quotes_per_second)
        # A day's volume of the largest symbols is more than 2^31.
        self._producer("late", "tests.soak.late_producer", self.plan.quotes_per_second / 4, interval=86_400)
        self._producer("idle", "stock_market.producer", 1 / self.plan.real_seconds(self.plan.idle_every))
        self.until(lambda: bool(self.keys()), "the first object")

    def _start_cloud(self) -> None:
        self._run("cloud", "tests.soak.cloud", [str(self.folder)], {})
        told = self.folder / "cloud.json"
        self.until(told.exists, "the local cloud")
        found = json.loads(told.read_text())
        self.endpoint, self._metadata = found["endpoint"], found["metadata"]
        self.bucket: S3Client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ADMINISTRATOR,
            aws_secret_access_key=ADMINISTRATOR,
        )

    def keys(self) -> list[str]:
        """The objects that there are."""
        pages = self.bucket.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="quotes/")
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    @staticmethod
    def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Waits until the condition holds.

        Raises:
            TimeoutError: it does not.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:g} s in vain: {what}")
            time.sleep(0.05)

    def _run(self, name: str, module: str, arguments: list[str], variables: dict[str, str]) -> Service:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")} | variables
        environment["PYTHONPATH"] = f"{SCRIPTS}:{_ROOT}"
        log = self.folder / f"{name}.{len(list(self.folder.glob(f'{name}.*.log')))}.log"
        with log.open("wb") as output:
            command = [sys.executable, "-m", module, *arguments]
            process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        self._ended.callback(process.wait)
        self._ended.callback(process.kill)
        return Service(process, log)

    def _service(self, name: str, module: str, settings: str, user: str) -> None:
        kafka = f'[kafka]\nbootstrap_servers = ["{self.broker.address}"]\ntopic = "{TOPIC}"\n'
        config = self.folder / f"{name}.toml"
        config.write_text(settings.replace("[kafka]\n", kafka) + self.secured.table(user))
        # As on an instance: credentials come from its metadata alone.
        variables = {"AWS_ENDPOINT_URL": self.endpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self._metadata}
        self.services[name] = self._run(name, module, ["--config", str(config)], variables)
        self.vitals.watch(name, self.services[name].process.pid)

    def _consumer(self, name: str, number: int) -> None:
        # Each cuts at other moments, so that objects of both kinds meet.
        settings = (
            f'[s3]\nbucket = "{BUCKET}"\n[cut]\nseconds = {0.7 + 0.3 * number}\n'
            f'[kafka]\ngroup_id = "{GROUP}"\nsession_timeout_seconds = 5\n'
        )
        self._service(name, "stock_market.consumer", settings, "consumer")

    def _producer(self, name: str, module: str, rate: float, interval: int = 60) -> None:
        settings = f"rate = {rate}\n[simulate]\nsymbols = 40\ninterval_seconds = {interval}\n[kafka]\n"
        self._service(name, module, settings, "producer")

    def _trust(self, *authorities: Authority) -> None:
        """Writes the file that everybody takes the trusted certificates from; the last one signs from now on."""
        new = self.folder / "kafka" / "ca.new"
        new.write_bytes(b"".join(authority.file.read_bytes() for authority in authorities))
        self._authority = authorities[-1]
        new.rename(self.secured.authority.file)

    def _issue(self, hours: float) -> None:
        for name, addresses in _CERTIFICATES.items():
            self._authority.issue(name, addresses, timedelta(hours=hours))

    def renew(self) -> None:
        """What `make rotate WHAT=certificates` does."""
        self._issue(self.plan.certificate_life)
        self._restart()

    def replace_authority(self) -> None:
        """What `make rotate WHAT=authority` does: trusted first, then it signs, then the old one is forgotten."""
        old, new = self._authority, Authority(self.folder / "kafka", "ca-2", timedelta(days=30))
        self._trust(old, new)
        self._restart()
        self.renew()
        self._trust(new)
        self._restart()

    def _restart(self) -> None:
        """Restarts ZooKeeper and the broker; meanwhile the clock is slow, for a start takes a machine's seconds."""
        self.clock.run(1)
        self.broker.restart()
        self.restarts += 1
        before = len(self.keys())
        self.until(lambda: len(self.keys()) >= before + PARTITIONS, "objects after the brokers' restart")
        self.clock.run(self.plan.rate)

    def committed(self) -> list[int | None]:
        """What Kafka has of the group's offsets."""
        reader = KafkaConsumer(**self.broker.client, group_id=GROUP, enable_auto_commit=False)
        try:
            return [reader.committed(TopicPartition(TOPIC, number), timeout_ms=5000) for number in range(PARTITIONS)]
        finally:
            reader.close()

    def play(self) -> None:
        """Lets the hours pass, and things happen."""
        plan = self.plan
        events: list[tuple[float, Callable[[], None]]] = [(hour, self.renew) for hour in plan.renew_at]
        events += [(plan.outage_at, self._stop_consumers), (plan.outage_at + plan.outage, self._bring_consumers_back)]
        if plan.authority_at is not None:
            events.append((plan.authority_at, self.replace_authority))
        self.clock.run(plan.rate)
        begun = time.time()
        for hour, event in sorted(events, key=lambda pair: pair[0]):
            self._sleep_until(begun + hour * HOUR_SECONDS)
            event()
        self._sleep_until(begun + plan.hours * HOUR_SECONDS)
        self.hours = (time.time() - begun) / HOUR_SECONDS
        self.vitals.finish()
        self.vitals.write(self.folder / "vitals.log")
        self.clock.run(1)

    def _sleep_until(self, moment: float) -> None:
        """Sleeps until the accelerated clock shows a moment, and looks after the services meanwhile."""
        while (left := moment - time.time()) > 0:
            for name, service in self.services.items():
                if service.process.poll() is not None:
                    raise RuntimeError(f"{name} ended with code {service.process.returncode}: {service.log()[-2000:]}")
            time.sleep(min(0.2, left / self.plan.rate))

    def _stop_consumers(self) -> None:
        for name in CONSUMERS:
            self._end(name, self.services.pop(name))

    def _bring_consumers_back(self) -> None:
        self.forgotten = self.committed() == [None] * PARTITIONS
        for number, name in enumerate(CONSUMERS):
            self._consumer(name, number)

    def _end(self, name: str, service: Service) -> None:
        try:
            code = service.finish()
        except subprocess.TimeoutExpired:
            code = -1
        if code:
            self.problems.append(f"{name} ended with code {code} at SIGTERM: {service.log()[-2000:]}")

    def rest(self) -> None:
        """Ends the producers, lets the consumers store what is left, and ends them."""
        for name in PRODUCERS:
            self._end(name, self.services[name])
        self.log_starts, self.log_ends = self.follower.finish()
        expected = {number: end for number, end in self.log_ends.items() if end}
        self.until(lambda: self._stored() == expected, f"the objects reach {expected}")
        for name in CONSUMERS:
            self._end(name, self.services[name])

    def _stored(self) -> dict[int, int]:
        last: dict[int, tuple[int, str]] = {}
        for key in self.keys():
            _, partition, start = key.removesuffix(".json.gz").rsplit("+", 2)
            last[int(partition)] = max(last.get(int(partition), (-1, "")), (int(start), key))
        return {
            partition: int(self.bucket.head_object(Bucket=BUCKET, Key=key)["Metadata"]["end-offset"])
            for partition, (_, key) in last.items()
        }

    def logs(self, program: str) -> str:
        """What all runs of a program have written."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob(f"{program}.*.log")))

    def close(self) -> None:
        """Ends every process."""
        for service in self.services.values():
            if service.process.poll() is None:
                service.signal(signal.SIGKILL)
        self._ended.close()
