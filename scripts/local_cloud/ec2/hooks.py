"""EC2's calls act on real hosts: what moto only writes down happens here.

moto keeps the records (ids, tags, filters, errors); these functions take the place of the few methods at which a record
would have to become a fact.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.security_groups import SecurityGroupBackend

from local_cloud.ec2 import addresses as ec2_addresses
from local_cloud.ec2 import credits as ec2_credits
from local_cloud.ec2 import dependencies as ec2_dependencies
from local_cloud.ec2 import endpoints as ec2_endpoints
from local_cloud.ec2 import instances as ec2_instances
from local_cloud.ec2 import list_lag as ec2_list_lag
from local_cloud.ec2 import nat_gateways as ec2_nat_gateways
from local_cloud.ec2.addresses import AddressPool
from local_cloud.ec2.machines import Machines
from local_cloud.moto_patch import wrap

_FILTER_CALLS = (
    "authorize_security_group_ingress",
    "authorize_security_group_egress",
    "revoke_security_group_ingress",
    "revoke_security_group_egress",
    "modify_security_group_rules",
)


def install(machines: Machines, pool: AddressPool) -> None:
    """Tie moto's EC2 to the hosts."""
    ec2_addresses.install(machines, pool)
    ec2_credits.install()
    ec2_endpoints.install()
    ec2_nat_gateways.install()
    ec2_list_lag.install()
    ec2_dependencies.install()
    ec2_instances.install(machines)
    _install_groups(machines)


def _install_groups(machines: Machines) -> None:
    def then_filter(_: Any, of_moto: Any, *args: Any, **options: Any) -> Any:
        result = of_moto(*args, **options)
        machines.refresh_firewalls()
        return result

    for name in _FILTER_CALLS:
        wrap(SecurityGroupBackend, name)(then_filter)

    @wrap(InstanceBackend, "modify_instance_security_groups")
    def modify_instance_security_groups(_: Any, of_moto: Any, instance_id: str, new_group_id_list: list[str]) -> Any:
        instance = of_moto(instance_id, new_group_id_list)
        for interface in instance.nics.values():
            interface._group_set = list(instance.security_groups)
        machines.refresh_firewalls()
        return instance

    @wrap(NetworkInterfaceBackend, "modify_network_interface_attribute")
    def modify_network_interface_attribute(self: Any, of_moto: Any, eni_id: str, *args: Any, **kwargs: Any) -> None:
        of_moto(eni_id, *args, **kwargs)
        interface = self.get_network_interface(eni_id)
        if interface.instance is not None:
            interface.instance.security_groups = list(interface._group_set)
        machines.refresh_firewalls()
