"""What a consumer has done since it started."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Totals:
    """Counts of all partitions.

    Attributes:
        records: that were read.
        bytes: of their lines.
        objects: that were written.
        stored: records in these.
        quarantined: records in quarantine objects.
        skipped_objects: that somebody else had written.
        hours_ended: how often a record of another hour came than the one before it.
    """

    records: int = 0
    bytes: int = 0
    objects: int = 0
    stored: int = 0
    quarantined: int = 0
    skipped_objects: int = 0
    hours_ended: int = 0
