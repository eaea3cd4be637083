"""What a deployment costs by AWS's list prices, item by item, from the table beside this module."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from stock_market_ops.planning.facts import Facts

HOURS_A_MONTH = 730
"""AWS's own convention: a twelfth of a year."""

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
    """A region's prices in US dollars; `large` is the hour of a .large by family."""

    large: dict[str, float]
    gp3_gib_month: float
    public_ipv4_hour: float
    s3_gib_month: float
    s3_put_thousand: float
    s3_get_thousand: float
    athena_tb: float
    glue_dpu_hour: float

    def instance_hour(self, instance_type: str) -> float | None:
        """Return what an instance of the type costs an hour; None where the table does not say."""
        family, _, size = instance_type.partition(".")
        if family not in self.large or size not in _SIZES:
            return None
        return self.large[family] * _SIZES[size]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole table: where it is from, of when it is, and the regions that it knows."""

    source: str
    as_of: str
    regions: dict[str, RegionPrices]


class Item(msgspec.Struct, frozen=True):
    """A line of the bill: `hour` in US dollars for all `count` together, None where there is no price."""

    name: str
    count: int
    hour: float | None

    @property
    def month(self) -> float | None:
        """The same for a month of 730 hours."""
        return None if self.hour is None else self.hour * HOURS_A_MONTH


def load() -> Table:
    """Read the table."""
    return msgspec.toml.decode(_TABLE.read_bytes(), type=Table)


def items(facts: Facts, prices: RegionPrices) -> list[Item]:
    """Return what runs all the time: instances by type, their volumes, their public addresses."""
    found = []
    for name, count in sorted(Counter(instance.type for instance in facts.instances).items()):
        hour = prices.instance_hour(name)
        found.append(Item(f"instances {name}", count, None if hour is None else hour * count))
    count = len(facts.instances)
    volumes = prices.gp3_gib_month * facts.volume_gib * count / HOURS_A_MONTH
    found.append(Item(f"volumes gp3, {facts.volume_gib} GiB each", count, volumes))
    address = "Elastic IPs" if facts.elastic_ip else "public IPv4 addresses"
    found.append(Item(address, count, prices.public_ipv4_hour * count))
    return found


def rates(prices: RegionPrices) -> str:
    """Say what depends on use."""
    return (
        f"S3 {prices.s3_gib_month:g} a GiB and month, {prices.s3_put_thousand:g} a thousand PUTs, "
        f"{prices.s3_get_thousand:g} a thousand GETs; Athena {prices.athena_tb:g} a TB scanned; "
        f"Glue {prices.glue_dpu_hour:g} a DPU-hour, ten minutes a crawl at least; SSM's parameters are free"
    )
