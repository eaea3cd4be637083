"""The way of the data, part by part: brokers and topic, producers and consumers, S3 and Athena, alerts."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from kafka.errors import KafkaError

from stock_market.errors import SettingsError
from stock_market.kafka import security
from stock_market.settings import Kafka
from stock_market_ops.common import athena, aws, partitions
from stock_market_ops.common.deployment import Deployment
from stock_market_ops.live import brokers, findings, prometheus
from stock_market_ops.live.repeated import Repeated
from stock_market_ops.live.state import Broker, Event, State, Stored
from stock_market_ops.live.tunnel import SocketConnection, Tunnel
from stock_market_ops.status import probe_cloud, verdict

PROMETHEUS_PORT: Final = 9090
MONITORING: Final = "monitoring"
_PROBE_SECONDS, _CLUSTER_SECONDS, _STORAGE_SECONDS, _ROWS_SECONDS = 0.5, 1.0, 10.0, 60.0
_VIEW_SECONDS: Final = 0.25
_MOST_EVENTS: Final = 100


class Watch:
    """Looks at every part in a thread of its own, while at least one page is open.

    `newest_record` tells Kafka's timestamp of the topic's newest record, in milliseconds since 1970.
    """

    def __init__(self, deployment: Deployment, kafka: Kafka, newest_record: Callable[[], int]) -> None:
        self._newest_record = newest_record
        self._deployment = deployment
        self._kafka = kafka
        self._names = brokers.names(deployment)
        self._numbers: dict[str, int] = {}
        self._wanted_at = time.monotonic()
        self._lock = threading.Lock()
        self._made_at = 0.0
        self._version = 0
        self._state: State | None = None
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self._open: set[str] = set()
        self._stack = ExitStack()
        cluster = brokers.Cluster(kafka)
        self._cluster = Repeated("cluster", cluster.look, self._explained, _CLUSTER_SECONDS)
        self._probe = Repeated("probe", self._answering, str, _PROBE_SECONDS)
        self._storage = Repeated(
            "storage",
            self._looked_at_storage,
            self._explained,
            _STORAGE_SECONDS,
            self._is_wanted,
        )
        self._rows = Repeated("rows", self._looked_at_rows, self._explained, _ROWS_SECONDS, self._is_wanted)
        self._metrics: Repeated[prometheus.PrometheusView] | None = None
        self._tunnel: Tunnel | None = None
        monitoring = deployment.carrying(MONITORING)
        if monitoring:
            # A short path, and a folder that only this user can enter.
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="live-")))
            tunnel = Tunnel(deployment.ssh_config, monitoring[0].name, PROMETHEUS_PORT, folder)
            server = prometheus.Prometheus(lambda: SocketConnection(tunnel.path, prometheus.TIMEOUT_SECONDS))
            self._tunnel = tunnel
            self._metrics = Repeated("prometheus", server.look, str, prometheus.SECONDS)

    def __enter__(self) -> Watch:
        for thread in self._threads():
            thread.start()
            self._stack.callback(thread.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _threads(self) -> list[Any]:
        threads = (self._cluster, self._probe, self._storage, self._rows, self._tunnel, self._metrics)
        return [thread for thread in threads if thread is not None]

    def view(self) -> tuple[int, dict[str, Any]]:
        """Return a number that grows with each change, and the newest state."""
        with self._lock:
            now = time.monotonic()
            self._wanted_at = now
            if self._state is None or now - self._made_at >= _VIEW_SECONDS:
                self._made_at = now
                state = self._made()
                if state != self._state:
                    self._version += 1
                    self._state = state
            return self._version, msgspec.to_builtins(self._state)

    def _is_wanted(self) -> bool:
        return time.monotonic() - self._wanted_at < 2.0

    def _addresses(self) -> dict[str, int]:
        """Return each broker's address with its id, -1 where it is not known yet."""
        told = self._cluster.value
        now = {} if told is None else {address: number for number, address in told.brokers.items()}
        # The others no longer tell the address of one that is gone, but partitions still name it by its id.
        self._numbers |= now
        return {address: self._numbers.get(address, -1) for address in self._names} | now

    def _answering(self) -> dict[str, bool]:
        return brokers.answering(list(self._addresses()))

    def _looked_at_storage(self) -> Stored:
        seen = probe_cloud.look_at_storage(aws.session(self._deployment), self._deployment)
        return Stored(
            object_at=int((time.time() - seen.newest_age_seconds) * 1000),
            object_bytes=seen.newest_bytes,
            reached=sum(seen.end_offsets.values()),
        )

    def _looked_at_rows(self) -> Stored:
        seen = probe_cloud.look_at_rows(aws.session(self._deployment), self._deployment)
        now = time.time()
        newest = datetime.fromisoformat(seen.newest_event_time).timestamp() if seen.newest_event_time else None
        return Stored(
            rows=seen.rows,
            rows_of_objects=seen.objects,
            row_at=None if newest is None else int(newest * 1000),
            row_delay=None if newest is None else now - newest,
        )

    def _explained(self, error: Exception) -> str:
        if isinstance(error, KafkaError):
            return f"The brokers do not answer: {security.explain(error, self._kafka)}."
        if isinstance(error, aws.AWS_ERRORS):
            return aws.sentence(error, self._deployment)
        expected = (
            SettingsError,
            probe_cloud.NothingStoredError,
            partitions.MissingTableError,
            partitions.PartitionError,
            athena.QueryError,
        )
        text = " ".join(str(error).split())
        return text if isinstance(error, expected) else f"{type(error).__name__}: {text}"

    def _made(self) -> State:
        cluster, answers = self._cluster.value, self._probe.value or {}
        places = cluster.partitions if cluster else []
        seen = [
            Broker(
                number,
                self._names.get(address) or (f"broker {number}" if number >= 0 else address),
                address,
                answers.get(address, True),
                bool(cluster and cluster.controller == number >= 0),
                [one.number for one in places if one.leader == number >= 0],
            )
            for address, number in sorted(
                self._addresses().items(), key=lambda each: (self._names.get(each[0], ""), each)
            )
        ]
        problem, metrics = self._prometheus()
        storage, rows = self._storage.value or Stored(), self._rows.value or Stored()
        stored = msgspec.structs.replace(
            rows, object_at=storage.object_at, object_bytes=storage.object_bytes, reached=storage.reached
        )
        found = findings.find(seen, places, metrics.producers, metrics.consumers, self._stale(stored))
        self._note([finding.what for finding in found])
        return State(
            brokers=seen,
            partitions=places,
            producers=metrics.producers,
            consumers=metrics.consumers,
            numbers=metrics.numbers,
            stored=stored,
            alerts=metrics.alerts,
            findings=found,
            events=list(self._events),
            problems={
                "kafka": self._cluster.failure,
                "prometheus": problem,
                "s3": self._storage.failure,
                "athena": self._rows.failure,
            },
            flush_seconds=self._deployment.flush_seconds,
        )

    def _stale(self, stored: Stored) -> float | None:
        """Return the age of the newest object where records wait longer for the next than they should."""
        if stored.object_at is None or self._newest_record() <= stored.object_at:
            return None
        age = time.time() - stored.object_at / 1000
        # The storage is looked at only now and then.
        return age if age > verdict.stale_seconds(self._deployment) + _STORAGE_SECONDS else None

    def _prometheus(self) -> tuple[str, prometheus.PrometheusView]:
        nothing = prometheus.PrometheusView([], [], {}, [])
        if self._metrics is None or self._tunnel is None:
            return "No instance of this deployment carries the service monitoring, which runs Prometheus.", nothing
        if self._metrics.failure or self._tunnel.failure:
            return self._tunnel.failure or self._metrics.failure, nothing
        return ("Connecting to Prometheus." if self._metrics.value is None else ""), self._metrics.value or nothing

    def _note(self, now: list[str]) -> None:
        """Write down which findings began and which ended."""
        at = int(time.time() * 1000)
        current = {_steady(what): what for what in now}
        for what in sorted(current.keys() - self._open):
            self._events.append(Event(at, current[what], True))
        for what in sorted(self._open - current.keys()):
            self._events.append(Event(at, what, False))
        self._open = set(current)


def _steady(what: str) -> str:
    """Return a finding without what changes by the second."""
    return "Nothing new in S3" if what.startswith("Nothing new in S3") else what
