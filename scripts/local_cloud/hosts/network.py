"""The deployment's network: a bridge, a way out, and each host's cable and addresses.

Nothing of podman's networks is used: hosts have two addresses of two networks, and an Elastic IP moves between running
hosts.
"""

from __future__ import annotations

import json

from local_cloud.hosts.commands import run
from local_cloud.settings import API_PORT, METADATA_PORT, Settings


def forwarding_rules(settings: Settings) -> str:
    """The nft table on this machine.

    Hosts reach the world behind this machine's address, and of this machine itself the API and the instance metadata
    alone; another deployment's hosts they don't reach at all.
    """
    bridge, gateway = settings.bridge, settings.gateway_address
    return f"""\
table ip {bridge} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr {settings.public_network} oifname != "{bridge}" masquerade
  }}
  chain forward {{
    type filter hook forward priority filter;
    iifname "{bridge}" oifname != "{bridge}" ip daddr {{ 127.0.0.0/8, 198.18.0.0/15 }} drop
  }}
  chain input {{
    type filter hook input priority filter;
    iifname != "{bridge}" accept
    ct state established,related accept
    ip daddr {gateway} tcp dport {{ {API_PORT}, {METADATA_PORT} }} accept
    ip daddr {gateway} icmp type echo-request accept
    drop
  }}
}}
"""


def up(settings: Settings) -> None:
    """Lay the bridge with this machine's address on it, and the way out."""
    bridge = settings.bridge
    run(["ip", "link", "add", bridge, "type", "bridge"])
    run(["ip", "link", "set", bridge, "alias", f"{settings.deployment} {settings.state_dir}"[:255]])
    run(["ip", "address", "add", f"{settings.gateway_address}/24", "dev", bridge])
    # Hosts have no IPv6, not even of the link: the packet filters that stand for security groups are of IPv4.
    run(["ip", "link", "set", bridge, "addrgenmode", "none", "up"])
    # Left on at the end: another program of this machine may have come to need it.
    run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
    run(["nft", "-f", "-"], stdin=forwarding_rules(settings))


def down(settings: Settings) -> list[str]:
    """Remove bridge, cables and rules, whoever left them; return what there was."""
    removed = []
    if run(["nft", "list", "table", "ip", settings.bridge], check=False).returncode == 0:
        run(["nft", "delete", "table", "ip", settings.bridge])
        removed.append(f"nft table {settings.bridge}")
    for link in json.loads(run(["ip", "-json", "link", "show"]).stdout):
        name = str(link["ifname"])
        if name == settings.bridge or name.startswith(f"{settings.bridge}-"):
            run(["ip", "link", "delete", name], check=False)
            removed.append(f"link {name}")
    return removed


def cable_name(settings: Settings, instance_id: str) -> str:
    """The name of this machine's end of a host's cable."""
    # An interface's name has 15 characters at most.
    return f"{settings.bridge}-{instance_id[-8:]}"


def plug(settings: Settings, pid: int, instance_id: str, mac: str, private_interface: str) -> None:
    """Connect a host that has just been created: eth0 is there before its first process, `pid`, runs anything.

    `private_interface` is its private address with the VPC's prefix, as in 10.0.1.4/16.
    """
    name = cable_name(settings, instance_id)
    run(["ip", "link", "delete", name], check=False)
    run(["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid)])
    run(["ip", "link", "set", name, "addrgenmode", "none", "master", settings.bridge, "up"])
    batch = [
        "link set lo up",
        f"link set eth0 address {mac}",
        "link set eth0 addrgenmode none up",
        f"address add {private_interface} dev eth0",
    ]
    _in_host(pid, batch)


def set_public_address(settings: Settings, pid: int, address: str | None) -> None:
    """Give a running host this public address instead of the one it has; None takes it and the way out away."""
    batch = [f"address flush dev eth0 to {settings.public_network}"]
    if address is not None:
        batch += [
            f"address add {address}/24 dev eth0",
            f"route replace default via {settings.gateway_address} src {address}",
        ]
    _in_host(pid, batch)


def forget_neighbour(settings: Settings, address: str, pids: list[int]) -> None:
    """Make this machine and the hosts ask again which host has an address that has just moved."""
    run(["ip", "neighbour", "flush", "to", address, "dev", settings.bridge], check=False)
    for pid in pids:
        run(["nsenter", "-t", str(pid), "-n", "ip", "neighbour", "flush", "to", address], check=False)


def _in_host(pid: int, batch: list[str]) -> None:
    run(["nsenter", "-t", str(pid), "-n", "ip", "-batch", "-"], stdin="\n".join(batch) + "\n")


def apply_firewall(pid: int, rules: str) -> None:
    """Replace the packet filter that stands for a host's security groups.

    It lies in the host's network namespace: a guest's root, unlike an EC2 instance's, could take it away.
    """
    run(["nsenter", "-t", str(pid), "-n", "nft", "-f", "-"], stdin=rules)
