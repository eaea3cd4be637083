"""The teardown's search finds all resources with a deployment's tags, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore import exceptions as boto_errors
from moto.budgets.responses import BudgetsResponse
from tests.cloud.modules import load

from local_cloud import lag
from local_cloud.api import budgets

search = load("tagged_resources_info")

Clients = Callable[[str], Any]
IMAGE = "ami-12345678"
TAGS = {"Project": "stock-market-kafka", "Deployment": "mine"}
OTHERS = {"Project": "stock-market-kafka", "Deployment": "mine-too"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["ec2.amazonaws.com", "glue.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


def listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tagged(kind: str, tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": listed(tags)}]


def make(clients: Clients, name: str, tags: dict[str, str]) -> None:
    """One of each kind that the playbooks make."""
    ec2, iam, glue = clients("ec2"), clients("iam"), clients("glue")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tagged("vpc", tags))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24", TagSpecifications=tagged("subnet", tags))
    ec2.create_security_group(
        GroupName=f"{name}-kafka", Description="-", VpcId=vpc, TagSpecifications=tagged("security-group", tags)
    )
    gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway", tags))["InternetGateway"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table", tags))
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName="com.amazonaws.us-east-1.s3",
        VpcEndpointType="Gateway",
        TagSpecifications=tagged("vpc-endpoint", tags),
    )
    ec2.import_key_pair(
        KeyName=name,
        PublicKeyMaterial=b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFq0m6Pz1rZ0mF6qvRgJ3m1Lw0l3oB3u6e3Y8m3v9sXk x",
        TagSpecifications=tagged("key-pair", tags),
    )
    ec2.run_instances(
        ImageId=IMAGE,
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet["Subnet"]["SubnetId"],
        TagSpecifications=[*tagged("instance", tags), *tagged("volume", tags)],
    )
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", tags))
    ec2.create_nat_gateway(
        SubnetId=subnet["Subnet"]["SubnetId"],
        AllocationId=address["AllocationId"],
        TagSpecifications=tagged("natgateway", tags),
    )
    iam.create_role(RoleName=f"{name}-instance", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=listed(tags))
    iam.create_instance_profile(InstanceProfileName=f"{name}-instance", Tags=listed(tags))
    iam.create_user(UserName=f"{name}-analyst", Tags=listed(tags))
    iam.create_policy(PolicyName=f"{name}-analyst", PolicyDocument=json.dumps(POLICY), Tags=listed(tags))
    clients("s3").create_bucket(Bucket=f"{name}-data")
    clients("s3").put_bucket_tagging(Bucket=f"{name}-data", Tagging={"TagSet": listed(tags)})
    database = name.replace("-", "_")
    glue.create_database(DatabaseInput={"Name": database}, Tags=tags)
    arn = f"arn:aws:glue:us-east-1:123456789012:database/{database}"
    glue.tag_resource(ResourceArn=arn, TagsToAdd=tags)
    glue.create_crawler(
        Name=name,
        Role=f"{name}-instance",
        DatabaseName=database,
        Targets={"S3Targets": [{"Path": "s3://mine/quotes/"}]},
        Tags=tags,
    )
    clients("athena").create_work_group(Name=name, Tags=listed(tags))


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [resource["kind"] for resource in found]


ALL = [
    *("glue-crawler", "glue-database", "athena-workgroup", "instance", "nat-gateway", "elastic-ip", "volume"),
    *("vpc-endpoint", "security-group"),
    *("subnet", "route-table", "internet-gateway", "vpc", "key-pair", "instance-profile", "role"),
    *("user", "policy", "bucket"),
]


def test_an_empty_account_has_nothing(clients: Clients) -> None:
    assert search.find(clients, TAGS, "mine-", ["mine-data"]) == []


def test_one_of_each_kind_is_found_in_the_order_of_deletion(clients: Clients) -> None:
    make(clients, "mine", TAGS)
    assert kinds(search.find(clients, TAGS, "mine-", [])) == ALL


def test_a_budget_is_found_by_its_name_and_is_the_deployments_by_its_tags(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BudgetsResponse, "create_budget", BudgetsResponse.create_budget)
    budgets.install()
    limit = {"BudgetLimit": {"Amount": "50", "Unit": "USD"}, "TimeUnit": "MONTHLY", "BudgetType": "COST"}
    clients("budgets").create_budget(
        AccountId="123456789012", Budget={"BudgetName": "mine", **limit}, ResourceTags=listed(TAGS)
    )
    assert kinds(search.find(clients, TAGS, "mine-", [])) == ["budget"]
    assert search.find(clients, OTHERS, "mine-", []) == []


def test_another_deployments_resources_are_not_found_even_if_their_names_begin_alike(clients: Clients) -> None:
    make(clients, "mine-too", OTHERS)
    assert search.find(clients, TAGS, "mine-", ["mine-too-data"]) == []
    assert kinds(search.find(clients, OTHERS, "mine-too-", [])) == ALL


def test_a_nat_gateway_is_there_until_it_is_deleted(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "clock", lambda: 0.0)
    make(clients, "mine", TAGS)
    gateway = next(found for found in search.find(clients, TAGS, "mine-", []) if found["kind"] == "nat-gateway")
    clients("ec2").delete_nat_gateway(NatGatewayId=gateway["id"])
    assert "nat-gateway" in kinds(search.find(clients, TAGS, "mine-", []))
    monkeypatch.setattr(lag, "clock", lambda: lag.SECONDS)
    assert "nat-gateway" not in kinds(search.find(clients, TAGS, "mine-", []))


def test_a_terminated_instance_is_gone_with_its_volume(clients: Clients) -> None:
    make(clients, "mine", TAGS)
    instance = next(found for found in search.find(clients, TAGS, "mine-", []) if found["kind"] == "instance")
    clients("ec2").terminate_instances(InstanceIds=[instance["id"]])
    left = kinds(search.find(clients, TAGS, "mine-", []))
    assert "instance" not in left
    assert "vpc" in left


def test_a_bucket_is_found_by_its_name_before_the_tagging_api_knows_it(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(clients, "mine", TAGS)
    monkeypatch.setattr(search, "find_tagged", lambda *_: {})
    assert "bucket" not in kinds(search.find(clients, TAGS, "mine-", []))
    assert "bucket" in kinds(search.find(clients, TAGS, "mine-", ["mine-data", "no-such-bucket"]))


def test_a_bucket_that_was_made_and_not_yet_tagged_is_found_unless_it_holds_anything(clients: Clients) -> None:
    s3 = clients("s3")
    for name in ("mine-data", "mine-results", "mine-other"):
        s3.create_bucket(Bucket=name)
    s3.put_object(Bucket="mine-results", Key="of somebody's", Body=b"")
    found = search.find(clients, TAGS, "mine-", ["mine-data", "mine-results"])
    assert [(resource["kind"], resource["id"], resource["tags"]) for resource in found] == [("bucket", "mine-data", {})]


def test_what_only_the_tagging_api_knows_is_reported_as_other(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {
        "arn:aws:ec2:us-east-1:123456789012:snapshot/snap-1": TAGS,
        "arn:aws:ec2:us-east-1:123456789012:instance/i-terminated": TAGS,
        "arn:aws:lambda:us-east-1:123456789012:function:f": TAGS,
    }
    monkeypatch.setattr(search, "find_tagged", lambda *_: known)
    found = search.find(clients, TAGS, "mine-", [])
    assert [(resource["kind"], resource["id"]) for resource in found] == [
        ("other", "arn:aws:ec2:us-east-1:123456789012:snapshot/snap-1"),
        ("other", "arn:aws:lambda:us-east-1:123456789012:function:f"),
    ]


def test_a_subnet_is_found_with_what_is_needed_to_delete_it(clients: Clients) -> None:
    make(clients, "mine", TAGS)
    found = search.find(clients, TAGS, "mine-", [])
    subnet = next(resource for resource in found if resource["kind"] == "subnet")
    vpc = next(resource for resource in found if resource["kind"] == "vpc")
    assert (subnet["vpc_id"], subnet["cidr"]) == (vpc["id"], "10.1.1.0/24")
    gateway = next(resource for resource in found if resource["kind"] == "internet-gateway")
    assert gateway["vpc_id"] == vpc["id"]


class Behind:
    """Services whose lists still show one of each, `mine-gone`, of which nothing else is known any more."""

    ENTRY = dict.fromkeys(("Name", "RoleName", "UserName", "PolicyName", "InstanceProfileName", "Arn"), "mine-gone")

    def __init__(self, code: str) -> None:
        self._code = code

    def can_paginate(self, _: str) -> bool:
        return False

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**_: Any) -> dict[str, Any]:
            if operation.startswith(("list_tags", "list_object", "get_")) and operation not in {
                "get_crawlers",
                "get_databases",
            }:
                raise boto_errors.ClientError({"Error": {"Code": self._code, "Message": "gone"}}, operation)
            keys = ("Crawlers", "DatabaseList", "WorkGroups", "Roles", "Users", "Policies", "InstanceProfiles")
            return {key: [self.ENTRY] for key in keys}

        return call


def searches(code: str) -> list[Any]:
    """What is found where lists are behind and each question about an entry is answered by an error."""
    client = Behind(code)
    return [
        *search.find_glue(client, TAGS, lambda rest: rest),
        *search.find_athena(client, TAGS, lambda rest: rest),
        *search.find_iam(client, TAGS, "mine-"),
        *search.find_buckets(client, TAGS, ["mine-gone"], "123456789012"),
    ]


@pytest.mark.parametrize(
    "code", ["EntityNotFoundException", "ResourceNotFoundException", "NoSuchEntity", "NoSuchBucket"]
)
def test_what_vanishes_between_the_list_and_the_question_is_gone(code: str) -> None:
    assert searches(code) == []


def test_a_question_that_fails_for_another_reason_ends_the_search() -> None:
    with pytest.raises(boto_errors.ClientError, match="InternalFailure"):
        searches("InternalFailure")
