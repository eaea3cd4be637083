"""DescribeInstances does not know a new instance for a moment, and tells an earlier address after an Elastic IP moved.

https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html; what AssociateAddress and DescribeAddresses
answer is exact.
"""

from __future__ import annotations

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.instances import Instance, InstanceBackend, Reservation
from moto.ec2.responses.instances import InstanceResponse

from local_cloud import lag
from local_cloud.lag import Remembered
from local_cloud.moto_patch import wrap

# New instances by their ids.
_hidden: Remembered[str, bool] = Remembered(lambda: lag.NEW_INSTANCE_SECONDS)
# By the interface's id; "" is no address.
_earlier: Remembered[str, str] = Remembered()


def install() -> None:
    """Have moto's EC2 lag."""

    @wrap(InstanceBackend, "run_instances")
    def run_instances(_: Any, of_moto: Any, *args: Any, **options: Any) -> Reservation:
        reservation: Reservation = of_moto(*args, **options)
        for instance in reservation.instances:
            _hidden.put(instance.id, True)
        return reservation

    @wrap(ElasticAddressBackend, "associate_address")
    @wrap(ElasticAddressBackend, "disassociate_address")
    def move_address(self: Any, of_moto: Any, *args: Any, **options: Any) -> Any:
        before = _addresses(self)
        answer = of_moto(*args, **options)
        after = _addresses(self)
        for interface, address in before.items():
            if after.get(interface) != address:
                _earlier.put(interface, address)
        return answer

    @wrap(InstanceResponse, "describe_instances")
    def describe_instances(self: InstanceResponse, of_moto: Any) -> ActionResult:
        unknown = [asked for asked in self._get_param("InstanceIds", []) if _hidden.get(asked)]
        if unknown:
            raise InvalidInstanceIdError(unknown)
        answer = of_moto()
        result: dict[str, Any] = answer.result
        shown = [_as_before(found) for found in result["Reservations"]]
        return ActionResult({**result, "Reservations": [found for found in shown if found.instances]})


def _addresses(backend: Any) -> dict[str, str]:
    return {interface.id: interface.public_ip or "" for interface in list(backend.enis.values())}


def _as_before(reservation: Reservation) -> Reservation:
    shown = copy.copy(reservation)
    there = [instance for instance in reservation.instances if not _hidden.get(instance.id)]
    shown.instances = [_with_earlier_address(instance) for instance in there]
    return shown


def _with_earlier_address(instance: Instance) -> Instance:
    interface = instance.nics.get(0)
    address = _earlier.get(interface.id) if interface is not None else None
    if interface is None or address is None:
        return instance
    shown, shown_interface = copy.copy(instance), copy.copy(interface)
    shown_interface.public_ip = address or None
    shown.nics = {**instance.nics, 0: shown_interface}
    return shown
