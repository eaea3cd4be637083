"""EC2's calls act on real hosts: what moto only writes down happens here.

moto keeps the records (ids, tags, filters, errors); these functions take the place of the few methods at which a record
would have to become a fact.
"""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Callable
from typing import Any

from moto.ec2 import ec2_backends
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend, elastic_ip_addresses, elastic_network_interfaces
from moto.ec2.models.elastic_ip_addresses import ElasticAddress, ElasticAddressBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation
from moto.ec2.models.security_groups import SecurityGroupBackend

from local_cloud.addresses import AddressPool, NoAddressLeftError
from local_cloud.machines import Machines

LOG = logging.getLogger(__name__)

_FILTER_CALLS = (
    "authorize_security_group_ingress",
    "authorize_security_group_egress",
    "revoke_security_group_ingress",
    "revoke_security_group_egress",
    "modify_security_group_rules",
)


def replace(owner: object, name: str, function: Callable[..., Any]) -> None:
    """Put a function in the place of one of moto's."""
    if not hasattr(owner, name):
        raise AttributeError(f"this moto has no {owner}.{name}")
    setattr(owner, name, function)


def install(machines: Machines, pool: AddressPool) -> None:
    """Tie moto's EC2 to the hosts."""
    _install_addresses(machines, pool)
    _install_instances(machines)
    _install_groups(machines)


def backends() -> list[EC2Backend]:
    """EC2's backends of all accounts and regions that were used so far."""
    return [backend for account in list(ec2_backends.values()) for backend in list(account.values())]


def addresses_in_use() -> set[str]:
    """Every public address that an Elastic IP or an interface holds."""
    held: set[str] = set()
    for backend in backends():
        held |= {address.public_ip for address in backend.addresses}
        held |= {interface.public_ip for interface in list(backend.enis.values()) if interface.public_ip}
    return held


def elastic_address_of(interface: NetworkInterface) -> ElasticAddress | None:
    """The Elastic IP that is associated with an interface, if any."""
    for address in interface.ec2_backend.addresses:
        if address.eni is interface:
            found: ElasticAddress = address
            return found
    return None


def _install_addresses(machines: Machines, pool: AddressPool) -> None:
    def take() -> str:
        try:
            return pool.take(addresses_in_use())
        except NoAddressLeftError as error:
            raise EC2ClientError("InsufficientAddressCapacity", str(error)) from error

    def assign(self: NetworkInterface) -> None:
        elastic = elastic_address_of(self)
        if elastic is not None:
            self.public_ip = elastic.public_ip
        elif str(self.public_ip_auto_assign).lower() == "true" and self.public_ip is None:
            self.public_ip = take()

    def stop(self: NetworkInterface) -> None:
        if elastic_address_of(self) is None:
            self.public_ip = None

    allocate = ElasticAddressBackend.allocate_address
    associate = ElasticAddressBackend.associate_address
    disassociate = ElasticAddressBackend.disassociate_address

    def allocate_address(
        self: ElasticAddressBackend, domain: str, address: str | None = None, tags: dict[str, str] | None = None
    ) -> ElasticAddress:
        if address is not None and (address not in pool or address in addresses_in_use()):
            raise EC2ClientError(
                "InvalidAddress.NotFound", f"Address '{address}' is not free in the local cloud's pool."
            )
        return allocate(self, domain, address=address, tags=tags)

    def associate_address(self: ElasticAddressBackend, *args: Any, **kwargs: Any) -> ElasticAddress:
        instance = kwargs.get("instance") or getattr(kwargs.get("eni"), "instance", None)
        if instance is not None and instance.state not in ("running", "stopped"):
            raise EC2ClientError(
                "IncorrectInstanceState",
                f"The {instance.state} instance '{instance.id}' is not in a valid state for this operation.",
            )
        before = {address.public_ip: address.eni for address in self.addresses}
        elastic = associate(self, *args, **kwargs)
        interface = elastic.eni
        assert interface is not None
        elastic.instance = interface.instance
        for other in self.addresses:
            if other is not elastic and other.eni is interface:
                other.eni = other.instance = other.association_id = None
        earlier = before[elastic.public_ip]
        if earlier is not None and earlier is not interface:
            _lost_its_address(earlier)
            if earlier.instance is not None:
                machines.refresh_address(earlier.instance)
        if interface.instance is not None:
            machines.refresh_address(interface.instance)
        return elastic

    def disassociate_address(
        self: ElasticAddressBackend, address: str | None = None, association_id: str | None = None
    ) -> None:
        found = self.address_by_ip([address]) if address else self.address_by_association([str(association_id)])
        instance = found[0].instance
        interface = found[0].eni
        found[0].eni = None
        if interface is not None:
            _lost_its_address(interface)
        disassociate(self, address=found[0].public_ip)
        if instance is not None:
            machines.refresh_address(instance)

    replace(elastic_ip_addresses, "random_ip", take)
    replace(elastic_network_interfaces, "random_public_ip", take)
    replace(NetworkInterface, "check_auto_public_ip", assign)
    replace(NetworkInterface, "stop", stop)
    replace(ElasticAddressBackend, "allocate_address", allocate_address)
    replace(ElasticAddressBackend, "associate_address", associate_address)
    replace(ElasticAddressBackend, "disassociate_address", disassociate_address)


