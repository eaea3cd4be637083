"""ec2_gateway_endpoint applies the declared endpoint of S3; the local cloud stores and refuses it as EC2 does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.backends import get_backend
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.route_tables import RouteBackend
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.vpcs import VPCs
from tests.modules.conftest import Run

from local_cloud.ec2 import dependencies as ec2_dependencies
from local_cloud.ec2 import endpoints as ec2_endpoints

SERVICE = "com.amazonaws.us-east-1.s3"
TAGS = {"Deployment": "mine"}
REPLACED = (
    (VPCBackend, "create_vpc_endpoint"),
    (VPCBackend, "modify_vpc_endpoint"),
    (VPCBackend, "delete_vpc"),
    (InternetGatewayBackend, "detach_internet_gateway"),
    (RouteBackend, "delete_route"),
    (SecurityGroupBackend, "delete_security_group"),
    (SubnetBackend, "delete_subnet"),
    (VPCs, "delete_vpc_endpoints"),
)


def policy(bucket: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def ec2(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """EC2 with endpoints, and nothing in it."""
    for owner, name in REPLACED:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    ec2_endpoints.install()
    ec2_dependencies.install()
    get_backend("ec2").reset()
    yield boto3.client(
        "ec2", "us-east-1", endpoint_url=endpoint, aws_access_key_id="local-cloud", aws_secret_access_key="local-cloud"
    )
    get_backend("ec2").reset()


@pytest.fixture
def wanted(ec2: Any) -> dict[str, Any]:
    """An endpoint in the route table of a new VPC."""
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    return {"vpc_id": vpc, "service": SERVICE, "route_table_ids": [table], "policy": policy("quotes"), "tags": TAGS}


def routes(ec2: Any, table: str) -> list[str]:
    found = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return [route["GatewayId"] for route in found if "DestinationPrefixListId" in route]


def described(ec2: Any, identifier: str) -> dict[str, Any]:
    (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[identifier])["VpcEndpoints"]
    return dict(found)


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_an_endpoint_is_made_once_with_its_route_policy_and_tags(ec2: Any, run: Run, wanted: dict[str, Any]) -> None:
    assert run("ec2_gateway_endpoint", _check=True, **wanted)["changed"]
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    made = run("ec2_gateway_endpoint", **wanted)
    found = described(ec2, made["endpoint_id"])
    assert json.loads(found["PolicyDocument"]) == policy("quotes")
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == TAGS
    assert routes(ec2, wanted["route_table_ids"][0]) == [made["endpoint_id"]]
    again = run("ec2_gateway_endpoint", **wanted)
    assert (again["changed"], again["endpoint_id"]) == (False, made["endpoint_id"])


def test_another_policy_route_table_and_tag_change_the_endpoint_that_is_there(
    ec2: Any, run: Run, wanted: dict[str, Any]
) -> None:
    first = run("ec2_gateway_endpoint", **wanted)["endpoint_id"]
    other = ec2.create_route_table(VpcId=wanted["vpc_id"])["RouteTable"]["RouteTableId"]
    changed = wanted | {"route_table_ids": [other], "policy": policy("others"), "tags": {"Deployment": "yours"}}
    assert run("ec2_gateway_endpoint", **changed)["endpoint_id"] == first
    found = described(ec2, first)
    assert json.loads(found["PolicyDocument"]) == policy("others")
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == {"Deployment": "yours"}
    assert (routes(ec2, wanted["route_table_ids"][0]), routes(ec2, other)) == ([], [first])
    assert not run("ec2_gateway_endpoint", **changed)["changed"]


def test_a_vpc_is_not_deleted_before_its_endpoint(ec2: Any, run: Run, wanted: dict[str, Any]) -> None:
    identifier = run("ec2_gateway_endpoint", **wanted)["endpoint_id"]
    ec2.delete_route_table(RouteTableId=wanted["route_table_ids"][0])
    assert refused(ec2.delete_vpc, VpcId=wanted["vpc_id"]) == "DependencyViolation"
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[identifier])["Unsuccessful"] == []
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    ec2.delete_vpc(VpcId=wanted["vpc_id"])
    (again,) = ec2.delete_vpc_endpoints(VpcEndpointIds=[identifier])["Unsuccessful"]
    assert again["Error"]["Code"] == "InvalidVpcEndpoint.NotFound"


def test_an_endpoints_route_goes_with_it_and_not_before(ec2: Any, run: Run, wanted: dict[str, Any]) -> None:
    identifier, table = run("ec2_gateway_endpoint", **wanted)["endpoint_id"], wanted["route_table_ids"][0]
    (route,) = [
        found
        for found in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        if "DestinationPrefixListId" in found
    ]
    prefix = {"RouteTableId": table, "DestinationPrefixListId": route["DestinationPrefixListId"]}
    assert refused(ec2.delete_route, **prefix) == "InvalidParameterValue"
    ec2.delete_vpc_endpoints(VpcEndpointIds=[identifier])
    assert routes(ec2, table) == []


def test_a_route_table_has_one_endpoint_of_a_service(ec2: Any, run: Run, wanted: dict[str, Any]) -> None:
    run("ec2_gateway_endpoint", **wanted)
    second = {"VpcId": wanted["vpc_id"], "ServiceName": SERVICE, "RouteTableIds": wanted["route_table_ids"]}
    assert refused(ec2.create_vpc_endpoint, **second) == "RouteAlreadyExists"
    other = {"VpcId": wanted["vpc_id"], "ServiceName": "com.amazonaws.us-east-1.sqs", "VpcEndpointType": "Interface"}
    assert refused(ec2.create_vpc_endpoint, **other) == "UnsupportedOperation"
