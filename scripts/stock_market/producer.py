"""From a market, simulated or replayed, to Kafka: `python -m stock_market.producer --config FILE`."""

from __future__ import annotations

import os
import sys
import time
import uuid

from stock_market import cli, replay
from stock_market.errors import EXIT_FAILED, EXIT_OK
from stock_market.kafka_client import require_accelerators
from stock_market.logs import Log
from stock_market.publisher import Publisher
from stock_market.service import Every, Stop, Systemd
from stock_market.settings import ProducerSettings
from stock_market.source import Source, Stamp, make_source

_log = Log("producer")
_TICK_SECONDS = 0.01
_CHUNK = 1000
_CATCH_UP_SECONDS = 1.0


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

    def sent(self, count: int) -> None:
        """Counts records as sent."""
        self._sent += count


class ProducerService:
    """The service from its start to its end.

    Args:
        settings: the checked settings.
        source: where quotes come from.
        stop: ends the service.
        systemd: hears how it goes.
    """

    def __init__(self, settings: ProducerSettings, source: Source, stop: Stop, systemd: Systemd) -> None:
        self._settings = settings
        self._source = source
        self._stop = stop
        self._systemd = systemd
        self._stamp = Stamp(uuid.uuid4().hex)
        self._publisher = Publisher(settings.kafka, stop, systemd)
        self._minute = Every(60.0)
        self._before = (0, 0)

    def run(self) -> int:
        """Serves until the end is asked for or the source is dry; returns the exit code."""
        if not self._publisher.open():
            return EXIT_OK
        _log.info(
            "started",
            producer_id=self._stamp.producer_id,
            topic=self._settings.kafka.topic,
            mode=self._settings.mode,
            rate=self._settings.rate,
        )
        self._stream()
        self._systemd.stopping()
        if not self._stop.requested:
            _log.info("source_finished", records=self._stamp.next_sequence)
        _log.info("stopping", in_flight=self._publisher.in_flight_records)
        unsent = self._publisher.close()
        fields = {"producer_id": self._stamp.producer_id, "records": self._stamp.next_sequence, "unsent": unsent}
        if unsent:
            _log.error("stopped", **fields)
            return EXIT_FAILED
        _log.info("stopped", **fields)
        return EXIT_OK

    def _stream(self) -> None:
        pace = Pace(self._settings.rate, time.monotonic())
        while not self._stop.requested:
            self._publisher.settle()
            self._report()
            count = 0 if self._publisher.full else min(_CHUNK, pace.due(time.monotonic()))
            if not count:
                self._stop.wait(_TICK_SECONDS)
                continue
            quotes = self._source.take(count)
            if not quotes:
                return
            self._publisher.send((key, self._stamp.complete(start)) for key, start in quotes)
            pace.sent(count)

    def _report(self) -> None:
        publisher = self._publisher
        self._systemd.alive()
        if publisher.acknowledged:
            self._systemd.ready()
        seconds = self._minute.due()
        if not seconds:
            return
        sent, acknowledged = self._stamp.next_sequence, publisher.acknowledged
        rate = (acknowledged - self._before[1]) / seconds
        _log.info(
            "rates",
            sent_per_s=(sent - self._before[0]) / seconds,
            acknowledged_per_s=rate,
            sequence=sent,
            in_flight_records=publisher.in_flight_records,
            in_flight_bytes=publisher.in_flight_bytes,
            recoveries=publisher.recoveries,
        )
        self._systemd.status(f"{rate:.0f} records/s, {publisher.in_flight_records} in flight")
        self._before = (sent, acknowledged)


def _check(settings: ProducerSettings) -> None:
    if settings.mode == "replay" and settings.replay is not None:
        replay.check(settings.replay.path)


def serve(settings: ProducerSettings) -> int:
    """Runs the service until it is asked to end."""
    require_accelerators()
    source = make_source(settings)
    stop = Stop(grace_seconds=25.0)
    stop.install()
    return ProducerService(settings, source, stop, Systemd()).run()


def main(argv: list[str] | None = None) -> int:
    """The program; returns the exit code."""
    return cli.run("producer", ProducerSettings, _check, serve, argv)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
