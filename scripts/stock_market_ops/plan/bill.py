"""A deployment's month by AWS's list prices, item by item, and whether it is within a budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from stock_market_ops.plan import history, iceberg, usage
from stock_market_ops.plan.facts import Costs
from stock_market_ops.plan.prices import RegionPrices, Table

GB = 1_000_000_000
FREE = (
    "free of charge: the S3 gateway endpoint, traffic within a zone by private addresses, Parameter Store, Glue's "
    "catalog up to a million objects, IAM; no KMS key is made; AWS's free tier is not taken off"
)


class Item(msgspec.Struct, frozen=True):
    """A line of the bill: `month` in US dollars for all `count` together, None where there is no price."""

    name: str
    count: int
    month: float | None

    @property
    def day(self) -> float | None:
        """The same for a day."""
        return None if self.month is None else self.month / usage.DAYS_A_MONTH

    @property
    def hour(self) -> float | None:
        """The same for an hour."""
        return None if self.month is None else self.month / usage.HOURS_A_MONTH


def items(costs: Costs, table: Table) -> list[Item]:
    """Return what runs all the time, and then what the declared rate and use come to; the region has prices."""
    prices = table.regions[costs.region]
    made = history.parts(costs, prices) if history.is_made(costs) else []
    made += iceberg.parts(costs, prices) if iceberg.is_made(costs) else []
    kept = [Item(part.name, round(part.number), part.month) for part in made]
    return [*_standing(costs, table, prices), *_stream(costs, prices), *kept, *_use(costs, table, prices)]


def history_saves(costs: Costs, table: Table) -> str:
    """Say what the history costs and what it saves on the declared queries; empty where none is made."""
    if not history.is_made(costs):
        return ""
    prices = table.regions[costs.region]
    month = sum(part.month for part in history.parts(costs, prices))
    saves = history.saved(costs, prices)
    queries, days = usage.queries(costs), f"{costs.use.days_read} days each"
    return (
        f"the history costs {month:,.2f} a month ({month / usage.DAYS_A_MONTH:,.3f} a day), and the {queries} queries "
        f"over {days} cost {saves:,.2f} less with it"
    )


def total(found: list[Item]) -> float:
    """Return the sum of what has a price."""
    return sum(item.month or 0.0 for item in found)


def unpriced(found: list[Item]) -> list[str]:
    """Return the names of what has no price."""
    return [item.name for item in found if item.month is None]


def _standing(costs: Costs, table: Table, prices: RegionPrices) -> Iterator[Item]:
    types = sorted(Counter(instance.type for instance in costs.instances).items())
    for name, count in types:
        hour = prices.instance_hour(name)
        yield Item(f"instances {name}", count, None if hour is None else hour * count * usage.HOURS_A_MONTH)
    if costs.cpu_credits == "unlimited":
        for name, count in types:
            surplus = table.surplus_of(name) * prices.surplus_vcpu_hour * count * usage.HOURS_A_MONTH
            if surplus:
                yield Item(f"CPU credits of {name} at full load", count, surplus)
    count = len(costs.instances)
    yield Item(f"volumes gp3, {costs.volume_gib} GiB each", count, prices.gp3_gib_month * costs.volume_gib * count)
    if costs.nat_gateways:
        yield from _nat_gateways(costs, table, prices)
        return
    address = "Elastic IPs" if costs.elastic_ip else "public IPv4 addresses"
    yield Item(address, count, prices.public_ipv4_hour * count * usage.HOURS_A_MONTH)


def _nat_gateways(costs: Costs, table: Table, prices: RegionPrices) -> Iterator[Item]:
    """Return what private subnets cost in place of the instances' public addresses."""
    count = costs.nat_gateways
    yield Item("NAT gateways", count, prices.nat_hour * count * usage.HOURS_A_MONTH)
    moved = table.nat_gb_instance_month * len(costs.instances)
    yield Item("GB through the NAT gateways", round(moved), moved * prices.nat_gb)
    first = min(instance.zone for instance in costs.instances)
    far = sum(instance.zone != first for instance in costs.instances) if count == 1 else 0
    if far:
        moved = table.nat_gb_instance_month * far
        # Both zones' sides are billed, as between instances.
        yield Item("GB between zones to the NAT gateway", round(moved), moved * prices.cross_zone_gb * 2)
    yield Item("Elastic IPs of the NAT gateways", count, prices.public_ipv4_hour * count * usage.HOURS_A_MONTH)


def _stream(costs: Costs, prices: RegionPrices) -> Iterator[Item]:
    stream = costs.stream
    crossing = usage.cross_zone_bytes(costs)
    # Both zones' sides are billed.
    yield Item("GB between zones, out and in", round(crossing / GB), crossing / GB * prices.cross_zone_gb * 2)
    puts = usage.objects(stream)
    yield Item("S3 PUTs of the consumer", round(puts), puts / 1000 * prices.s3_put_thousand)
    stored = usage.stored_bytes(stream) / (1 << 30)
    yield Item("GiB of new objects in S3, and again each month", round(stored), stored * prices.s3_gib_month)


def _use(costs: Costs, table: Table, prices: RegionPrices) -> Iterator[Item]:
    use = costs.use
    crawl = table.crawl_dpus * table.crawl_hours * prices.glue_dpu_hour
    minutes = table.crawl_hours * 60
    yield Item(f"crawls of {minutes:g} minutes on {table.crawl_dpus:g} DPUs", use.crawls, use.crawls * crawl)
    logs = use.crawls * table.crawl_log_bytes / GB * prices.logs_gb
    yield Item("crawls' entries in CloudWatch Logs", use.crawls, logs)
    made = history.is_made(costs)
    scanned = history.scanned_bytes(costs) if made else usage.scanned_bytes(costs)
    days = f"{use.days_read} days each"
    yield Item(f"queries in Athena, {days}", usage.queries(costs), scanned / 1e12 * prices.athena_tb)
    gets, lists = history.requests(costs) if made else usage.requests(costs, usage.queries(costs) + use.crawls)
    requests = gets / 1000 * prices.s3_get_thousand + lists / 1000 * prices.s3_put_thousand
    yield Item("S3 GETs and LISTs of queries and crawls", round(gets + lists), requests)
    out = use.readers_outside * usage.wire_bytes(costs.stream) / GB
    yield Item("GB to readers outside AWS", round(out), out * prices.out_gb)


def faults(costs: Costs, budget: float, table: Table) -> list[str]:
    """Return the sentence that stops a deployment whose month is above the budget, in US dollars; else nothing."""
    set_to = f"stock_market_monthly_budget_usd is {budget:,.2f}"
    if costs.region not in table.regions:
        known = ", ".join(sorted(table.regions))
        sentence = f"{set_to}, and the price list of {table.as_of} has no prices of {costs.region}, only of {known}"
        return [f"{sentence}: choose one of these, or set no budget."]
    found = items(costs, table)
    if missing := ", ".join(unpriced(found)):
        sentence = f"{set_to}, and the price list of {table.as_of} has no price of {missing}"
        return [f"{sentence}: choose another type, or set no budget."]
    month = total(found)
    if month <= budget:
        return []
    largest = sorted(found, key=lambda item: item.month or 0.0, reverse=True)[:3]
    told = ", ".join(f"{item.name} {item.month:,.2f}" for item in largest)
    sum_of = f"A month comes to about {month:,.2f} US dollars ({costs.region}, list prices of {table.as_of})"
    advice = "Choose fewer or smaller instances or a lower stock_producer_rate, or raise the budget."
    return [f"{sum_of}, and {set_to}; most of it: {told}. {advice}"]
