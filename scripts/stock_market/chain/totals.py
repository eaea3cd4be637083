"""What a consumer has done since it started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stock_market.chain.segment import Segment
from stock_market.metrics.histogram import Histogram

RECORD_BOUNDS = (0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


@dataclass(slots=True)
class Totals:
    """Counts of all partitions.

    Attributes:
        records: that were read.
        bytes: of their lines.
        objects: that were written.
        object_bytes: of these.
        last_object: when the newest of them was stored, in seconds since 1970; 0 before the first.
        stored: records in these.
        quarantined: records in quarantine objects.
        reasons: why, each with the number of these records.
        record_seconds: from a stored record's Kafka timestamp to the moment at which its object was stored.
        skipped_objects: that somebody else had written.
        hours_ended: how often a record of another hour came than the one before it.
    """

    records: int = 0
    bytes: int = 0
    objects: int = 0
    object_bytes: int = 0
    last_object: float = 0.0
    stored: int = 0
    quarantined: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    record_seconds: Histogram = field(default_factory=lambda: Histogram(RECORD_BOUNDS))
    skipped_objects: int = 0
    hours_ended: int = 0

    def note_stored(self, segment: Segment, moment: float) -> None:
        """Counts a segment that was stored, at this moment in seconds since 1970."""
        self.objects += 1
        self.object_bytes += segment.good.packed_bytes
        self.last_object = max(self.last_object, moment)
        self.stored += segment.good.count
        self.quarantined += segment.bad.count
        self.reasons.update(segment.reasons)
        segment.ages.count(moment, self.record_seconds)
