"""The credit option of burstable instances: what they may spend beyond their baseline, and whether that is billed.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances-unlimited-mode-concepts.html
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance
from moto.ec2.responses.instances import InstanceResponse

from local_cloud.moto_patch import Ec2Error, replace, wrap

_OPTIONS = ("standard", "unlimited")
_NOT_SUPPORTED = "InstanceCreditSpecification.NotSupported"
_KEPT = "stock_market_cpu_credits"


def is_burstable(instance_type: str) -> bool:
    """Whether instances of the type earn and spend CPU credits."""
    return bool(INSTANCE_TYPES.get(instance_type, {}).get("BurstablePerformanceSupported"))


def credits_of(instance: Instance) -> str:
    """The instance's option; the one with which its family starts where nobody has said another."""
    started = "standard" if instance.instance_type.startswith("t2.") else "unlimited"
    return str(getattr(instance, _KEPT, started))


def _not_supported(instance_type: str) -> str:
    return f"The {instance_type} instance type does not support T2 Unlimited."


def _check(option: object) -> str:
    if option not in _OPTIONS:
        raise Ec2Error("InvalidParameterValue", f"Invalid value '{option}' for cpuCredits: standard or unlimited.")
    return str(option)


def _run(response: InstanceResponse, of_moto: Any) -> ActionResult:
    """RunInstances refuses a credit option for other types, whatever it is (hashicorp/terraform-provider-aws#5067)."""
    given = (response._get_param("CreditSpecification") or {}).get("CpuCredits")
    instance_type = str(response._get_param("InstanceType"))
    if given is not None:
        _check(given)
        if not is_burstable(instance_type):
            raise Ec2Error(_NOT_SUPPORTED, _not_supported(instance_type))
    answer: ActionResult = of_moto()
    if given is not None:
        for instance in answer.result.instances:  # type: ignore[attr-defined]  # moto declares a result of any kind
            setattr(instance, _KEPT, given)
    return answer


def _describe(response: InstanceResponse) -> ActionResult:
    """Named instances have to be burstable; without names it lists those that are unlimited.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceCreditSpecifications.html
    """
    named = response._get_param("InstanceIds", [])
    backend = response.ec2_backend
    if named:
        found = backend.get_multi_instances_by_id(named)
        for instance in found:
            if not is_burstable(instance.instance_type):
                raise Ec2Error(_NOT_SUPPORTED, _not_supported(instance.instance_type))
    else:
        burstable = [instance for instance in backend.all_instances() if is_burstable(instance.instance_type)]
        found = [instance for instance in burstable if credits_of(instance) == "unlimited"]
    entries = [{"InstanceId": instance.id, "CpuCredits": credits_of(instance)} for instance in found]
    return ActionResult({"InstanceCreditSpecifications": entries})


def _problem(instance: Instance | None) -> tuple[str, str] | None:
    if instance is None:
        return "InvalidInstanceID.NotFound", "The instance ID does not exist"
    if not is_burstable(instance.instance_type):
        return _NOT_SUPPORTED, _not_supported(instance.instance_type)
    if instance.state not in ("running", "stopped"):
        return "IncorrectInstanceState", f"The instance is {instance.state}, not running or stopped"
    return None


def _modify(response: InstanceResponse) -> ActionResult:
    """Each instance for itself: what fails is told in the answer, and the rest is changed.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceCreditSpecification.html
    """
    there = {instance.id: instance for instance in response.ec2_backend.all_instances()}
    done, failed = [], []
    for entry in response._get_param("InstanceCreditSpecifications", []):
        identifier, option = str(entry.get("InstanceId")), _check(entry.get("CpuCredits"))
        instance = there.get(identifier)
        problem = _problem(instance)
        if problem is not None:
            failed.append({"InstanceId": identifier, "Error": {"Code": problem[0], "Message": problem[1]}})
            continue
        setattr(instance, _KEPT, option)
        done.append({"InstanceId": identifier})
    return ActionResult(
        {"SuccessfulInstanceCreditSpecifications": done, "UnsuccessfulInstanceCreditSpecifications": failed}
    )


def install() -> None:
    """Let RunInstances keep the option, and serve the two calls that tell and change it."""
    wrap(InstanceResponse, "run_instances")(_run)
    replace(InstanceResponse, "describe_instance_credit_specifications", _describe)
    # moto has no such call; its dispatcher finds this one by its name.
    InstanceResponse.modify_instance_credit_specification = _modify  # type: ignore[attr-defined]  # moto's own is replaced, or has no types
