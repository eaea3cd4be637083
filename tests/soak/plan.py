"""How long a soak lasts and what happens when, in hours of the accelerated clock."""

from __future__ import annotations

from dataclasses import dataclass

HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Plan:
    """A soak.

    Attributes:
        hours: how long it lasts.
        rate: how many times as fast as the machine's the clock runs.
        start_hour: the hour of the year's last day at which it begins; less than 0 is a day before.
        quotes_per_second: what the steady producer sends, per second of the machine's clock.
        renew_at: when ZooKeeper and the broker get new certificates and restart.
        first_life: how long the first certificates are valid, from before the clock runs fast.
        certificate_life: how long the later ones are valid.
        authority_at: when the authority is replaced; None leaves it.
        outage_at: when the consumers are stopped.
        outage: how long they stay down.
        offsets_kept: how long Kafka keeps the offsets of a group that has no members.
        producer_ids_kept: how long Kafka remembers an idempotent producer that sends nothing.
        idle_every: how often the idle producer sends a record.
        segment: after how many hours a segment of the log is full.
        retention: how long Kafka keeps records.
        growth_mib: by how many MiB a service's memory may rise in each of two quarters of its life.
    """

    hours: float
    rate: int
    start_hour: float
    quotes_per_second: float
    renew_at: tuple[float, ...]
    first_life: float
    certificate_life: float
    authority_at: float | None
    outage_at: float
    outage: float
    offsets_kept: float
    producer_ids_kept: float
    idle_every: float
    segment: float
    retention: float
    growth_mib: int

    def real_seconds(self, hours: float) -> float:
        """How long some of its hours take by the machine's clock."""
        return hours * HOUR_SECONDS / self.rate


def week(minutes: float) -> Plan:
    """A week around the end of a year, in this many minutes."""
    return Plan(
        hours=168,
        rate=round(168 * HOUR_SECONDS / (minutes * 60)),
        start_hour=-60,
        quotes_per_second=400,
        renew_at=(24, 48, 72, 96, 120, 144),
        first_life=36,
        certificate_life=40,
        authority_at=108,
        outage_at=30,
        outage=12,
        offsets_kept=4,
        producer_ids_kept=24,
        idle_every=30,
        segment=6,
        retention=36,
        growth_mib=2,
    )


def night(minutes: float) -> Plan:
    """The last night of a year, with everything but another authority, in this many minutes."""
    return Plan(
        hours=14,
        rate=round(14 * HOUR_SECONDS / (minutes * 60)),
        start_hour=18,
        quotes_per_second=400,
        renew_at=(6,),
        first_life=9,
        certificate_life=48,
        authority_at=None,
        outage_at=2,
        outage=2,
        offsets_kept=0.5,
        producer_ids_kept=2,
        idle_every=4,
        segment=1,
        retention=6,
        growth_mib=8,
    )
