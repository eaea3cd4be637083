"""What `make plan` asks: quotas and their use, and which names are taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore import exceptions as boto_errors
from tests.cloud.modules import load

quotas_info = load("ec2_quotas_info")
names_info = load("aws_names_info")
lake_formation_info = load("lake_formation_info")

Clients = Callable[[str], Any]
TAGS = {"Project": "stock-market-kafka", "Deployment": "mine"}
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


def listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.mark.parametrize(
    ("name", "standard"),
    [("t3.small", True), ("m6i.large", True), ("x2idn.16xlarge", False), ("g5.xlarge", False), ("inf1.xlarge", False)],
)
def test_only_standard_families_count_towards_the_quota_of_standard_instances(name: str, standard: bool) -> None:
    assert quotas_info.is_standard(name) is standard


def test_used_vcpus_are_those_of_running_instances_by_their_types(clients: Clients) -> None:
    ec2 = clients("ec2")
    ec2.run_instances(ImageId="ami-12345678", MinCount=2, MaxCount=2, InstanceType="t3.small")
    (stopped,) = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, InstanceType="m5.xlarge")[
        "Instances"
    ]
    assert quotas_info.used_vcpus(ec2) == 2 * 2 + 4
    ec2.stop_instances(InstanceIds=[stopped["InstanceId"]])
    assert quotas_info.used_vcpus(ec2) == 2 * 2


def test_known_quotas_are_returned_and_unknown_ones_are_not_invented(clients: Clients) -> None:
    clients("ec2").allocate_address(Domain="vpc")
    found = quotas_info.ask(clients)
    assert (found["vpcs"]["limit"], found["vpcs"]["used"], found["vpcs"]["unknown"]) == (5, 1, "")
    assert (found["elastic_ips"]["limit"], found["elastic_ips"]["used"]) == (None, 1)
    assert "Service Quotas does not tell it" in found["elastic_ips"]["unknown"]


class ServiceQuotas:
    """Service Quotas of an account that has only AWS's own values, or that may not ask."""

    class exceptions:  # noqa: N801
        """As botocore's clients have them."""

        class NoSuchResourceException(boto_errors.ClientError):
            """There is no applied value."""

    def __init__(self, code: str) -> None:
        self._code = code

    def get_service_quota(self, **_: str) -> dict[str, Any]:
        kind = self.exceptions.NoSuchResourceException if self._code == "NoSuchResource" else boto_errors.ClientError
        raise kind({"Error": {"Code": self._code, "Message": f"{self._code}!"}}, "GetServiceQuota")

    def get_paginator(self, _: str) -> ServiceQuotas:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return [{"Quotas": []}, {"Quotas": [{"QuotaCode": "L-1216C47A", "Value": 32.0}]}]


def test_a_quota_that_was_never_raised_is_awss_own() -> None:
    assert quotas_info.limit_of(ServiceQuotas("NoSuchResource"), "ec2", "L-1216C47A") == (32, "")


def test_a_caller_without_the_right_gets_a_message() -> None:
    limit, why = quotas_info.limit_of(ServiceQuotas("AccessDenied"), "ec2", "L-1216C47A")
    assert limit is None
    assert why == "Service Quotas does not tell it: AccessDenied!"


def make_all(clients: Clients, tags: dict[str, str]) -> None:
    """One thing of each kind, named `mine`."""
    iam = clients("iam")
    iam.create_role(RoleName="mine", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=listed(tags))
    iam.create_instance_profile(InstanceProfileName="mine", Tags=listed(tags))
    iam.create_user(UserName="mine", Tags=listed(tags))
    clients("ec2").create_key_pair(
        KeyName="mine", TagSpecifications=[{"ResourceType": "key-pair", "Tags": listed(tags)}]
    )
    clients("glue").create_crawler(
        Name="mine", Role="mine", Targets={"S3Targets": [{"Path": "s3://mine/quotes/"}]}, Tags=tags
    )
    clients("athena").create_work_group(Name="mine", Tags=listed(tags))


def states(clients: Clients) -> dict[str, str]:
    return {kind: names_info.state_of(clients, kind, "mine", TAGS) for kind in names_info.KINDS}


def test_a_name_is_free_where_nothing_has_it(clients: Clients) -> None:
    missing = boto_errors.ClientError(
        {"Error": {"Code": "InvalidRequestException", "Message": "WorkGroup mine is not found."}}, "GetWorkGroup"
    )
    assert names_info.is_absent(missing)
    found = {
        kind: names_info.state_of(clients, kind, "mine", TAGS) for kind in names_info.KINDS if "athena" not in kind
    }
    assert set(found.values()) == {"free"}


def test_what_carries_the_deployments_tags_is_its_own(clients: Clients) -> None:
    make_all(clients, TAGS)
    assert set(states(clients).values()) == {"own"}


def test_what_carries_other_tags_has_taken_the_name(clients: Clients) -> None:
    make_all(clients, {"Deployment": "theirs"})
    assert set(states(clients).values()) == {"taken"}


def test_iam_alone_decides_about_a_new_accounts_catalog(clients: Clients) -> None:
    assert lake_formation_info.ask(clients("lakeformation")) == (True, "")


@pytest.mark.parametrize("name", ["CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions"])
def test_lake_formation_decides_where_either_default_is_gone(clients: Clients, name: str) -> None:
    client = clients("lakeformation")
    settings = client.get_data_lake_settings()["DataLakeSettings"]
    client.put_data_lake_settings(DataLakeSettings=settings | {name: []})
    assert lake_formation_info.ask(client) == (False, "")
