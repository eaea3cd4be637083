"""Says once a minute, in the log and to systemd, how fast the consumer is and how far behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kafka import TopicPartition

from stock_market.chain.partition import PartitionWriter
from stock_market.chain.totals import Totals
from stock_market.logs import Log
from stock_market.service import Every, Systemd

_log = Log("consumer")
_SECONDS = 60.0
_MAX_HOURS = 10
"""Hours of a partition that may end within a minute; a broker's clock ends one, a producer that catches up some."""


class Rates:
    """What has been done since the last report."""

    def __init__(self, totals: Totals, systemd: Systemd) -> None:
        self._totals = totals
        self._systemd = systemd
        self._before = Totals()
        self._minute = Every(_SECONDS)

    def report(self, writers: Mapping[TopicPartition, PartitionWriter], lag: Callable[[], str]) -> None:
        """Reports when a minute is over; `lag` asks for the records that have not been read."""
        seconds = self._minute.due()
        if not seconds:
            return
        now, before = self._totals, self._before
        behind = lag()
        rate = (now.records - before.records) / seconds
        _log.info(
            "rates",
            partitions=len(writers),
            records_per_s=rate,
            bytes_per_s=(now.bytes - before.bytes) / seconds,
            objects=now.objects - before.objects,
            records_stored=now.stored - before.stored,
            records_quarantined=now.quarantined - before.quarantined,
            objects_skipped=now.skipped_objects - before.skipped_objects,
            held_bytes=sum(writer.growing_bytes + writer.sealed_bytes for writer in writers.values()),
            lag=behind,
        )
        hours = now.hours_ended - before.hours_ended
        if hours > _MAX_HOURS * max(1, len(writers)):
            _log.warning("hours_alternate", hours_ended=hours, records=now.records - before.records)
        self._systemd.status(f"{len(writers)} partitions, {rate:.0f} records/s, lag {behind}")
        self._before = Totals(**{name: getattr(now, name) for name in Totals.__slots__})
