"""AWS's list prices, from the table beside this module."""

from __future__ import annotations

from pathlib import Path

import msgspec

_TABLE = Path(__file__).with_name("prices.toml")
# A size's price as a multiple of the family's .large.
_SIZES = {
    "nano": 1 / 16,
    "micro": 1 / 8,
    "small": 1 / 4,
    "medium": 1 / 2,
    "large": 1.0,
    "xlarge": 2.0,
    "2xlarge": 4.0,
    "4xlarge": 8.0,
}


class RegionPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A region's prices in US dollars; `large` is the hour of a .large by family. A GB of traffic has 10^9 bytes."""

    large: dict[str, float]
    gp3_gib_month: float
    public_ipv4_hour: float
    nat_hour: float
    nat_gb: float
    s3_gib_month: float
    s3_put_thousand: float
    s3_get_thousand: float
    athena_tb: float
    glue_dpu_hour: float
    glue_million_calls: float
    cross_zone_gb: float
    out_gb: float
    logs_gb: float
    surplus_vcpu_hour: float

    def instance_hour(self, instance_type: str) -> float | None:
        """Return what an instance of the type costs an hour; None where the table does not say."""
        family, _, size = instance_type.partition(".")
        if family not in self.large or size not in _SIZES:
            return None
        return self.large[family] * _SIZES[size]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole table.

    Attributes:
        source: where it is from.
        as_of: of when it is.
        sources: the price page of each kind of price.
        crawl_dpus: DPUs that a crawl is reckoned with.
        crawl_hours: the least that a crawl is billed for.
        crawl_log_bytes: what a crawl writes to its log.
        nat_gb_instance_month: what an instance moves through its NAT gateway in a month.
        surplus_vcpus: of a burstable size, the vCPUs above its baseline.
        regions: prices by region.
    """

    source: str
    as_of: str
    sources: dict[str, str]
    crawl_dpus: float
    crawl_hours: float
    crawl_log_bytes: int
    nat_gb_instance_month: float
    surplus_vcpus: dict[str, float]
    regions: dict[str, RegionPrices]

    def surplus_of(self, instance_type: str) -> float:
        """Return the vCPUs above its baseline that a burstable type may use; 0 for every other."""
        family, _, size = instance_type.partition(".")
        return self.surplus_vcpus.get(size, 0.0) if family.startswith("t") else 0.0


def load() -> Table:
    """Read the table."""
    return msgspec.toml.decode(_TABLE.read_bytes(), type=Table)
