"""Systems Manager's list of instances: those whose host runs the agent, with a role that lets it talk to AWS.

The agent's own calls and Session Manager's sessions are not served: StartSession is refused as not implemented.
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.ec2.models.instances import Instance
from moto.ssm.responses import SimpleSystemManagerResponse

from local_cloud.api.errors import RefusedError, not_served
from local_cloud.ec2.identities import SERVICE, role_of
from local_cloud.ec2.machines import Machines
from local_cloud.iam.callers import role_session, trusts

AGENT = "amazon-ssm-agent"
# What Session Manager needs of an instance's role:
# https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html
ACTIONS = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)


def may_talk(instance: Instance) -> bool:
    """Whether the instance's role lets its agent talk to Systems Manager."""
    role = role_of(instance)
    if role is None or not trusts(role, (SERVICE,)):
        return False
    caller = role_session(role.arn, instance.id)
    return not any(caller.problem(action, "*") for action in ACTIONS)


def install(machines: Machines) -> None:
    """Have Systems Manager list the instances that its agent has registered."""
    registered: set[str] = set()

    def describe(response: SimpleSystemManagerResponse) -> str:
        wanted = _wanted(response)
        listed = []
        for instance in machines.instances():
            is_online = instance.state == "running" and machines.runs(instance, AGENT) and may_talk(instance)
            if is_online:
                registered.add(instance.id)
            # Stopped and terminated instances are not listed.
            if instance.id in registered and instance.state == "running" and (not wanted or instance.id in wanted):
                listed.append(_entry(instance, is_online=is_online))
        return json.dumps({"InstanceInformationList": listed})

    added: Any = SimpleSystemManagerResponse  # moto has no such call; its dispatcher finds it by its name
    added.describe_instance_information = describe


def _wanted(response: SimpleSystemManagerResponse) -> set[str]:
    filters = response._get_param("Filters", [])
    if response._get_param("InstanceInformationFilterList") or any(one["Key"] != "InstanceIds" for one in filters):
        raise RefusedError(not_served("ssm", "DescribeInstanceInformation", "it filters by InstanceIds alone"))
    return {value for one in filters for value in one["Values"]}


def _entry(instance: Instance, *, is_online: bool) -> dict[str, Any]:
    return {
        "InstanceId": instance.id,
        "PingStatus": "Online" if is_online else "ConnectionLost",
        "PlatformType": "Linux",
        "PlatformName": "Debian GNU/Linux",
        "ResourceType": "EC2Instance",
        "IPAddress": str(instance.private_ip_address),
    }
