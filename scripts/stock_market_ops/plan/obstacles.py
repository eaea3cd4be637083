"""What stands in the way of a deployment, each in one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator

from stock_market_ops.plan.facts import Facts, Rights

MAX_HEAP_SHARE = 0.5
"""Share of an instance's memory that heaps may take; page cache, the JVMs, services and Debian need the rest."""

QUOTAS = {
    "vcpus": "vCPUs of running on-demand standard instances",
    "elastic_ips": "Elastic IPs",
    "vpcs": "VPCs",
}
"""What each quota counts."""


def needed(facts: Facts) -> dict[str, int | None]:
    """Return how much more of each quota site.yml takes; None where a type is not known."""
    new = facts.new()
    stopped = [there for there in facts.existing if there.state in ("stopping", "stopped")]
    types = [instance.type for instance in new] + [there.type for there in stopped]
    known = all(name in facts.instance_types for name in types)
    addresses = facts.costs.nat_gateways or (len(facts.instances) if facts.elastic_ip else 0)
    return {
        "vcpus": sum(facts.instance_types[name].vcpus for name in types) if known else None,
        "elastic_ips": max(0, addresses - facts.resources.count("elastic-ip")),
        "vpcs": 0 if "vpc" in facts.resources else 1,
    }


def obstacles(facts: Facts) -> list[str]:
    """Return all that stands in the way; nothing where site.yml could go on."""
    return [
        *rights(facts.rights),
        *facts.obstacles,
        *_memory(facts),
        *_quotas(facts),
        *_names(facts),
        *_lake_formation(facts),
    ]


def rights(found: Rights) -> Iterator[str]:
    """Return what to do about what IAM denies; nothing where it denies nothing."""
    if found.denied:
        names = ", ".join(f"operator_{name}.json" for name in dict.fromkeys(one.policy for one in found.denied))
        yield (
            f"IAM denies {len(found.denied)} rights that make up needs, listed above: write the policies that give "
            f"them with `make policies`, and have an administrator attach {names} to {found.principal} (docs/iam.md)."
        )


def _memory(facts: Facts) -> Iterator[str]:
    for instance in facts.instances:
        heaps = facts.heap_mb(instance)
        if not heaps:
            continue
        memory = facts.instance_types[instance.type].memory_mib
        if sum(heaps.values()) > memory * MAX_HEAP_SHARE:
            named = " and ".join(f"{size} MB for {service}" for service, size in heaps.items())
            yield (
                f"The instance {instance.name} is a {instance.type} with {memory} MiB of memory, and heaps would take "
                f"{named}, more than half of it: choose a larger type, or move a service to an instance of its own."
            )


def _quotas(facts: Facts) -> Iterator[str]:
    more = needed(facts)
    for name, quota in facts.quotas.items():
        wanted = more[name]
        if quota.limit is not None and wanted is not None and quota.used + wanted > quota.limit:
            yield (
                f"The account may have {quota.limit} {QUOTAS[name]} in {facts.region}, has {quota.used} and needs "
                f"{wanted} more: release what is not in use, or ask Service Quotas for more ({quota.code})."
            )


def _names(facts: Facts) -> Iterator[str]:
    for name in facts.names:
        if name.state == "taken":
            kind = name.kind.replace("-", " ")
            yield (
                f"The {kind} {name.name} is there already and does not carry the deployment's tags: remove it, or give "
                "this deployment another name in STOCK_MARKET_DEPLOYMENT."
            )


def _lake_formation(facts: Facts) -> Iterator[str]:
    # What is there already keeps the rights that it was made with.
    if facts.lake_formation.iam_alone is False and facts.database_state != "own":
        yield (
            f"Lake Formation, not IAM alone, decides about new databases and tables in {facts.region}, so Glue and "
            "Athena would refuse what the roles here may do: in Lake Formation's console, Data Catalog settings, tick "
            "'Use only IAM access control' for new databases and for new tables, or use another region or account."
        )
