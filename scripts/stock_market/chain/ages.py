"""How old records are when their object is stored, by the second of their Kafka timestamp, in bounded memory."""

from __future__ import annotations

import numpy as np

from stock_market.kafka.record_block import Integers
from stock_market.metrics.histogram import Histogram

_SECOND_MS = 1000


class Ages:
    """The number of a segment's records for each second: an hour's 3600 at most."""

    def __init__(self) -> None:
        self._seconds: dict[int, int] = {}

    def add(self, timestamps: Integers) -> None:
        """Adds records, at least one, by their timestamps in milliseconds since 1970.

        Where the first and the last lie within one second, so do those between: brokers stamp records in their order.
        """
        seconds, first = self._seconds, int(timestamps[0]) // _SECOND_MS
        if first == int(timestamps[-1]) // _SECOND_MS:
            seconds[first] = seconds.get(first, 0) + len(timestamps)
            return
        found, counts = np.unique(timestamps // _SECOND_MS, return_counts=True)
        for second, count in zip(found.tolist(), counts.tolist(), strict=True):
            seconds[second] = seconds.get(second, 0) + count

    def count(self, stored: float, seconds: Histogram) -> None:
        """Counts the records that were stored at this moment, in seconds since 1970."""
        for second, count in self._seconds.items():
            seconds.add(max(0.0, stored - second - 0.5), count)
