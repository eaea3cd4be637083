"""The local cloud is behind, for a moment, where AWS is: lists, addresses, and what parts of a network depend on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.instances import InstanceResponse
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend
from tests.support.local_cloud.refusals import refusal

from local_cloud import lag
from local_cloud.api import tagging_lag
from local_cloud.ec2 import dependencies as ec2_dependencies
from local_cloud.ec2 import list_lag as ec2_list_lag
from local_cloud.iam import list_lag as iam_lag

Clients = Callable[[str], Any]


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """Clients of an empty cloud that lags by lag.SECONDS, and thrice that for what terminated instances have used."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.setattr(lag, "clock", CLOCK)
    monkeypatch.setattr(lag, "NEW_INSTANCE_SECONDS", lag.SECONDS)
    for owner, names in (
        (ResourceGroupsTaggingAPIBackend, ("_get_resources_generator",)),
        (IAMBackend, ("delete_role", "delete_user", "delete_policy", "delete_instance_profile")),
        (IamResponse, ("list_roles", "list_users", "list_policies", "list_instance_profiles")),
        (ElasticAddressBackend, ("associate_address", "disassociate_address")),
        (InstanceBackend, ("run_instances",)),
        (InstanceResponse, ("describe_instances",)),
        (SecurityGroupBackend, ("delete_security_group",)),
        (SubnetBackend, ("delete_subnet",)),
        (InternetGatewayBackend, ("detach_internet_gateway",)),
        (VPCBackend, ("delete_vpc",)),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, getattr(owner, name))
    terminate_of_moto = Instance.terminate

    def terminate(self: Instance) -> Any:
        ec2_dependencies.linger(self)
        for interface in self.nics.values():
            interface.delete_on_termination = True
        return terminate_of_moto(self)

    monkeypatch.setattr(Instance, "terminate", terminate)
    iam_lag.install()
    tagging_lag.install()
    ec2_list_lag.install()
    ec2_dependencies.install()
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]  # the stubs know clients by literal names only


