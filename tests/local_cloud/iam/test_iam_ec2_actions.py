"""Which resources a call of EC2 is about, and the tags by which it is judged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws
from moto.ec2.models import ec2_backends

from local_cloud.iam.ec2_actions import checks_of
from local_cloud.settings import ACCOUNT_ID

REGION = "us-east-1"
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT_ID}"


@pytest.fixture
def vpc() -> Iterator[str]:
    """A VPC that carries a deployment's tag."""
    with mock_aws():
        made = ec2_backends[ACCOUNT_ID][REGION].create_vpc("10.0.0.0/16")
        made.add_tag("Deployment", "shop")
        yield made.id


def judged(action: str, form: dict[str, str]) -> list[tuple[str, str]]:
    """Actions and resources."""
    return [(check.action, check.resource) for check in checks_of(action, form, REGION) or []]


def test_each_instance_of_a_list_is_judged() -> None:
    form = {f"InstanceCreditSpecification.{n}.InstanceId": f"i-{n}" for n in (1, 2)}
    action = "ec2:ModifyInstanceCreditSpecification"
    assert judged("ModifyInstanceCreditSpecification", form) == [(action, f"{EC2}:instance/i-{n}") for n in (1, 2)]


def test_what_is_made_is_judged_by_the_tags_of_the_request_and_what_is_there_by_its_own(vpc: str) -> None:
    tags = "TagSpecification.1"
    form = {
        "VpcId": vpc,
        "RouteTableId.1": "rtb-1",
        f"{tags}.ResourceType": "vpc-endpoint",
        f"{tags}.Tag.1.Key": "Deployment",
        f"{tags}.Tag.1.Value": "lab",
    }
    checks = {
        (check.action, check.resource): check.context for check in checks_of("CreateVpcEndpoint", form, REGION) or []
    }
    asked = {"aws:requesttag/deployment": ("lab",), "aws:tagkeys": ("Deployment",)}
    assert checks == {
        ("ec2:CreateVpcEndpoint", f"{EC2}:vpc/{vpc}"): {"aws:resourcetag/deployment": ("shop",)},
        ("ec2:CreateVpcEndpoint", f"{EC2}:route-table/rtb-1"): {},
        ("ec2:CreateVpcEndpoint", f"{EC2}:vpc-endpoint/*"): asked,
        ("ec2:CreateTags", f"{EC2}:vpc-endpoint/*"): {**asked, "ec2:createaction": ("CreateVpcEndpoint",)},
    }


def test_a_nat_gateway_is_judged_with_the_address_and_the_subnet_that_it_takes() -> None:
    form = {"AllocationId": "eipalloc-1", "SubnetId": "subnet-1", "ConnectivityType": "public"}
    taken = [f"{EC2}:{kind}" for kind in ("elastic-ip/eipalloc-1", "subnet/subnet-1", "natgateway/*")]
    assert judged("CreateNatGateway", form) == [("ec2:CreateNatGateway", resource) for resource in taken]
    assert judged("DeleteNatGateway", {"NatGatewayId": "nat-1"}) == [
        ("ec2:DeleteNatGateway", f"{EC2}:natgateway/nat-1")
    ]


@pytest.mark.parametrize(
    ("action", "form"),
    [
        ("DeleteSecurityGroup", {"GroupName": "default"}),
        ("ReleaseAddress", {"PublicIp": "203.0.113.7"}),
        ("AssociateAddress", {"PublicIp": "203.0.113.7", "InstanceId": "i-1"}),
        ("RunInstances", {"ImageId": "ami-1", "SecurityGroup.1": "default"}),
        ("TerminateInstances", {}),
    ],
)
def test_a_resource_that_is_named_by_no_id_is_not_judged(action: str, form: dict[str, str]) -> None:
    assert checks_of(action, form, REGION) is None


def test_a_call_whose_resources_are_not_known_is_not_judged_unless_it_reads() -> None:
    assert checks_of("CreateKeyPair", {"KeyName": "k"}, REGION) is None
    assert judged("DescribeVpcs", {}) == [("ec2:DescribeVpcs", "*")]
