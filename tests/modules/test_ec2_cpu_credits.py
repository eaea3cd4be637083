"""ec2_cpu_credits sets the credit option of existing instances; the local cloud stores and refuses it as EC2 does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.backends import get_backend
from moto.ec2.responses.instances import InstanceResponse
from tests.modules.conftest import Run

from local_cloud.ec2 import credits as ec2_credits

CALLS = ("run_instances", "describe_instance_credit_specifications")


@pytest.fixture
def ec2(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """EC2 with credit options, and nothing in it."""
    for name in CALLS:
        monkeypatch.setattr(InstanceResponse, name, getattr(InstanceResponse, name))
    monkeypatch.setattr(InstanceResponse, "modify_instance_credit_specification", None, raising=False)
    ec2_credits.install()
    get_backend("ec2").reset()
    yield boto3.client(
        "ec2", "us-east-1", endpoint_url=endpoint, aws_access_key_id="local-cloud", aws_secret_access_key="local-cloud"
    )
    get_backend("ec2").reset()


def launch(ec2: Any, instance_type: str = "t3.small", **more: Any) -> str:
    launched = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, InstanceType=instance_type, **more)
    return str(launched["Instances"][0]["InstanceId"])


def option(ec2: Any, *ids: str) -> list[str]:
    found = ec2.describe_instance_credit_specifications(InstanceIds=list(ids))["InstanceCreditSpecifications"]
    return [entry["CpuCredits"] for entry in found]


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_a_t3_is_unlimited_unless_it_is_launched_with_another_option(ec2: Any) -> None:
    ids = launch(ec2), launch(ec2, CreditSpecification={"CpuCredits": "standard"}), launch(ec2, "t2.small")
    assert option(ec2, *ids) == ["unlimited", "standard", "standard"]
    listed = ec2.describe_instance_credit_specifications()["InstanceCreditSpecifications"]
    assert [entry["InstanceId"] for entry in listed] == [ids[0]]


def test_another_type_has_no_option(ec2: Any) -> None:
    code = "InstanceCreditSpecification.NotSupported"
    wanted = {"CpuCredits": "standard"}
    large = {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1, "InstanceType": "m5.large"}
    assert refused(ec2.run_instances, **large, CreditSpecification=wanted) == code
    identifier = launch(ec2, "m5.large")
    assert refused(ec2.describe_instance_credit_specifications, InstanceIds=[identifier]) == code
    answer = ec2.modify_instance_credit_specification(
        InstanceCreditSpecifications=[{"InstanceId": identifier, **wanted}, {"InstanceId": launch(ec2), **wanted}]
    )
    assert [item["Error"]["Code"] for item in answer["UnsuccessfulInstanceCreditSpecifications"]] == [code]
    assert len(answer["SuccessfulInstanceCreditSpecifications"]) == 1


def test_the_module_changes_what_differs_and_rests_then(ec2: Any, run: Run) -> None:
    ids = [launch(ec2), launch(ec2, CreditSpecification={"CpuCredits": "standard"})]
    checked = run("ec2_cpu_credits", _check=True, instance_ids=ids, cpu_credits="standard")
    assert (checked["changed"], checked["instances"]) == (True, ids[:1])
    assert option(ec2, *ids) == ["unlimited", "standard"]
    assert run("ec2_cpu_credits", instance_ids=ids, cpu_credits="standard")["instances"] == ids[:1]
    assert option(ec2, *ids) == ["standard", "standard"]
    assert not run("ec2_cpu_credits", instance_ids=ids, cpu_credits="standard")["changed"]
    assert not run("ec2_cpu_credits", instance_ids=[], cpu_credits="standard")["changed"]


def test_an_instance_in_the_wrong_state_is_named(ec2: Any, run: Run) -> None:
    identifier = launch(ec2)
    ec2.terminate_instances(InstanceIds=[identifier])
    result = run("ec2_cpu_credits", instance_ids=[identifier], cpu_credits="standard")
    assert result["failed"]
    assert f"{identifier}: IncorrectInstanceState" in result["msg"]
