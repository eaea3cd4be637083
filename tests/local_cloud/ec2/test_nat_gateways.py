"""A NAT gateway of the local cloud takes its time, fails and refuses as one of EC2's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.ec2.models import nat_gateways
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.route_tables import RouteBackend
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from tests.support.local_cloud.refusals import refusal

from local_cloud import lag
from local_cloud.ec2 import dependencies as ec2_dependencies
from local_cloud.ec2 import nat_gateways as ec2_nat_gateways

TAGS = [{"ResourceType": "natgateway", "Tags": [{"Key": "Deployment", "Value": "mine"}]}]
REPLACED = (
    (nat_gateways, ("random_private_ip",)),
    (NatGatewayBackend, ("create_nat_gateway", "delete_nat_gateway", "describe_nat_gateways")),
    (RouteBackend, ("create_route", "replace_route")),
    (ElasticAddressBackend, ("release_address", "disassociate_address")),
    (SecurityGroupBackend, ("delete_security_group",)),
    (SubnetBackend, ("delete_subnet",)),
    (InternetGatewayBackend, ("detach_internet_gateway",)),
    (VPCBackend, ("delete_vpc",)),
)


class Network:
    """A VPC with an internet gateway, a subnet, and a clock that stands until it is told to go on."""

    now = 0.0

    def __init__(self) -> None:
        self.ec2: Any = boto3.client("ec2", region_name="us-east-1")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.15.0/28")["Subnet"]["SubnetId"]
        self.internet = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=self.internet, VpcId=self.vpc)

    def wait(self) -> None:
        """Let the lag pass."""
        Network.now += lag.SECONDS

    def address(self) -> str:
        """A new Elastic IP."""
        return str(self.ec2.allocate_address(Domain="vpc")["AllocationId"])

    def create(self, allocation: str) -> str:
        """A new gateway, pending."""
        made = self.ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=allocation, TagSpecifications=TAGS)
        return str(made["NatGateway"]["NatGatewayId"])

    def described(self, identifier: str) -> dict[str, Any]:
        """What EC2 shows of a gateway."""
        (found,) = self.ec2.describe_nat_gateways(NatGatewayIds=[identifier])["NatGateways"]
        return dict(found)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.setattr(lag, "clock", lambda: Network.now)
    for owner, names in REPLACED:
        for name in names:
            monkeypatch.setattr(owner, name, getattr(owner, name))
    ec2_nat_gateways.install()
    ec2_dependencies.install()
    with mock_aws():
        yield Network()


def test_it_is_pending_before_it_is_available_and_has_an_address_of_its_subnet(network: Network) -> None:
    allocation = network.address()
    gateway = network.create(allocation)
    assert network.described(gateway)["State"] == "pending"
    network.wait()
    found = network.described(gateway)
    assert (found["State"], found["VpcId"]) == ("available", network.vpc)
    (address,) = found["NatGatewayAddresses"]
    assert (address["AllocationId"], address["PrivateIp"][:8]) == (allocation, "10.0.15.")
    by_tag = [{"Name": "tag:Deployment", "Values": ["mine"]}]
    assert [one["NatGatewayId"] for one in network.ec2.describe_nat_gateways(Filter=by_tag)["NatGateways"]] == [gateway]
    others = [{"Name": "tag:Deployment", "Values": ["other"]}]
    assert network.ec2.describe_nat_gateways(Filter=others)["NatGateways"] == []
    assert refusal(network.ec2.describe_nat_gateways, NatGatewayIds=["nat-0"]) == "NatGatewayNotFound"


def test_it_holds_its_address_subnet_and_internet_gateway_until_it_is_deleted_and_the_address_for_a_moment_more(
    network: Network,
) -> None:
    ec2, allocation = network.ec2, network.address()
    gateway = network.create(allocation)
    network.wait()
    association = network.described(gateway)["NatGatewayAddresses"][0]["AssociationId"]

    def refusals() -> list[str]:
        return [
            refusal(ec2.disassociate_address, AssociationId=association),
            refusal(ec2.release_address, AllocationId=allocation),
            refusal(ec2.delete_subnet, SubnetId=network.subnet),
            refusal(ec2.detach_internet_gateway, InternetGatewayId=network.internet, VpcId=network.vpc),
            refusal(ec2.delete_vpc, VpcId=network.vpc),
        ]

    held = ["AuthFailure"] * 2 + ["DependencyViolation"] * 3
    assert refusals() == held
    ec2.delete_nat_gateway(NatGatewayId=gateway)
    assert network.described(gateway)["State"] == "deleting"
    assert refusals() == held
    network.wait()
    assert network.described(gateway)["State"] == "deleted"
    assert refusal(ec2.release_address, AllocationId=allocation) == "InvalidNetworkInterfaceID.NotFound"
    assert refusal(ec2.delete_subnet, SubnetId=network.subnet) == ""
    network.wait()
    assert refusal(ec2.release_address, AllocationId=allocation) == ""


def test_it_fails_without_an_internet_gateway_and_with_an_address_that_is_in_use(network: Network) -> None:
    allocation = network.address()
    network.create(allocation)
    second = network.create(allocation)
    network.wait()
    found = network.described(second)
    assert (found["State"], found["FailureCode"]) == ("failed", "Resource.AlreadyAssociated")
    network.ec2.delete_nat_gateway(NatGatewayId=second)
    assert network.described(second)["State"] == "deleted"
    vpc = network.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    network.subnet = network.ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/28")["Subnet"]["SubnetId"]
    free = network.address()
    lonely = network.create(free)
    assert network.described(lonely)["State"] == "pending"
    network.wait()
    found = network.described(lonely)
    assert (found["State"], found["FailureCode"]) == ("failed", "Gateway.NotAttached")
    assert found["FailureMessage"] == f"Network {vpc} has no Internet gateway attached"
    # It holds nothing.
    assert refusal(network.ec2.release_address, AllocationId=free) == ""
    assert refusal(network.ec2.delete_subnet, SubnetId=network.subnet) == ""


def test_a_public_one_needs_an_address_and_a_private_one_is_not_served(network: Network) -> None:
    create = network.ec2.create_nat_gateway
    assert refusal(create, SubnetId=network.subnet) == "MissingParameter"
    assert refusal(create, SubnetId=network.subnet, ConnectivityType="private") == "UnsupportedOperation"
    unknown = {"SubnetId": network.subnet, "AllocationId": "eipalloc-0"}
    assert refusal(create, **unknown) == "InvalidAllocationID.NotFound"


def test_a_route_leads_to_a_gateway_that_is_there(network: Network) -> None:
    table = network.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    gateway = network.create(network.address())
    out = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    assert refusal(network.ec2.create_route, NatGatewayId=gateway, **out) == ""
    network.ec2.delete_nat_gateway(NatGatewayId=gateway)
    for identifier, code in ((gateway, "InvalidNatGatewayID.NotFound"), ("nat-0", "InvalidNatGatewayID.NotFound")):
        assert refusal(network.ec2.replace_route, NatGatewayId=identifier, **out) == code
