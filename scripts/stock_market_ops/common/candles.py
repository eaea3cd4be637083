"""Candles in SQL: what a row of a chart is, worked out by Athena."""

from __future__ import annotations

from typing import Final

NAMES: Final = ("time", "open", "high", "low", "close", "volume")
"""A candle's columns: its start in seconds since 1970 (UTC), prices, volume."""


def columns(width: int) -> str:
    """Return the SELECT's items of candles of `width` seconds, to be grouped by the first, `time`."""
    return f"""\
    CAST(floor(to_unixtime(from_iso8601_timestamp(event_time)) / {width}) * {width} AS bigint) AS time,
    min_by(open, event_time) AS open,
    max(high) AS high,
    min(low) AS low,
    max_by(close, event_time) AS close,
    sum(CAST(volume AS decimal(38, 0))) AS volume"""
