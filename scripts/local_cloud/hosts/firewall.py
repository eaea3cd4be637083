"""Security groups as packet filters of the hosts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupRule

from local_cloud.settings import API_PORT, METADATA_PORT, Settings

_ICMP = ("icmp", "1")


def groups_of(instance: Instance) -> list[SecurityGroup]:
    """The security groups that are in force for an instance: its own, and its interface's."""
    found = {group.id: group for group in instance.security_groups}
    for interface in instance.nics.values():
        found |= {group.id: group for group in interface.group_set}
    return [found[key] for key in sorted(found)]


def rules(instance: Instance, others: Sequence[Instance], settings: Settings) -> str:
    """Return the nft rules of one host.

    A rule that names a security group admits the private addresses of its members, as on EC2. Replies are always
    admitted, and so are the instance metadata and the API, which on AWS are no matter of a group's ingress.
    """
    members = _members(others)
    groups = groups_of(instance)
    ingress = _clauses((rule for group in groups for rule in group.ingress_rules), "saddr", members)
    egress = _clauses((rule for group in groups for rule in group.egress_rules), "daddr", members)
    always = f"ip daddr {settings.gateway_address} tcp dport {{ {API_PORT}, {METADATA_PORT} }} accept"
    return _ruleset(ingress, [always, *egress])


def _members(instances: Iterable[Instance]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    for instance in instances:
        for group in groups_of(instance):
            members.setdefault(str(group.id), []).append(str(instance.private_ip_address))
    return members


def _ruleset(ingress: list[str], egress: list[str]) -> str:
    lines = ["table ip groups", "delete table ip groups", "table ip groups {"]
    for chain, clauses, own in (("input", ingress, "iif lo accept"), ("output", egress, "oif lo accept")):
        lines += [f"  chain {chain} {{", f"    type filter hook {chain} priority filter; policy drop;"]
        lines += [f"    {clause}" for clause in (own, "ct state established,related accept", *clauses)]
        lines.append("  }")
    lines.append("}")
    return "\n".join(lines) + "\n"


def _clauses(rules_: Iterable[SecurityGroupRule], direction: str, members: dict[str, list[str]]) -> list[str]:
    admitted = [(rule, peers) for rule in rules_ if (peers := _peers(rule, members))]
    clauses = [f"{_addresses(direction, peers)}{_protocol(rule)} accept" for rule, peers in admitted]
    return list(dict.fromkeys(clauses))


def _peers(rule: SecurityGroupRule, members: dict[str, list[str]]) -> list[str]:
    """The addresses that a rule names; none for IPv6 and for prefix lists, of which the local cloud has none."""
    if rule.source_group:
        return sorted(set(members.get(str(rule.source_group.get("GroupId")), [])))
    cidr = rule.ip_range.get("CidrIp")
    return [cidr] if cidr else []


def _addresses(direction: str, peers: list[str]) -> str:
    if peers == ["0.0.0.0/0"]:
        return ""
    return f"ip {direction} {{ {', '.join(peers)} }} "


def _protocol(rule: SecurityGroupRule) -> str:
    protocol = str(rule.ip_protocol)
    if protocol == "-1":
        return "meta l4proto 0-255"
    if protocol in _ICMP:
        return "meta l4proto icmp" if rule.from_port in (None, -1) else f"icmp type {rule.from_port}"
    if protocol not in ("tcp", "udp"):
        return f"meta l4proto {protocol}"
    first, last = rule.from_port, rule.to_port
    if first in (None, -1):
        return f"meta l4proto {protocol}"
    return f"{protocol} dport {first}" if first == last else f"{protocol} dport {first}-{last}"
