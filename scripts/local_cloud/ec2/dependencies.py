"""EC2 deletes no part of a network that something else still needs, and needs some seconds to see that nothing does.

Interfaces of a terminated instance hold their groups, their subnet and their VPC for a while, so that whoever deletes
these at once is refused (https://github.com/hashicorp/terraform/issues/11047). The rules:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html, ..._DeleteSubnet.html,
..._DetachInternetGateway.html and ..._DeleteVpc.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend

from local_cloud import lag
from local_cloud.ec2 import nat_gateways as ec2_nat_gateways
from local_cloud.lag import Remembered
from local_cloud.moto_patch import Ec2Error, wrap


@dataclass(frozen=True)
class _Use:
    """What an interface needs."""

    groups: frozenset[str]
    subnet: str
    vpc: str
    public: bool


# Longer than lists lag, so that a teardown meets it: its next look at the instances comes seconds after their end.
_lingering: Remembered[str, _Use] = Remembered(lambda: 3 * lag.SECONDS)


def linger(instance: Instance) -> None:
    """Hold for a while what the interfaces of an instance that ends have used."""
    for interface in instance.nics.values():
        _lingering.put(interface.id, _use(interface))


def _use(interface: NetworkInterface) -> _Use:
    groups = frozenset(str(group.id) for group in interface.group_set)
    return _Use(groups, interface.subnet.id, interface.subnet.vpc_id, interface.public_ip is not None)


def _uses(backend: EC2Backend) -> Iterator[_Use]:
    ec2_nat_gateways.settle(backend)
    for interface in list(backend.enis.values()):
        yield _use(interface)
    for _, use in _lingering.items():
        yield use


def _groups(backend: EC2Backend) -> list[SecurityGroup]:
    return [group for groups in list(backend.groups.values()) for group in list(groups.values())]


def _violation(message: str) -> Ec2Error:
    return Ec2Error("DependencyViolation", message)


def install() -> None:
    """Have moto refuse it."""

    @wrap(SecurityGroupBackend, "delete_security_group")
    def delete_security_group(self: Any, of_moto: Any, name: str | None = None, group_id: str | None = None) -> None:
        held = next((group for group in _groups(self) if group.id == group_id), None) if group_id else None
        group = held or self.get_security_group_by_name_or_id(name or group_id)
        if group is not None:
            others = [other for other in _groups(self) if other.id != group.id]
            rules = [rule for other in others for rule in (*other.ingress_rules, *other.egress_rules)]
            named = any(rule.source_group.get("GroupId") == group.id for rule in rules)
            if named or any(group.id in use.groups for use in _uses(self)):
                raise _violation(f"resource {group.id} has a dependent object")
        of_moto(name, group_id)

    @wrap(SubnetBackend, "delete_subnet")
    def delete_subnet(self: Any, of_moto: Any, subnet_id: str) -> Any:
        if any(use.subnet == subnet_id for use in _uses(self)):
            raise _violation(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
        return of_moto(subnet_id)

    @wrap(InternetGatewayBackend, "detach_internet_gateway")
    def detach_internet_gateway(self: Any, of_moto: Any, internet_gateway_id: str, vpc_id: str) -> None:
        if any(use.vpc == vpc_id and use.public for use in _uses(self)):
            raise _violation(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before "
                "detaching the gateway."
            )
        of_moto(internet_gateway_id, vpc_id)

    @wrap(VPCBackend, "delete_vpc")
    def delete_vpc(self: Any, of_moto: Any, vpc_id: str) -> Any:
        own = [group for group in list(self.groups.get(vpc_id, {}).values()) if group.name != "default"]
        gateways = [gateway for gateway in list(self.internet_gateways.values()) if gateway.vpc is not None]
        attached = any(gateway.vpc.id == vpc_id for gateway in gateways)
        # gruntwork-io/cloud-nuke#252 shows the refusal of a VPC with nothing in it but endpoints.
        endpoints = any(endpoint.vpc_id == vpc_id for endpoint in self.vpc_end_points.values())
        if own or attached or endpoints or any(use.vpc == vpc_id for use in _uses(self)):
            raise _violation(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        return of_moto(vpc_id)
