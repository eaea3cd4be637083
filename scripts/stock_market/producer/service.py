"""From a market, simulated or replayed, to Kafka: `python -m stock_market.producer --config FILE`."""

from __future__ import annotations

import secrets
import statistics
import time

from stock_market import cli
from stock_market.allocator import keep_freed_memory
from stock_market.errors import EXIT_FAILED, EXIT_OK
from stock_market.kafka import connections, security
from stock_market.kafka.client import require_accelerators
from stock_market.logs import Log
from stock_market.metrics.start import listen
from stock_market.producer.metrics import readings
from stock_market.producer.publisher import Publisher
from stock_market.producer.replay_file import ReplayFile
from stock_market.producer.source import ReplayedSource, Source, make_source
from stock_market.service import Every, Stop, Systemd
from stock_market.settings import ProducerSettings

_log = Log("producer")
_MIN_TICK_SECONDS = 0.001
_FULL_TICK_SECONDS = 0.01
_IDLE_SECONDS = 0.1
_CATCH_UP_SECONDS = 1.0
_HEAP_BYTES = 64 << 20
_BATCH_RECORDS = 8
_BATCH_WAIT_SECONDS = 0.1
"""Wait for 8 records or 100 ms before generating a batch: a request costs the same for one record as for all. The wait
makes no quote older, because a simulated quote's time is the moment at which it is generated."""
_WORTH_QUEUEING = 16_384
"""So many records make batches that need no company."""


class Pace:
    """How many records are due, at a steady rate.

    After a standstill, of the broker or of the machine, at most a second's worth is made up for: the market goes on
    from now instead of flooding the broker that has just come back.

    Args:
        rate: records per second.
        now: the moment to begin at, in seconds of a steady clock.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._origin = now
        self._sent = 0

    def due(self, now: float) -> int:
        """Records that should have been sent by now and have not."""
        behind = (now - self._origin) * self._rate - self._sent
        excess = behind - max(1.0, self._rate * _CATCH_UP_SECONDS)
        if excess > 0:
            self._origin += excess / self._rate
            behind -= excess
        return int(behind)

    def pause(self, now: float) -> float:
        """Seconds until the next record is due."""
        return max(0.0, (self._sent + 1) / self._rate - (now - self._origin))

    def sent(self, count: int) -> None:
        """Counts records as sent."""
        self._sent += count


class RowClock:
    """How many rows are due by their own clock, which begins at the first row and goes `speed` times as fast as ours.

    After a standstill the clock goes on from where it stood, but for a second; where the rows begin again, so does it.
    """

    def __init__(self, source: ReplayedSource, speed: float, now: float) -> None:
        self._source = source
        self._speed = speed
        self._now = now
        self._market = self._last = source.upcoming() or 0.0

    def due(self, now: float) -> int:
        """Most rows that may be sent: 0 until the next one's time has come."""
        self._market += min(now - self._now, _CATCH_UP_SECONDS) * self._speed
        self._now = now
        upcoming = self._source.upcoming()
        if upcoming is None:
            return 1  # It is over: whoever takes finds that out.
        if upcoming < self._last:
            self._market = upcoming
        self._source.until = self._market
        return _WORTH_QUEUEING if upcoming <= self._market else 0

    def pause(self, now: float) -> float:
        """Seconds until the next row is due."""
        upcoming = self._source.upcoming()
        return 0.0 if upcoming is None else max(0.0, (upcoming - self._market) / self._speed - (now - self._now))

    def sent(self, _count: int) -> None:
        """Notes how far the rows have come."""
        self._last = self._market


