"""The one screen of `make plan`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from stock_market_ops.common import tables
from stock_market_ops.plan import bill, prices, usage
from stock_market_ops.plan import obstacles as judge
from stock_market_ops.plan.facts import Declared, Facts, History, Rights

_LABEL_WIDTH = 11
_WIDTH = 120
_MAX_DENIED = 40
_CATALOG = {True: "IAM alone decides about it", False: "Lake Formation decides about it too", None: ""}


def render(facts: Facts, table: prices.Table, in_the_way: list[str]) -> str:
    """Lay out what was found, what it costs, and at the end what is in the way."""
    return "\n".join(_lines(facts, table, in_the_way)) + "\n"


def _line(label: str, text: str) -> str:
    """Lay out text beside its label, on as many lines as it takes."""
    return textwrap.fill(
        f"{label:<{_LABEL_WIDTH}}{text}", _WIDTH, subsequent_indent=" " * _LABEL_WIDTH, break_on_hyphens=False
    )


def _below(label: str, texts: Iterable[str]) -> Iterator[str]:
    """Lay out texts below each other, the first one beside their label."""
    for text in texts:
        yield _line(label, text)
        label = ""


def _lines(facts: Facts, table: prices.Table, in_the_way: list[str]) -> Iterator[str]:
    where = f"the local cloud, {facts.endpoint_url}" if facts.endpoint_url else f"AWS, {facts.region}"
    yield _line("plan", f"{facts.deployment} on {where}; nothing is created or changed")
    if facts.cloud_answers:
        yield _line("identity", f"account {facts.account}, {facts.caller}")
        yield from rights(facts.rights)
        yield _line("region", f"{facts.region}: {', '.join(facts.zones) or 'zones unknown'}")
        image = facts.image
        told = f"{image['name']}, {image['id']}, {image['architecture']}" if image else "none"
        yield _line("image", told)
    else:
        yield _line("identity", "not known: the local cloud does not run, and so nothing is in it; site.yml starts it")
    yield from _below("instances", (_instance(facts, instance) for instance in facts.instances))
    if facts.access == "ssm":
        yield _line("access", "SSH through Session Manager; no inbound port for it")
    if facts.costs.nat_gateways:
        yield _line("subnets", "private: no instance has a public address; Kafka's clients need a way into the VPC")
    yield from _below("replay", facts.market_data)
    if facts.history is not None:
        yield _line("history", _history(facts.history))
    yield from _below("quotas", _quotas(facts))
    if facts.cloud_answers:
        yield from _below("names", _names(facts))
        yield _line("catalog", _CATALOG[facts.lake_formation.iam_alone] or facts.lake_formation.unknown)
    yield ""
    yield from _cost(facts, table)
    yield ""
    if not in_the_way:
        yield "Nothing stands in the way of site.yml."
        return
    yield "In the way:"
    for sentence in in_the_way:
        yield textwrap.fill(f"  - {sentence}", _WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def rights(found: Rights) -> Iterator[str]:
    """Lay out what IAM denies, a line each."""
    label = "rights"
    if not found.denied and not found.unknown:
        root = found.principal.endswith(":root")
        yield _line(label, "the account itself may do everything" if root else "IAM allows all that make up needs")
        return
    for one in found.denied[:_MAX_DENIED]:
        yield f"{label:<{_LABEL_WIDTH}}denied: {one.action} on {one.resource}"
        label = ""
    if len(found.denied) > _MAX_DENIED:
        yield f"{'':<{_LABEL_WIDTH}}and {len(found.denied) - _MAX_DENIED} more"
    for reason in found.unknown:
        yield _line(label, f"not all is known: {reason}")
        label = ""


def _instance(facts: Facts, instance: Declared) -> str:
    there = next((found for found in facts.existing if found.name == instance.name), None)
    state = f"{there.state}, {there.id}" if there else "new"
    known = facts.instance_types.get(instance.type)
    size = f" ({known.vcpus} vCPUs, {known.memory_mib:,} MiB)" if known else ""
    heaps = ", ".join(f"{service} {size} MB" for service, size in facts.heap_mb(instance).items())
    services = ", ".join(instance.services)
    jvms = f"; heaps {heaps}" if heaps else ""
    return f"{instance.name} {instance.type}{size} in {instance.zone}: {services}{jvms}; {state}"


def _history(history: History) -> str:
    rate = f"{history.rate:,.0f} records/s of about {history.bytes_per_record} bytes on disk"
    kept = "all of it for ever" if history.hours < 0 else f"{history.hours:,.0f} hours"
    bound = "without a bound in bytes"
    if history.retention_bytes >= 0:
        size = history.retention_bytes / (1 << 20)
        bound = f"at most {size:,.0f} MiB a partition (retention.bytes, by volumes of {history.volume_gib:g} GiB)"
    less = ""
    if history.hours >= 0 and (history.wanted_hours < 0 or history.hours < history.wanted_hours):
        wanted = f"{history.wanted_hours:,.0f} hours" if history.wanted_hours >= 0 else "everything"
        advice = "a larger instances_volume_size or a lower stock_producer_rate keeps more"
        less = f"; retention.ms would keep {wanted}: {advice}"
    return f"Kafka keeps {kept} of {history.topic} at {rate}, {bound}{less}"


def _quotas(facts: Facts) -> Iterator[str]:
    more = judge.needed(facts)
    for name, quota in facts.quotas.items():
        limit = "a limit that is not known" if quota.limit is None else str(quota.limit)
        wanted = "not known" if more[name] is None else more[name]
        yield f"{judge.QUOTAS[name]}: {quota.used} used of {limit}, {wanted} more needed"
    for reason in dict.fromkeys(quota.unknown for quota in facts.quotas.values() if quota.unknown):
        yield f"limits: {reason}"


def _names(facts: Facts) -> Iterator[str]:
    states: dict[str, list[str]] = {}
    for name, bucket in facts.buckets.items():
        own = bucket.bare or bucket.tags.get("Deployment") == facts.deployment
        state = "free" if bucket.state == "absent" else "this deployment's" if own else "taken"
        states.setdefault(state, []).append(f"bucket {name}")
    said = {"own": "this deployment's", "unknown": "not known"}
    database = said.get(facts.database_state, facts.database_state)
    states.setdefault(database, []).append(f"database {facts.database}")
    for found in facts.names:
        state = said.get(found.state, found.state)
        states.setdefault(state, []).append(f"{found.kind.replace('-', ' ')} {found.name}")
    yield from (f"{state}: {', '.join(names)}" for state, names in states.items())


def _cost(facts: Facts, table: prices.Table) -> Iterator[str]:
    costs = facts.costs
    if costs.region not in table.regions:
        known = ", ".join(sorted(table.regions))
        yield _line("cost", f"no price for {costs.region}: the table of {table.as_of} has {known} only")
        return
    heading = "nothing here; on AWS it would be" if facts.endpoint_url else "by list prices"
    rate = f"at {costs.stream.rate:g} records/s"
    yield _line("cost", f"{heading}, {costs.region}, US dollars of {table.as_of}, without tax, {rate}")
    found = bill.items(costs, table)
    rows: list[dict[str, tables.Value]] = [
        {
            "item": item.name,
            "count": item.count,
            "an hour": _money(item.hour, 4),
            "a day": _money(item.day, 3),
            "a month": _money(item.month, 2),
        }
        for item in found
    ]
    month = bill.total(found)
    name = "sum without what has no price" if bill.unpriced(found) else "sum"
    hour = month / usage.HOURS_A_MONTH
    day = month / usage.DAYS_A_MONTH
    rows.append(
        {"item": name, "count": None, "an hour": _money(hour, 4), "a day": _money(day, 3), "a month": _money(month, 2)}
    )
    for line in tables.render(["item", "count", "an hour", "a day", "a month"], rows).splitlines():
        yield " " * _LABEL_WIDTH + line
    if saves := bill.history_saves(costs, table):
        yield _line("", saves)
    yield _line("", bill.FREE)
    yield _line("source", table.source)


def _money(amount: float | None, decimals: int) -> str:
    return "no price" if amount is None else f"{amount:,.{decimals}f}"