def _lost_its_address(interface: NetworkInterface) -> None:
    """An interface whose Elastic IP went away gets an address of the pool again if its subnet gives one."""
    interface.public_ip = None
    if interface.instance is not None and interface.instance.is_running():
        interface.check_auto_public_ip()


def memory_of(instance_type: str) -> int:
    """An instance type's memory in MiB; raises EC2's own error for a type that the hosts can't be."""
    described = INSTANCE_TYPES.get(instance_type)
    if described is None:
        raise EC2ClientError("InvalidInstanceType", f"The instance type '{instance_type}' does not exist")
    architectures = described["ProcessorInfo"]["SupportedArchitectures"]
    if "x86_64" not in architectures:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The architecture 'x86_64' of the specified image does not match '{architectures[0]}' of '{instance_type}'.",
        )
    return int(described["MemoryInfo"]["SizeInMiB"])


def _install_instances(machines: Machines) -> None:
    run_instances_of_moto = InstanceBackend.run_instances
    terminate_of_moto = Instance.terminate

    def run_instances(
        self: EC2Backend, image_id: str, count: int, user_data: Any, security_group_names: list[str], **kwargs: Any
    ) -> Reservation:
        _refuse_what_hosts_have_not(user_data, kwargs)
        memory = memory_of(str(kwargs["instance_type"]))
        key_name = kwargs.get("key_name")
        reservation = run_instances_of_moto(self, image_id, count, user_data, security_group_names, **kwargs)
        specified = {int(nic.get("DeviceIndex", 0)): nic for nic in kwargs.get("nics") or []}
        for instance in reservation.instances:
            for index, interface in instance.nics.items():
                # EC2's default for an interface that RunInstances makes; moto's is to keep it.
                if specified.get(index, {}).get("DeleteOnTermination") is None:
                    interface.delete_on_termination = True
            public_key = self.key_pairs[key_name].public_key if key_name else None
            machines.launch(instance, memory, public_key, functools.partial(_finish, instance, terminate_of_moto))
        return reservation

    def start(self: Instance) -> InstanceState:
        previous = _state_for(self, {"running", "pending", "stopped"}, "started")
        if previous.name == "stopped":
            for interface in self.nics.values():
                interface.start()
            machines.start(self)
        return previous

    def stop(self: Instance) -> InstanceState:
        previous = _state_for(self, {"running", "pending", "stopping", "stopped"}, "stopped")
        if previous.name in ("running", "pending"):
            for interface in self.nics.values():
                interface.stop()
            machines.stop(self)
        return previous

    def terminate(self: Instance) -> InstanceState:
        previous = copy.copy(self._state)
        if previous.name not in ("shutting-down", "terminated"):
            machines.terminate(self)
        return previous

    def reboot(self: Instance) -> None:
        _state_for(self, {"running"}, "rebooted")
        machines.reboot(self)

    replace(InstanceBackend, "run_instances", run_instances)
    replace(Instance, "start", start)
    replace(Instance, "stop", stop)
    replace(Instance, "terminate", terminate)
    replace(Instance, "reboot", reboot)


def _finish(instance: Instance, terminate_of_moto: Callable[[Instance], InstanceState]) -> None:
    for interface in instance.nics.values():
        elastic = elastic_address_of(interface)
        if elastic is not None:
            elastic.eni = elastic.instance = elastic.association_id = None
        interface.public_ip = None
    terminate_of_moto(instance)


def _state_for(instance: Instance, allowed: set[str], verb: str) -> InstanceState:
    if instance.state not in allowed:
        raise EC2ClientError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can be {verb}: it is {instance.state}.",
        )
    return copy.copy(instance._state)


def _refuse_what_hosts_have_not(user_data: Any, kwargs: dict[str, Any]) -> None:
    refused = {
        "user data (there is no cloud-init)": user_data,
        "launch templates": kwargs.get("launch_template"),
        "IPv6": kwargs.get("ipv6_address_count"),
        "spot instances": kwargs.get("instance_market_options"),
        "hibernation": (kwargs.get("hibernation_options") or {}).get("Configured"),
        "more than one network interface": len(kwargs.get("nics") or []) > 1,
        "more than one volume": len(kwargs.get("block_device_mappings") or []) > 1,
    }
    named = [what for what, present in refused.items() if present]
    if named:
        raise EC2ClientError("UnsupportedOperation", f"The local cloud's hosts have no {', no '.join(named)}.")


def _install_groups(machines: Machines) -> None:
    def then_filter(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            machines.refresh_firewalls()
            return result

        return wrapper

    for name in _FILTER_CALLS:
        replace(SecurityGroupBackend, name, then_filter(getattr(SecurityGroupBackend, name)))

    modify_of_moto = InstanceBackend.modify_instance_security_groups

    def modify_instance_security_groups(self: Any, instance_id: str, new_group_id_list: list[str]) -> Instance:
        instance = modify_of_moto(self, instance_id, new_group_id_list)
        for interface in instance.nics.values():
            interface._group_set = list(instance.security_groups)
        machines.refresh_firewalls()
        return instance

    replace(InstanceBackend, "modify_instance_security_groups", modify_instance_security_groups)
