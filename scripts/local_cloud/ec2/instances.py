"""RunInstances, Start, Stop, Reboot and Terminate: of moto's records, and of the hosts behind them."""

from __future__ import annotations

import base64
import copy
import functools
import threading
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation
from moto.ec2.responses.instances import InstanceResponse

from local_cloud.ec2 import dependencies as ec2_dependencies
from local_cloud.ec2.addresses import elastic_address_of, forget
from local_cloud.ec2.machines import Machines
from local_cloud.hosts import host as hosts
from local_cloud.moto_patch import Ec2Error, replace, wrap

_SWITCHES = frozenset({"disable_api_termination", "disable_api_stop", "ebs_optimized", "source_dest_check"})


def memory_of(instance_type: str) -> int:
    """An instance type's memory in MiB; raises EC2's own error for a type that the hosts can't be."""
    described = INSTANCE_TYPES.get(instance_type)
    if described is None:
        raise Ec2Error("InvalidInstanceType", f"The instance type '{instance_type}' does not exist")
    architectures = described["ProcessorInfo"]["SupportedArchitectures"]
    if "x86_64" not in architectures:
        raise Ec2Error(
            "InvalidParameterValue",
            f"The image's architecture 'x86_64' is not that of '{instance_type}': '{architectures[0]}'.",
        )
    return int(described["MemoryInfo"]["SizeInMiB"])


def install(machines: Machines) -> None:
    """Let RunInstances and the calls after it act on hosts."""
    terminate_of_moto = Instance.terminate

    @wrap(InstanceBackend, "run_instances")
    def run_instances(
        self: Any, of_moto: Any, image_id: str, count: int, user_data: Any, *groups: Any, **kwargs: Any
    ) -> Reservation:
        _refuse_what_hosts_have_not(kwargs)
        script = b"" if user_data is None else base64.b64decode(user_data.as_bytes())
        memory = memory_of(str(kwargs["instance_type"]))
        key_name = kwargs.get("key_name")
        reservation: Reservation = of_moto(image_id, count, user_data, *groups, **kwargs)
        specified = {int(nic.get("DeviceIndex", 0)): nic for nic in kwargs.get("nics") or []}
        for instance in reservation.instances:
            for index, interface in instance.nics.items():
                # EC2's default for an interface that RunInstances makes; moto's is to keep it.
                if specified.get(index, {}).get("DeleteOnTermination") is None:
                    interface.delete_on_termination = True
            public_key = self.key_pairs[key_name].public_key if key_name else None
            first_boot = hosts.FirstBoot(public_key, script)
            machines.launch(instance, memory, first_boot, functools.partial(_finish, instance, terminate_of_moto))
        return reservation

    @wrap(InstanceBackend, "modify_instance_attribute")
    def modify_instance_attribute(_: Any, of_moto: Any, instance_id: str, key: str, value: Any) -> Any:
        # moto keeps the word, which it then takes for a switch that is off.
        return of_moto(instance_id, key, str(value).lower() == "true" if key in _SWITCHES else value)

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

    replace(Instance, "start", start)
    replace(Instance, "stop", stop)
    replace(Instance, "terminate", terminate)
    replace(Instance, "reboot", reboot)

    @wrap(InstanceResponse, "run_instances")
    def run_and_protect(response: InstanceResponse, of_moto: Any) -> Any:
        answer = of_moto()
        if str(response._get_param("DisableApiTermination")).lower() == "true":  # moto leaves it out
            for instance in answer.result.instances:
                instance.disable_api_termination = True
        return answer

    wrap(InstanceResponse, "run_instances")(OncePerToken())


class OncePerToken:
    """RunInstances asked again with the same ClientToken launches nothing, and answers with what it launched first."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, str], tuple[Any, ActionResult]] = {}
        self._lock = threading.Lock()

    def __call__(self, response: InstanceResponse, run_instances: Callable[[], ActionResult]) -> ActionResult:
        parameters = dict(response._get_params())
        token = parameters.pop("ClientToken", None)
        if not token:
            return run_instances()
        key = (response.current_account, response.region, str(token))
        with self._lock:
            held = self._answers.get(key)
            if held is None:
                held = (parameters, run_instances())
                self._answers[key] = held
        if held[0] != parameters:
            raise Ec2Error(
                "IdempotentParameterMismatch",
                f"The ClientToken '{token}' was used before, with other parameters.",
            )
        return held[1]


def _finish(instance: Instance, terminate_of_moto: Callable[[Instance], InstanceState]) -> None:
    ec2_dependencies.linger(instance)
    for interface in instance.nics.values():
        elastic = elastic_address_of(interface)
        if elastic is not None:
            forget(elastic)
        interface.public_ip = None
    terminate_of_moto(instance)


def _state_for(instance: Instance, allowed: set[str], verb: str) -> InstanceState:
    if instance.state not in allowed:
        raise Ec2Error(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can be {verb}: it is {instance.state}.",
        )
    return copy.copy(instance._state)


def _refuse_what_hosts_have_not(kwargs: dict[str, Any]) -> None:
    refused = {
        "launch templates": kwargs.get("launch_template"),
        "IPv6": kwargs.get("ipv6_address_count"),
        "spot instances": kwargs.get("instance_market_options"),
        "hibernation": (kwargs.get("hibernation_options") or {}).get("Configured"),
        "more than one network interface": len(kwargs.get("nics") or []) > 1,
        "more than one volume": len(kwargs.get("block_device_mappings") or []) > 1,
    }
    named = [what for what, present in refused.items() if present]
    if named:
        raise Ec2Error("UnsupportedOperation", f"The local cloud's hosts have no {', no '.join(named)}.")
