"""Security groups as packet filters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule

from local_cloud.hosts import firewall
from local_cloud.settings import Settings


def rule(protocol: str, ports: tuple[int, int] | None, *, cidr: str = "", group: str = "") -> SecurityGroupRule:
    first, last = (str(port) for port in ports) if ports else (None, None)
    source = {"GroupId": group} if group else None
    return SecurityGroupRule(None, protocol, "sg-1", first, last, {"CidrIp": cidr} if cidr else None, source)


def group(name: str, *ingress: SecurityGroupRule, egress: tuple[SecurityGroupRule, ...] = ()) -> Any:
    return SimpleNamespace(id=name, ingress_rules=list(ingress), egress_rules=list(egress))


def instance(address: str, *groups: Any) -> Any:
    interface = SimpleNamespace(group_set=list(groups))
    return SimpleNamespace(private_ip_address=address, security_groups=list(groups), nics={0: interface})


def chain(name: str, text: str) -> list[str]:
    body = text.partition(f"chain {name} {{")[2].partition("\n  }")[0]
    return [line.strip() for line in body.splitlines() if line.strip()]


def test_a_port_is_open_to_its_cidr_alone(settings: Settings) -> None:
    host = instance("10.0.0.4", group("sg-1", rule("tcp", (22, 22), cidr="198.18.77.1/32")))
    clauses = chain("input", firewall.rules(host, [host], settings))
    assert clauses[0] == "type filter hook input priority filter; policy drop;"
    assert clauses[-1] == "ip saddr { 198.18.77.1/32 } tcp dport 22 accept"
    assert len(clauses) == 4


def test_a_range_of_ports_and_the_whole_world(settings: Settings) -> None:
    host = instance("10.0.0.4", group("sg-1", rule("udp", (9000, 9100), cidr="0.0.0.0/0")))
    assert "udp dport 9000-9100 accept" in chain("input", firewall.rules(host, [host], settings))


def test_a_source_group_admits_its_members_private_addresses(settings: Settings) -> None:
    inner = group("sg-1", rule("-1", None, group="sg-1"))
    hosts = [instance("10.0.0.4", inner), instance("10.0.0.5", inner), instance("10.0.0.6", group("sg-2"))]
    clauses = chain("input", firewall.rules(hosts[0], hosts, settings))
    assert "ip saddr { 10.0.0.4, 10.0.0.5 } meta l4proto 0-255 accept" in clauses


def test_a_source_group_without_members_admits_nobody(settings: Settings) -> None:
    host = instance("10.0.0.4", group("sg-1", rule("tcp", (9093, 9093), group="sg-9")))
    assert "9093" not in firewall.rules(host, [host], settings)


def test_no_ingress_rule_means_replies_only(settings: Settings) -> None:
    host = instance("10.0.0.4", group("sg-1"))
    assert chain("input", firewall.rules(host, [host], settings))[1:] == [
        "iif lo accept",
        "ct state established,related accept",
    ]


def test_metadata_and_api_stay_in_reach_whatever_egress_says(settings: Settings) -> None:
    host = instance("10.0.0.4", group("sg-1"))
    clauses = chain("output", firewall.rules(host, [host], settings))
    assert "ip daddr 198.18.77.1 tcp dport { 4566, 1338 } accept" in clauses
    assert clauses[0].endswith("policy drop;")


def test_the_usual_egress_rule_opens_the_way_out(settings: Settings) -> None:
    host = instance("10.0.0.4", group("sg-1", egress=(rule("-1", None, cidr="0.0.0.0/0"),)))
    assert chain("output", firewall.rules(host, [host], settings))[-1] == "meta l4proto 0-255 accept"


def test_icmp_of_a_type_and_of_all_types(settings: Settings) -> None:
    rules = (rule("icmp", (8, -1), cidr="10.0.0.0/8"), rule("icmp", (-1, -1), cidr="10.1.0.0/16"))
    host = instance("10.0.0.4", group("sg-1", *rules))
    clauses = chain("input", firewall.rules(host, [host], settings))
    assert "ip saddr { 10.0.0.0/8 } icmp type 8 accept" in clauses
    assert "ip saddr { 10.1.0.0/16 } meta l4proto icmp accept" in clauses


def test_an_ipv6_rule_opens_nothing(settings: Settings) -> None:
    six = SecurityGroupRule(None, "tcp", "sg-1", "22", "22", {"CidrIpv6": "::/0"})
    host = instance("10.0.0.4", group("sg-1", six))
    assert "dport 22 " not in firewall.rules(host, [host], settings)
