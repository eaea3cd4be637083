"""NAT gateways: pending before they are available, and holding address, subnet and VPC until they are deleted.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html has the states and the reasons of a failure,
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html what to do about them.
"""

from __future__ import annotations

import inspect
from typing import Any

from moto.ec2.models import nat_gateways
from moto.ec2.models.elastic_ip_addresses import ElasticAddress, ElasticAddressBackend
from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend
from moto.ec2.models.route_tables import RouteBackend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE

from local_cloud import lag
from local_cloud.lag import Remembered
from local_cloud.moto_patch import Ec2Error, replace, wrap

# What AWS says to whoever touches the address of a NAT gateway: https://github.com/kubernetes/kops/issues/938
_NOT_YOURS = "You do not have permission to access the specified resource."
# Interfaces of deleted gateways, by the address that they had: those of which nobody was told yet, and the others.
_untold: dict[str, str] = {}
_lingering: Remembered[str, str] = Remembered()


def settle(backend: Any) -> None:
    """Move every gateway that has been long enough in a state to the next one."""
    for gateway in list(backend.nat_gateways.values()):
        if gateway.state == "pending" and lag.clock() >= gateway.due:
            gateway.state = "failed" if gateway.failure_code else "available"
        if gateway.state == "deleting" and lag.clock() >= gateway.due:
            _end(backend, gateway)


def refuse_address(backend: Any, address: ElasticAddress) -> None:
    """Refuse to change an address that a gateway has, or had a moment ago.

    For a while after the end of the gateway, EC2 names the interface that is gone. Here the while begins with the first
    call, so that every program meets it: https://github.com/hashicorp/terraform-provider-aws/issues/49299
    """
    settle(backend)
    there = [one for one in backend.nat_gateways.values() if one.state in ("pending", "available", "deleting")]
    if any(gateway._eni is address.eni for gateway in there):
        raise Ec2Error("AuthFailure", _NOT_YOURS)
    if address.public_ip in _untold:
        _lingering.put(address.public_ip, _untold.pop(address.public_ip))
    interface = _lingering.get(address.public_ip)
    if interface is not None:
        raise Ec2Error("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{interface}' does not exist")


def _end(backend: Any, gateway: Any) -> None:
    """Give back the address and the interface."""
    gateway.state = "deleted"
    for address in backend.addresses:
        if address.eni is gateway._eni:
            address.eni = address.association_id = None
            _untold[address.public_ip] = gateway._eni.id
    backend.enis.pop(gateway._eni.id, None)


def _failure(backend: Any, vpc_id: str, address: ElasticAddress) -> tuple[str, str] | None:
    """Why a gateway can't become available, as code and message."""
    gateways = [one for one in backend.internet_gateways.values() if one.vpc is not None]
    if not any(one.vpc.id == vpc_id for one in gateways):
        return "Gateway.NotAttached", f"Network {vpc_id} has no Internet gateway attached"
    if address.association_id is not None:
        held = f"Elastic IP address {address.allocation_id} is already associated"
        return "Resource.AlreadyAssociated", held
    return None


def _create(
    backend: Any,
    of_moto: Any,
    *,
    subnet_id: str,
    allocation_id: str | None,
    tags: dict[str, str] | None = None,
    connectivity_type: str | None = None,
) -> Any:
    if connectivity_type == "private":
        raise Ec2Error("UnsupportedOperation", "The local cloud has public NAT gateways only.")
    if not allocation_id:
        raise Ec2Error("MissingParameter", "The request must contain the parameter AllocationId")
    settle(backend)
    (address,) = backend.address_by_allocation([allocation_id])
    failure = _failure(backend, backend.get_subnet(subnet_id).vpc_id, address)
    made: Any = of_moto(subnet_id, "" if failure else allocation_id, tags, "public")
    made._eni.description = f"Interface for NAT Gateway {made.id}"
    made.private_ip = made._eni.private_ip_address
    made.failure_code, made.failure_message = failure or (None, None)
    made.state, made.due = "pending", lag.clock() + lag.SECONDS
    if failure:
        backend.enis.pop(made._eni.id, None)
    return made


def _delete(backend: Any, nat_gateway_id: str) -> Any:
    gateway: Any = _existing(backend, nat_gateway_id)
    if gateway.state == "failed":
        gateway.state = "deleted"
    elif gateway.state != "deleted":
        gateway.state, gateway.due = "deleting", lag.clock() + lag.SECONDS
    return gateway


def _existing(backend: Any, identifier: str) -> Any:
    settle(backend)
    if identifier not in backend.nat_gateways:
        raise Ec2Error("NatGatewayNotFound", f"The Nat Gateway {identifier} was not found")
    return backend.nat_gateways[identifier]


def _describe(
    backend: Any, of_moto: Any, filters: dict[str, list[str]] | None, nat_gateway_ids: list[str] | None
) -> list[NatGateway]:
    settle(backend)
    for identifier in nat_gateway_ids or []:
        _existing(backend, identifier)
    # moto knows no filters by tag.
    by_tag = {name: values for name, values in (filters or {}).items() if name.startswith("tag:")}
    return [
        gateway
        for gateway in of_moto(filters, nat_gateway_ids)
        if all(backend.tags.get(gateway.id, {}).get(name[4:]) in values for name, values in by_tag.items())
    ]


def _only_there(backend: Any, of_moto: Any, *args: Any, **options: Any) -> Any:
    """A call that makes or changes a route, which leads to no gateway that is not there."""
    identifier = inspect.signature(of_moto).bind(*args, **options).arguments.get("nat_gateway_id")
    settle(backend)
    there = [one.id for one in backend.nat_gateways.values() if one.state in ("pending", "available")]
    if identifier is not None and identifier not in there:
        raise Ec2Error("InvalidNatGatewayID.NotFound", f"The natGateway ID '{identifier}' does not exist")
    return of_moto(*args, **options)


def _refusing(backend: Any, of_moto: Any, *args: Any, **options: Any) -> Any:
    """A call that takes an address from what has it, which a NAT gateway does not let go."""
    for address in backend.addresses:
        if {address.public_ip, address.association_id, address.allocation_id} & {*args, *options.values()} - {None}:
            refuse_address(backend, address)
    return of_moto(*args, **options)


def install() -> None:
    """Have moto's EC2 keep NAT gateways as EC2 does."""
    # The type that DescribeTags gives; moto calls it nat-gateway.
    EC2_PREFIX_TO_RESOURCE["nat"] = "natgateway"
    # An address of the subnet, not any.
    replace(nat_gateways, "random_private_ip", lambda: None)
    wrap(NatGatewayBackend, "create_nat_gateway")(_create)
    replace(NatGatewayBackend, "delete_nat_gateway", _delete)
    wrap(NatGatewayBackend, "describe_nat_gateways")(_describe)
    for name in ("create_route", "replace_route"):
        wrap(RouteBackend, name)(_only_there)
    for name in ("release_address", "disassociate_address"):
        wrap(ElasticAddressBackend, name)(_refusing)
