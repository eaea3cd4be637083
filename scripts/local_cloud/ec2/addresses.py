"""Public addresses and Elastic IPs of EC2: of the deployment's pool, and in force on the hosts."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Container
from typing import Any

from moto.ec2.models import EC2Backend, ec2_backends, elastic_ip_addresses, elastic_network_interfaces
from moto.ec2.models.elastic_ip_addresses import ElasticAddress, ElasticAddressBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE

from local_cloud.ec2.machines import Machines
from local_cloud.moto_patch import Ec2Error, replace, wrap
from local_cloud.settings import FIRST_PUBLIC, LAST_PUBLIC


class AddressPool:
    """The addresses 198.18.X.10 to 198.18.X.250.

    The pool goes round, so an address that was given back is the last to be given out again: an instance that was
    stopped and started gets another one, as on EC2. Who holds an address is known by EC2's own records alone, so
    nothing can be forgotten here; ``take`` is told what they hold.
    """

    def __init__(self, block: int) -> None:
        self._addresses = [f"198.18.{block}.{last}" for last in range(FIRST_PUBLIC, LAST_PUBLIC + 1)]
        self._next = 0
        self._lock = threading.Lock()

    def __contains__(self, address: str) -> bool:
        return address in self._addresses

    def take(self, in_use: Container[str]) -> str:
        """Return the next address that is not in use; raises Ec2Error if there is none."""
        with self._lock:
            for step in range(len(self._addresses)):
                index = (self._next + step) % len(self._addresses)
                if self._addresses[index] not in in_use:
                    self._next = index + 1
                    return self._addresses[index]
        raise Ec2Error(
            "InsufficientAddressCapacity",
            f"All {len(self._addresses)} public addresses are in use: release an Elastic IP or terminate an instance.",
        )


def backends() -> list[EC2Backend]:
    """EC2's backends of all accounts and regions that were used so far."""
    return [backend for account in list(ec2_backends.values()) for backend in list(account.values())]


def in_use() -> set[str]:
    """Every public address that an Elastic IP or an interface holds."""
    held: set[str] = set()
    for backend in backends():
        held |= {address.public_ip for address in list(backend.addresses)}
        held |= {interface.public_ip for interface in list(backend.enis.values()) if interface.public_ip}
    return held


def elastic_address_of(interface: NetworkInterface) -> ElasticAddress | None:
    """The Elastic IP that is associated with an interface, if any."""
    addresses: list[ElasticAddress] = interface.ec2_backend.addresses
    return next((address for address in addresses if address.eni is interface), None)


def forget(address: ElasticAddress) -> None:
    """Take an Elastic IP from whatever it is associated with, in EC2's records."""
    address.eni = None
    address.instance = None
    address.association_id = None


def install(machines: Machines, pool: AddressPool) -> None:
    """Let EC2 take addresses from the pool, and let the hosts have them."""
    # The type that DescribeTags gives; moto calls it vpc-elastic-ip.
    EC2_PREFIX_TO_RESOURCE["eipalloc"] = "elastic-ip"

    def take() -> str:
        return pool.take(in_use())

    replace(elastic_ip_addresses, "random_ip", take)
    replace(elastic_network_interfaces, "random_public_ip", take)
    replace(NetworkInterface, "check_auto_public_ip", functools.partialmethod(_assign, take))
    replace(NetworkInterface, "stop", _let_go)
    wrap(ElasticAddressBackend, "allocate_address")(functools.partial(_allocate, pool))
    wrap(ElasticAddressBackend, "release_address")(_release)
    wrap(ElasticAddressBackend, "associate_address")(functools.partial(_associate, machines))
    wrap(ElasticAddressBackend, "disassociate_address")(functools.partial(_disassociate, machines))


def _assign(interface: NetworkInterface, take: Callable[[], str]) -> None:
    """An interface has its Elastic IP, or else an address of the pool if it was made to have one."""
    elastic = elastic_address_of(interface)
    if elastic is not None:
        interface.public_ip = elastic.public_ip
    elif str(interface.public_ip_auto_assign).lower() == "true" and interface.public_ip is None:
        interface.public_ip = take()


def _let_go(interface: NetworkInterface) -> None:
    """A stopped instance keeps its Elastic IP and no other public address."""
    if elastic_address_of(interface) is None:
        interface.public_ip = None


def _lost_elastic_address(machines: Machines, interface: NetworkInterface) -> None:
    interface.public_ip = None
    if interface.instance is not None and interface.instance.is_running():
        interface.check_auto_public_ip()
    _refresh(machines, interface)


def _allocate(pool: AddressPool, _: ElasticAddressBackend, of_moto: Any, domain: str, **wanted: Any) -> Any:
    address = wanted.get("address")
    if address is not None and (address not in pool or address in in_use()):
        raise Ec2Error("InvalidAddress.NotFound", f"Address '{address}' is not free in the local cloud's pool.")
    return of_moto(domain, **wanted)


def _associate(machines: Machines, backend: ElasticAddressBackend, of_moto: Any, **wanted: Any) -> ElasticAddress:
    instance = wanted.get("instance") or getattr(wanted.get("eni"), "instance", None)
    if instance is not None and instance.state not in ("running", "stopped"):
        raise Ec2Error(
            "IncorrectInstanceState",
            f"The {instance.state} instance '{instance.id}' is not in a valid state for this operation.",
        )
    before = {address.public_ip: address.eni for address in backend.addresses}
    elastic: ElasticAddress = of_moto(**wanted)
    interface: Any = elastic.eni
    elastic.instance = interface.instance
    for other in backend.addresses:
        if other is not elastic and other.eni is interface:
            forget(other)
    earlier: Any = before[elastic.public_ip]
    if earlier is not None and earlier is not interface:
        _lost_elastic_address(machines, earlier)
    _refresh(machines, interface)
    return elastic


def _disassociate(
    machines: Machines,
    backend: ElasticAddressBackend,
    of_moto: Any,
    address: str | None = None,
    association_id: str | None = None,
) -> None:
    found = backend.address_by_ip([address]) if address else backend.address_by_association([str(association_id)])
    interface: Any = found[0].eni
    forget(found[0])
    of_moto(address=found[0].public_ip)
    if interface is not None:
        _lost_elastic_address(machines, interface)


def _release(
    backend: ElasticAddressBackend, of_moto: Any, address: str | None = None, allocation_id: str | None = None
) -> None:
    """An associated address of a VPC is refused, until it is disassociated or its instance is terminated.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html
    """
    found = backend.address_by_ip([address]) if address else backend.address_by_allocation([str(allocation_id)])
    if found[0].association_id is not None:
        raise Ec2Error("InvalidIPAddress.InUse", f"Address {found[0].public_ip} is in use.")
    of_moto(address=address, allocation_id=allocation_id)


def _refresh(machines: Machines, interface: NetworkInterface) -> None:
    if interface.instance is not None:
        machines.refresh_address(interface.instance)