class ProducerService:
    """The service from its start to its end."""

    def __init__(
        self, settings: ProducerSettings, source: Source, producer_id: str, stop: Stop, systemd: Systemd
    ) -> None:
        self._settings = settings
        self._source = source
        self._producer_id = producer_id
        self._stop = stop
        self._systemd = systemd
        self._publisher = Publisher(settings.kafka, stop, systemd)
        self._minute = Every(60.0)
        self._before = (0, 0)

    def run(self) -> int:
        """Serves until the end is asked for or the source is dry; returns the exit code."""
        values = readings(self._publisher, self._settings, self._producer_id, paced=self._clock_source() is None)
        listen(self._settings.metrics, values, self._stop)
        if not self._publisher.open():
            return EXIT_OK
        _log.info(
            "started",
            producer_id=self._producer_id,
            topic=self._settings.kafka.topic,
            mode=self._settings.mode,
            rate=self._settings.rate,
        )
        self._stream()
        self._systemd.stopping()
        if not self._stop.requested:
            _log.info("source_finished", records=self._source.produced)
        _log.info("stopping", in_flight=self._publisher.in_flight_records)
        unsent = self._publisher.close()
        fields = {
            "producer_id": self._producer_id,
            "records": self._source.produced,
            "unsent": unsent,
        } | self._latency()
        if unsent:
            _log.error("stopped", **fields)
            return EXIT_FAILED
        _log.info("stopped", **fields)
        return EXIT_OK

    def _clock_source(self) -> ReplayedSource | None:
        """The source, if its rows go by their own clock."""
        return self._source if isinstance(self._source, ReplayedSource) and self._source.by_time else None

    def _make_pace(self, now: float) -> Pace | RowClock:
        replay, source = self._settings.replay, self._clock_source()
        if replay is not None and source is not None:
            return RowClock(source, replay.speed, now)
        return Pace(self._settings.rate, now)

    def _stream(self) -> None:
        pace = self._make_pace(time.monotonic())
        company = min(_BATCH_WAIT_SECONDS, _BATCH_RECORDS / self._settings.rate)
        tick = max(_MIN_TICK_SECONDS, self._settings.kafka.linger_ms / 1000, company)
        publisher = self._publisher
        while not self._stop.requested:
            publisher.settle()
            self._report()
            if publisher.full:
                self._stop.wait(_FULL_TICK_SECONDS)
                continue
            now = time.monotonic()
            count = pace.due(now)
            if not count or (publisher.waiting and count < _WORTH_QUEUEING):
                # Whatever is due within a tick goes together, and what comes while others are on their way.
                self._stop.wait(min(_IDLE_SECONDS, max(tick, pace.pause(now)) if not count else tick))
                continue
            before = self._source.produced
            batches = self._source.take(count, publisher.partitions)
            if not batches:
                return
            publisher.send(batches)
            pace.sent(self._source.produced - before)

    def _report(self) -> None:
        publisher = self._publisher
        self._systemd.alive()
        if publisher.acknowledged:
            self._systemd.ready()
        seconds = self._minute.due()
        if not seconds:
            return
        sent, acknowledged = self._source.produced, publisher.acknowledged
        rate = (acknowledged - self._before[1]) / seconds
        _log.info(
            "rates",
            sent_per_s=(sent - self._before[0]) / seconds,
            acknowledged_per_s=rate,
            sequence=sent,
            in_flight_records=publisher.in_flight_records,
            in_flight_bytes=publisher.in_flight_bytes,
            recoveries=publisher.recoveries,
            **self._latency(),
        )
        self._systemd.status(f"{rate:.0f} records/s, {publisher.in_flight_records} in flight")
        self._before = (sent, acknowledged)

    def _latency(self) -> dict[str, float]:
        """Milliseconds from the hand-over of a batch to its acknowledgement, since the last report."""
        found = sorted(self._publisher.latencies)
        self._publisher.latencies.clear()
        if len(found) < 2:
            return {}
        return {"ack_ms_p50": statistics.median(found) * 1000, "ack_ms_p99": found[len(found) * 99 // 100] * 1000}


def _check(settings: ProducerSettings) -> None:
    security.check(settings.kafka)
    if settings.mode == "replay" and settings.replay is not None:
        ReplayFile(settings.replay.path)


def serve(settings: ProducerSettings) -> int:
    """Runs the service until it is asked to end."""
    require_accelerators()
    connections.mend()
    keep_freed_memory(heap_bytes=_HEAP_BYTES, piece_bytes=_HEAP_BYTES)
    producer_id = secrets.token_hex(8)
    source = make_source(settings, producer_id)
    stop = Stop(grace_seconds=25.0)
    stop.install()
    return ProducerService(settings, source, producer_id, stop, Systemd()).run()


def main(argv: list[str] | None = None) -> int:
    """The program; returns the exit code."""
    return cli.run("producer", ProducerSettings, _check, serve, argv)
