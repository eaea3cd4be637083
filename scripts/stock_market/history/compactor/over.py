"""Whether an hour is over: nothing that belongs to it is still on its way to S3."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from stock_market.chain.naming import ObjectInfo, parse_key
from stock_market.history.compactor.log_ends import KafkaLogs, LogEnds
from stock_market.history.compactor.raw import Raw
from stock_market.history.manifest import Log
from stock_market.history.naming import Hour


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Newest:
    """The newest raw object of each log, by start. What is written after the first look is not seen."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._days = raw.days()
        self._found: dict[Log, tuple[int, str, Hour]] = {}

    def _look(self, first_day: str) -> None:
        """Lists the days from this one on that have not been listed, the newest first."""
        while self._days and self._days[-1] >= first_day:
            for hour, listed in self._raw.day(self._days.pop()).items():
                for key in listed:
                    name = parse_key(key)
                    if name is not None:
                        log, new = Log(name.topic, name.log, name.partition), (name.start, key, hour)
                        self._found[log] = max(new, self._found.get(log, new))

    def since(self, first_day: str) -> dict[Log, Hour]:
        """The logs that have objects from this day on, each with the hour of its newest."""
        self._look(first_day)
        return {log: hour for log, (_, _, hour) in self._found.items() if hour.dt >= first_day}

    def end(self, log: Log, enough: int) -> int | None:
        """Where a log's objects end, exactly or at least `enough`; None where it has none."""
        while self._days and not {log, log._replace(topic_id="")} & self._found.keys():
            self._look(self._days[-1])
        found = self._found.get(log)
        if found is not None:
            start, key, _ = found
            if start >= enough:
                return start
            return self._info_end(key, log)
        # Names of the old form do not tell the log, their metadata does.
        old = self._found.get(log._replace(topic_id=""))
        return None if old is None else self._info_end(old[1], log)

    def _info_end(self, key: str, log: Log) -> int | None:
        metadata = self._raw.metadata(key)
        info = None if metadata is None else ObjectInfo.from_metadata(key, metadata)
        return info.end if info is not None and info.identity.topic_id == log.topic_id else None


class Ending:
    """Tells of hours whether they are over.

    Args:
        raw: lists the raw objects.
        logs: asks Kafka; None where it is not to be asked.
        margin_seconds: an hour is not over before this time after its end.
        days: without Kafka, a log that has had no object for this long before the hour is not waited for.
        now: the time.
    """

    def __init__(
        self,
        raw: Raw,
        logs: KafkaLogs | None,
        margin_seconds: float,
        days: int,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._raw = raw
        self._logs = logs
        self._margin = timedelta(seconds=margin_seconds)
        self._days = timedelta(days=days)
        self._now = now
        self._newest: Newest | None = None

    def waits_for(self, hour: Hour) -> str:
        """Why an hour is not over, in words for a person; empty where it is."""
        if self._now() < hour.end + self._margin:
            return f"it ended, or ends, at {hour.end:%H:%M} and is left alone for {self._margin.total_seconds():g} s"
        ends = None if self._logs is None else self._logs.at(hour.end_ms)
        for _ in range(2):
            fresh = self._newest is None
            newest = self._newest = self._newest or Newest(self._raw)
            reason = self._without_kafka(newest, hour) if ends is None else self._by_kafka(newest, ends)
            if not reason or fresh:
                return reason
            # Objects may have come since the last look.
            self._newest = None
        return reason

    def _by_kafka(self, newest: Newest, ends: LogEnds) -> str:
        assert self._logs is not None
        for partition, needed in sorted(ends.needed.items()):
            start = ends.starts[partition]
            if needed <= start:
                continue
            end = newest.end(Log(self._logs.topic, ends.topic_id, partition), needed)
            reached = start if end is None else end
            if reached < needed:
                return (
                    f"S3 has partition {partition} up to offset {reached}, and Kafka has records from before the hour's"
                    f" end up to offset {needed - 1}"
                )
        return ""

    def _without_kafka(self, newest: Newest, hour: Hour) -> str:
        first_day = f"{max(hour.start - self._days, datetime.min.replace(tzinfo=UTC) + self._days):%Y-%m-%d}"
        for log, last in sorted(newest.since(first_day).items()):
            if self._logs is not None and log.topic != self._logs.topic:
                continue
            if last <= hour:
                return (
                    f"Kafka does not tell where its logs end, and partition {log.partition} of {log.topic} has no"
                    " object in a later hour"
                )
        return ""
