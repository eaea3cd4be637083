"""The compactor's events as lines for a person."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from stock_market_ops.common import scanned

_Fields = Mapping[str, Any]


def _published(event: _Fields) -> str:
    revision = "" if event["revision"] == "1" else f", as revision {event['revision']}"
    return f"{event['hour']}h  history: {event['rows']:,} quotes{revision}"


def _prepared(event: _Fields) -> str:
    size = scanned.size(event["bytes"])
    return (
        f"{event['hour']}h  written and compared: {event['objects']:,} raw objects, {event['files']} files of {size} "
        f"in {event['seconds']:.0f} s"
    )


def _summed(event: _Fields) -> str:
    until = "" if event["first"] == event["last"] else f" to {event['last']}h"
    return f"{event['first']}h{until}  summed up for the analyses"


def _merged(event: _Fields) -> str:
    until = "" if event["first"] == event["last"] else f" to {event['last']}h"
    return f"{event['first']}h{until}  Iceberg: {event['rows']:,} quotes"


_LINES: dict[str, Callable[[_Fields], str]] = {
    "hour_prepared": _prepared,
    "hour_published": _published,
    "hour_waits": lambda event: f"{event['hour']}h  not over yet: {event['reason']}",
    "hours_summed_up": _summed,
    "sums_are_wrong": lambda event: f"{event['hour']}h  its sums are not those of its {event['rows']:,} quotes",
    "would_sum_up": lambda event: f"{event['first']}h  {event['hours']} hours would be summed up for the analyses",
    "hours_merged": _merged,
    "would_merge": lambda event: (
        f"{event['first']}h  {event['hours']} hours would be added to the Iceberg table: {event['rows']:,} quotes"
    ),
    "would_create": lambda event: f"The Iceberg table {event['table']} would be created and filled",
    "would_write": lambda event: f"{event['hour']}h  would become history: {event['rows']:,} quotes",
    "would_write_again": lambda event: f"{event['hour']}h  would be written again: {event['late']} late objects",
    "kafka_silent": lambda event: f"Kafka does not answer ({event['error']}): {event['advice']}.",
    "adopt": lambda event: (
        f"{event['hours']} hours are history in S3 and not in the view: {event['first']}h to {event['last']}h"
    ),
    "try_again": lambda event: f"Another try in {event['pause']:.0f} s: {event['reason']}",
}
"""The events that a person is told of, by name; the others are for the service's log."""


class Progress(logging.Handler):
    """Hands each event that tells of progress to `say`, as a line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one event."""
        line = _LINES.get(record.getMessage())
        if line is not None:
            self._say(line(getattr(record, "event_fields", {})))
