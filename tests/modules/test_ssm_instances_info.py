"""ssm_instances_info lists the instances that Session Manager reaches: those whose agent runs and may talk to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.backends import get_backend
from moto.ssm.responses import SimpleSystemManagerResponse
from tests.modules.conftest import Run
from tests.support.local_cloud.enforcing import EC2_TRUST
from tests.support.local_cloud.policies import render

from local_cloud.ec2 import ssm_instances

ACCESS = render("identity", "access_policy.json.j2")


class Hosts:
    """Stands for local_cloud.ec2.machines.Machines: instances, and those of them whose agent runs."""

    def __init__(self) -> None:
        self.known: list[Any] = []
        self.running: set[str] = set()

    def instances(self) -> list[Any]:
        return self.known

    def runs(self, instance: Any, service: str) -> bool:
        assert service == "amazon-ssm-agent"
        return instance.id in self.running

    def add(self, identifier: str, profile: str | None, state: str = "running") -> None:
        arn = f"arn:aws:iam::123456789012:instance-profile/{profile}"
        held = {"Arn": arn} if profile else None
        one = SimpleNamespace(
            id=identifier,
            state=state,
            iam_instance_profile=held,
            owner_id="123456789012",
            private_ip_address="10.0.0.4",
        )
        self.known.append(one)
        self.running.add(identifier)


def client(service: str, endpoint: str) -> Any:
    make: Any = boto3.client
    options = {"aws_access_key_id": "local-cloud", "aws_secret_access_key": "local-cloud"}
    return make(service, "us-east-1", endpoint_url=endpoint, **options)


@pytest.fixture
def cloud_hosts(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Hosts behind the API, and a role and profile `good` that may talk to Session Manager."""
    found = Hosts()
    monkeypatch.setattr(SimpleSystemManagerResponse, "describe_instance_information", None, raising=False)
    stands_in: Any = found
    ssm_instances.install(stands_in)
    get_backend("iam").reset()
    iam = client("iam", endpoint)
    iam.create_role(RoleName="good", AssumeRolePolicyDocument=json.dumps(EC2_TRUST))
    iam.put_role_policy(RoleName="good", PolicyName="access", PolicyDocument=json.dumps(ACCESS))
    iam.create_instance_profile(InstanceProfileName="good")
    iam.add_role_to_instance_profile(InstanceProfileName="good", RoleName="good")
    yield found
    get_backend("iam").reset()


def test_an_instance_is_reached_when_its_agent_runs_and_its_role_lets_it_talk(run: Run, cloud_hosts: Hosts) -> None:
    cloud_hosts.add("i-00000001", "good")
    cloud_hosts.add("i-00000002", "good")
    cloud_hosts.add("i-00000003", None)
    cloud_hosts.add("i-00000004", "good", "stopped")
    cloud_hosts.running.discard("i-00000002")
    asked = [f"i-0000000{number}" for number in range(1, 6)]
    told = run("ssm_instances_info", instance_ids=asked)
    assert (told["online"], told["missing"], told["changed"]) == (asked[:1], asked[1:], False)


@pytest.mark.parametrize("action", ssm_instances.ACTIONS)
def test_a_role_that_lacks_one_of_the_actions_is_not_reached(
    run: Run, cloud_hosts: Hosts, endpoint: str, action: str
) -> None:
    cloud_hosts.add("i-00000001", "good")
    less = json.loads(json.dumps(ACCESS))
    less["Statement"][0]["Action"].remove(action)
    client("iam", endpoint).put_role_policy(RoleName="good", PolicyName="access", PolicyDocument=json.dumps(less))
    assert run("ssm_instances_info", instance_ids=["i-00000001"])["missing"] == ["i-00000001"]


def test_an_agent_that_fell_silent_is_listed_and_not_reached(run: Run, cloud_hosts: Hosts, endpoint: str) -> None:
    cloud_hosts.add("i-00000001", "good")
    assert run("ssm_instances_info", instance_ids=["i-00000001"])["online"] == ["i-00000001"]
    cloud_hosts.running.clear()
    (entry,) = client("ssm", endpoint).describe_instance_information()["InstanceInformationList"]
    assert (entry["InstanceId"], entry["PingStatus"]) == ("i-00000001", "ConnectionLost")
    assert run("ssm_instances_info", instance_ids=["i-00000001"], timeout=1)["missing"] == ["i-00000001"]
