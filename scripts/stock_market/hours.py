"""The hours of Kafka timestamps, by which objects are placed."""

from __future__ import annotations

HOUR_MS = 3_600_000
FIRST_TIME_MS = 946_684_800_000
"""2000-01-01T00:00:00Z: the first Kafka timestamp that is taken for a time."""
END_TIME_MS = 4_102_444_800_000
"""2100-01-01T00:00:00Z: the first one that is none any more."""
NO_HOUR = 0
"""The hour since 1970 under which records without a usable timestamp are stored: dt=1970-01-01/hour=00."""


def is_time(timestamp_ms: int) -> bool:
    """Whether a Kafka timestamp is a time of this century; seconds, microseconds and -1 (none) are not."""
    return FIRST_TIME_MS <= timestamp_ms < END_TIME_MS


def hour_of(timestamp_ms: int) -> int:
    """The hour since 1970 under which a record of this Kafka timestamp is stored, NO_HOUR where it is no time."""
    return timestamp_ms // HOUR_MS if is_time(timestamp_ms) else NO_HOUR
