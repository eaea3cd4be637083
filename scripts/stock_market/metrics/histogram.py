"""A histogram that takes many equal values at once, which that of prometheus-client does not."""

from __future__ import annotations

import threading
from bisect import bisect_left
from itertools import accumulate
from typing import NamedTuple


class Snapshot(NamedTuple):
    """What a histogram has counted.

    Attributes:
        counts: for each bound how many values were not above it, and at last how many there were.
        total: the sum of all values.
    """

    counts: tuple[int, ...]
    total: float


class Histogram:
    """Counts values by buckets; several threads may use it.

    Args:
        bounds: the largest value of each bucket, ascending; larger values have a bucket of their own.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0
        self._lock = threading.Lock()

    def add(self, value: float, count: int = 1) -> None:
        """Counts a value, as often as `count` says."""
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            self._counts[bucket] += count
            self._total += value * count

    def snapshot(self) -> Snapshot:
        """What has been counted so far."""
        with self._lock:
            return Snapshot(tuple(accumulate(self._counts)), self._total)
