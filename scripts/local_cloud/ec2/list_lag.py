"""DescribeInstances does not know a new instance for a moment, and tells an earlier address after an Elastic IP moved.

https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html; what AssociateAddress and DescribeAddresses
answer is exact.
"""

from __future__ import annotations

import copy
import functools
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models.elastic_ip_addresses import ElasticAddress, ElasticAddressBackend
from moto.ec2.models.instances import Instance, InstanceBackend, Reservation
from moto.ec2.responses.instances import InstanceResponse

from local_cloud import lag
from local_cloud.lag import Remembered
from local_cloud.moto_patch import replace

# New instances by their ids.
_hidden: Remembered[str, bool] = Remembered(lambda: lag.NEW_INSTANCE_SECONDS)
# By the interface's id; "" is no address.
_earlier: Remembered[str, str] = Remembered()


def install() -> None:
    """Have moto's EC2 lag."""
    associate_of_moto = ElasticAddressBackend.associate_address
    disassociate_of_moto = ElasticAddressBackend.disassociate_address
    run_of_moto = InstanceBackend.run_instances
    describe_of_moto = InstanceResponse.describe_instances

    @functools.wraps(run_of_moto)
    def run_instances(self: Any, *args: Any, **options: Any) -> Reservation:
        reservation: Reservation = run_of_moto(self, *args, **options)
        for instance in reservation.instances:
            _hidden.put(instance.id, True)
        return reservation

    @functools.wraps(associate_of_moto)
    def associate_address(self: Any, *args: Any, **options: Any) -> ElasticAddress:
        before = _addresses(self)
        elastic: ElasticAddress = associate_of_moto(self, *args, **options)
        _remember(self, before)
        return elastic

    @functools.wraps(disassociate_of_moto)
    def disassociate_address(self: Any, *args: Any, **options: Any) -> None:
        before = _addresses(self)
        disassociate_of_moto(self, *args, **options)
        _remember(self, before)

    @functools.wraps(describe_of_moto)
    def describe_instances(self: InstanceResponse) -> ActionResult:
        unknown = [asked for asked in self._get_param("InstanceIds", []) if _hidden.get(asked)]
        if unknown:
            raise InvalidInstanceIdError(unknown)
        answer = describe_of_moto(self)
        result: dict[str, Any] = answer.result  # type: ignore[assignment]  # moto declares a result of any kind
        shown = [_as_before(found) for found in result["Reservations"]]
        return ActionResult({**result, "Reservations": [found for found in shown if found.instances]})

    replace(ElasticAddressBackend, "associate_address", associate_address)
    replace(ElasticAddressBackend, "disassociate_address", disassociate_address)
    replace(InstanceBackend, "run_instances", run_instances)
    replace(InstanceResponse, "describe_instances", describe_instances)


def _addresses(backend: Any) -> dict[str, str]:
    return {interface.id: interface.public_ip or "" for interface in list(backend.enis.values())}


def _remember(backend: Any, before: dict[str, str]) -> None:
    after = _addresses(backend)
    for interface, address in before.items():
        if after.get(interface) != address:
            _earlier.put(interface, address)


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