class Clock:
    """A clock that stands until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


def wait(multiple: int = 1) -> None:
    """Let the lag pass."""
    CLOCK.now += multiple * lag.SECONDS


def test_iam_lists_what_was_deleted_a_moment_ago_and_does_not_know_it(clients: Clients) -> None:
    iam = clients("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    policy = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    iam.create_role(RoleName="gone", AssumeRolePolicyDocument=trust)
    iam.create_user(UserName="gone")
    iam.create_instance_profile(InstanceProfileName="gone")
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    arn = iam.create_policy(PolicyName="gone", PolicyDocument=document)["Policy"]["Arn"]
    iam.delete_role(RoleName="gone")
    iam.delete_user(UserName="gone")
    iam.delete_instance_profile(InstanceProfileName="gone")
    iam.delete_policy(PolicyArn=arn)

    def listed() -> list[list[str]]:
        return [
            [role["RoleName"] for role in iam.list_roles()["Roles"]],
            [user["UserName"] for user in iam.list_users()["Users"]],
            [profile["InstanceProfileName"] for profile in iam.list_instance_profiles()["InstanceProfiles"]],
            [found["PolicyName"] for found in iam.list_policies(Scope="Local")["Policies"]],
        ]

    assert listed() == [["gone"]] * 4
    assert refusal(iam.get_role, RoleName="gone") == "NoSuchEntity"
    assert refusal(iam.get_policy, PolicyArn=arn) == "NoSuchEntity"
    iam.create_role(RoleName="gone", AssumeRolePolicyDocument=trust)
    assert listed()[0] == ["gone"]
    wait()
    assert listed() == [["gone"], [], [], []]


class Network:
    """A VPC with an instance in it, whose group another group names."""

    def __init__(self, ec2: Any) -> None:
        self.ec2 = ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        ec2.modify_subnet_attribute(SubnetId=self.subnet, MapPublicIpOnLaunch={"Value": True})
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        group = {"Description": "x", "VpcId": self.vpc}
        self.group = ec2.create_security_group(GroupName="hosts", **group)["GroupId"]
        self.other = ec2.create_security_group(GroupName="brokers", **group)["GroupId"]
        pairs = [{"GroupId": self.group}, {"GroupId": self.other}]
        ec2.authorize_security_group_ingress(
            GroupId=self.other,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": pairs}],
        )
        launched = ec2.run_instances(
            ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=self.subnet, SecurityGroupIds=[self.group]
        )
        self.instance = launched["Instances"][0]["InstanceId"]

    def refusals(self) -> list[str]:
        """How the deletion of each part is refused, from the innermost to the outermost."""
        return [
            refusal(self.ec2.delete_security_group, GroupId=self.group),
            refusal(self.ec2.delete_subnet, SubnetId=self.subnet),
            refusal(self.ec2.detach_internet_gateway, InternetGatewayId=self.gateway, VpcId=self.vpc),
            refusal(self.ec2.delete_vpc, VpcId=self.vpc),
        ]


def test_no_part_of_a_network_goes_while_an_instance_uses_it_and_for_a_while_after_its_end(clients: Clients) -> None:
    ec2 = clients("ec2")
    network = Network(ec2)
    assert network.refusals() == ["DependencyViolation"] * 4
    # It names itself, which is no hindrance.
    assert refusal(ec2.delete_security_group, GroupId=network.other) == ""
    wait()
    ec2.terminate_instances(InstanceIds=[network.instance])
    state = ec2.describe_instances(InstanceIds=[network.instance])["Reservations"][0]["Instances"][0]["State"]["Name"]
    assert state == "terminated"
    assert network.refusals() == ["DependencyViolation"] * 4
    wait(3)
    assert network.refusals() == [""] * 4


def test_a_security_group_that_another_one_names_stays_and_so_does_the_vpc_of_both(clients: Clients) -> None:
    ec2 = clients("ec2")
    network = Network(ec2)
    ec2.terminate_instances(InstanceIds=[network.instance])
    wait(3)
    assert network.refusals() == ["DependencyViolation", "", "", "DependencyViolation"]
    assert refusal(ec2.delete_security_group, GroupId=network.other) == ""
    assert refusal(ec2.delete_security_group, GroupId=network.group) == ""
    assert refusal(ec2.delete_vpc, VpcId=network.vpc) == ""


def test_an_instance_is_listed_with_its_earlier_address_for_a_moment(clients: Clients) -> None:
    ec2 = clients("ec2")
    network = Network(ec2)

    def told() -> tuple[str, str]:
        found = ec2.describe_instances(InstanceIds=[network.instance])["Reservations"][0]["Instances"][0]
        return found["PublicIpAddress"], found["NetworkInterfaces"][0]["Association"]["PublicIp"]

    wait()
    first = told()
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=network.instance)
    assert ec2.describe_addresses()["Addresses"][0]["InstanceId"] == network.instance
    assert told() == first
    wait()
    assert told() == (elastic["PublicIp"], elastic["PublicIp"])


def test_a_new_instance_is_neither_known_nor_listed_for_a_moment(clients: Clients) -> None:
    ec2 = clients("ec2")
    instance = Network(ec2).instance
    assert refusal(ec2.describe_instances, InstanceIds=[instance]) == "InvalidInstanceID.NotFound"
    assert ec2.describe_instances()["Reservations"] == []
    wait()
    assert ec2.describe_instances()["Reservations"] == ec2.describe_instances(InstanceIds=[instance])["Reservations"]


def test_the_tagging_api_still_shows_deleted_resources_for_a_while(clients: Clients) -> None:
    ec2, tagging = clients("ec2"), clients("resourcegroupstaggingapi")
    tags = [{"Key": "Deployment", "Value": "mine"}]
    specified = [{"ResourceType": "vpc", "Tags": tags}]
    vpcs = [ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specified)["Vpc"]["VpcId"] for _ in range(2)]

    def listed() -> list[str]:
        filters = [{"Key": "Deployment", "Values": ["mine"]}]
        found = tagging.get_resources(TagFilters=filters)["ResourceTagMappingList"]
        return sorted(entry["ResourceARN"].rpartition("/")[2] for entry in found)

    assert listed() == sorted(vpcs)
    ec2.delete_vpc(VpcId=vpcs[0])
    assert listed() == sorted(vpcs)
    wait(3)
    assert listed() == vpcs[1:]
