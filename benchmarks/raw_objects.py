"""Raw objects as the bundle's own producer and consumer make them, put into the local cloud's store itself."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise

from moto.s3.models import S3Backend, s3_backends
from tests.support.small_cloud import SmallCloud

from stock_market.chain.naming import ObjectInfo, ObjectName, object_key
from stock_market.chain.segment import Lines
from stock_market.history.naming import Hour
from stock_market.hours import HOUR_MS
from stock_market.kafka.identity import Identity
from stock_market.producer.source import SimulatedSource
from stock_market.settings import ProducerKafka, ProducerSettings, Simulation

PARTITIONS = 6
DEFAULT_SYMBOLS = 20
"""As `make up` has them."""
_IDENTITY = Identity("bench", "AAAAAAAAAAAAAAAAAAAAAA")
_VALUE = re.compile(rb'\{"symbol":[^}]*\}')
# The producer hands over so many at once, after so many seconds at the latest; at the earliest after 5 ms, not 20.
_TOGETHER, _MOST_SECONDS, _LEAST_SECONDS = 8, 0.1, 0.02


def store() -> S3Backend:
    """What the local cloud's S3 keeps."""
    found: S3Backend = s3_backends["123456789012"]["aws"]
    return found


class Feed:
    """Fills a deployment with raw objects, hour after hour.

    Args:
        cloud: the deployment.
        records: of an hour.
        objects: that an hour is cut into, about.
        symbols: of the simulated market.
        first: the first record's sequence number.
    """

    def __init__(
        self, cloud: SmallCloud, records: int, objects: int, symbols: int = DEFAULT_SYMBOLS, first: int = 0
    ) -> None:
        self._deployment = cloud.deployment
        self._records = records
        self._slices = max(1, objects // PARTITIONS)
        self._now = 0.0
        kafka = ProducerKafka(bootstrap_servers=["127.0.0.1:9092"])
        settings = ProducerSettings(kafka=kafka, simulate=Simulation(symbols=symbols))
        self._source = SimulatedSource(settings, "0123456789abcdef", clock=lambda: self._now)
        self._source.produced = first
        self._ends = [0] * PARTITIONS

    def fill(self, hour: Hour) -> int:
        """An hour's raw objects; returns their bytes."""
        cuts = [self._records * at // self._slices for at in range(self._slices + 1)]
        start = hour.start.timestamp()
        pace = 3600 / self._records
        size = 0
        for first, end in pairwise(cuts):
            for partition, lines in self._lines(first, end, start, pace).items():
                size += len(self._put(hour, partition, lines))
        return size

    def begin(self, hour: Hour) -> bytes:
        """The first objects of an hour, of one record each: the hours before it are over. Returns the last of them."""
        found: dict[int, list[bytes]] = {}
        self._now = hour.start.timestamp()
        while len(found) < PARTITIONS:
            found |= self._taken(DEFAULT_SYMBOLS)
        made = [self._put(hour, partition, lines[:1]) for partition, lines in sorted(found.items())]
        return made[-1]

    def _lines(self, first: int, end: int, start: float, pace: float) -> dict[int, list[bytes]]:
        """The lines of the records from one number of the hour to another, by partition."""
        tick = max(_LEAST_SECONDS, min(_MOST_SECONDS, _TOGETHER * pace))
        found: dict[int, list[bytes]] = {}
        while first < end:
            due = min(max(1, round(tick / pace)), end - first)
            first += due
            self._now = start + first * pace - 0.001
            for partition, lines in self._taken(due).items():
                found.setdefault(partition, []).extend(lines)
        return dict(sorted(found.items()))

    def _taken(self, count: int) -> dict[int, list[bytes]]:
        found: dict[int, list[bytes]] = {}
        for records in self._source.take(count, PARTITIONS):
            found.setdefault(records.partition, []).extend(_VALUE.findall(records.body))
        return found

    def _put(self, hour: Hour, partition: int, lines: list[bytes]) -> bytes:
        """Writes an object of a partition, and returns it."""
        packed = Lines()
        packed.add(b"\n".join((*lines, b"")), len(lines))
        content, start, time_ms = bytes(packed.finish()), self._ends[partition], hour.end_ms - HOUR_MS
        name = ObjectName(self._deployment.topic, _IDENTITY.topic_id, partition, start)
        info = ObjectInfo(
            key=object_key("quotes/", name, time_ms),
            start=start,
            end=start + len(lines),
            records=len(lines),
            quarantined=0,
            first_timestamp=time_ms,
            last_timestamp=time_ms,
            sha256=hashlib.sha256(content).hexdigest(),
            identity=_IDENTITY,
        )
        self._ends[partition] += len(lines)
        stored = store().put_object(self._deployment.data_bucket, info.key, content)
        stored.set_metadata({f"x-amz-meta-{name}": value for name, value in info.metadata().items()})
        return content
