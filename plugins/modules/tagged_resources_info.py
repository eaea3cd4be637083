#!/usr/bin/python
"""Ansible module: every AWS resource that carries some tags."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict as as_dict
from ansible_collections.stock_market.streaming.plugins.module_utils import aws
from botocore import exceptions as boto_errors

DOCUMENTATION = r"""
module: tagged_resources_info
short_description: Find every resource that carries some tags
description:
  - Asks EC2, S3, IAM, Glue, Athena, SSM and Budgets themselves, since the tagging API knows nothing of some of their
    resources and still shows others minutes after they are gone; then asks the tagging API for anything else, which is
    reported as C(other).
  - What is being deleted already (a terminated instance, a volume on its way out) is not reported.
options:
  tags:
    description: Tags that a resource must carry, all of them.
    type: dict
    required: true
  prefix:
    description: >-
      How the names in IAM begin, as IAM can't filter by tag and an account may have many. Without its last hyphen it is
      the budget's name.
    type: str
    required: true
  buckets:
    description:
      - Buckets to look at besides those that the tagging API knows, which learns of a new one late.
      - One of them that has neither tags nor objects is reported too, as a run leaves it that ended after it was made.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to go on searching until nothing but O(keep) is left; 0 searches once.
    type: int
    default: 0
  keep:
    description: Ids of resources that are not waited for.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [stock_market.streaming.aws]
"""

EXAMPLES = r"""
- name: Find all that is left of a deployment
  stock_market.streaming.tagged_resources_info:
    tags:
      Deployment: stock-market
    prefix: stock-market-
  register: found
"""

RETURN = r"""
resources:
  description: >-
    What was found, in the order in which it can be deleted. C(kind) is glue-crawler, glue-database, athena-workgroup,
    instance, nat-gateway, elastic-ip, volume, network-interface, vpc-endpoint, security-group, subnet, route-table,
    internet-gateway, vpc, key-pair, instance-profile, role, user, policy, ssm-parameter, budget, bucket or other;
    those of EC2 have C(vpc_id), C(cidr), C(address) and C(attached_to) too.
  returned: always
  type: list
  elements: dict
  sample: [{kind: vpc, id: vpc-0123456789abcdef0, name: stock-market, tags: {Deployment: stock-market}}]
"""

SECONDS_BETWEEN_SEARCHES = 3

Tags = dict[str, str]
Resource = dict[str, Any]
Client = Any
Clients = Callable[[str], Client]

# EC2's kinds: the call, the key of its list, the key of the id. In the order of deletion.
EC2_KINDS = {
    "elastic-ip": ("describe_addresses", "Addresses", "AllocationId"),
    "volume": ("describe_volumes", "Volumes", "VolumeId"),
    "network-interface": ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    "vpc-endpoint": ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    "security-group": ("describe_security_groups", "SecurityGroups", "GroupId"),
    "subnet": ("describe_subnets", "Subnets", "SubnetId"),
    "route-table": ("describe_route_tables", "RouteTables", "RouteTableId"),
    "internet-gateway": ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    "vpc": ("describe_vpcs", "Vpcs", "VpcId"),
    "key-pair": ("describe_key_pairs", "KeyPairs", "KeyPairId"),
}
# How Glue, Athena, IAM and S3 say that what a list has shown is gone; the lists go on to show it for some seconds.
VANISHED = {
    "EntityNotFoundException",
    "ResourceNotFoundException",
    "NoSuchEntity",
    "NoSuchBucket",
    "NoSuchTagSet",
    "404",
}
NOT_TERMINATED = ["pending", "running", "stopping", "stopped", "shutting-down"]
GONE = {"deleting", "deleted"}
# A NAT gateway that is being deleted holds its address and subnet; one that failed holds nothing, and AWS removes it.
NAT_NOT_GONE = ["pending", "available", "deleting"]

# What the services were asked themselves, by the part of the ARN after the account: there the tagging API has no say.
ASKED_ITSELF = {
    "ec2": (*(f"{kind}/" for kind in EC2_KINDS), "elastic-ip/", "instance/", "natgateway/"),
    "s3": ("",),
    "iam": ("role/", "instance-profile/", "user/", "policy/"),
    "glue": ("crawler/", "database/"),
    "athena": ("workgroup/",),
    "budgets": ("budget/",),
    "ssm": ("parameter/",),
}


def pages(client: Client, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    """The entries of a listing call, whether or not botocore has a paginator for it."""
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page.get(key, [])
    else:
        while True:
            answer = getattr(client, operation)(**arguments)
            yield from answer.get(key, [])
            if not answer.get("NextToken"):
                return
            arguments["NextToken"] = answer["NextToken"]


def unless_vanished(call: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    """What a call tells of a resource; nothing if the resource is gone since it was listed."""
    try:
        return call(**arguments)
    except boto_errors.ClientError as error:
        if error.response["Error"]["Code"] in VANISHED:
            return {}
        raise


def find_ec2(client: Client, tags: Tags) -> Iterator[Resource]:
    """Instances that are not terminated yet, and all that stands around them."""
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    there = [*filters, {"Name": "instance-state-name", "Values": NOT_TERMINATED}]
    for reservation in pages(client, "describe_instances", "Reservations", Filters=there):
        for entry in reservation["Instances"]:
            yield describe_ec2("instance", entry, "InstanceId")
    not_gone = [*filters, {"Name": "state", "Values": NAT_NOT_GONE}]
    for entry in pages(client, "describe_nat_gateways", "NatGateways", Filter=not_gone):
        yield describe_ec2("nat-gateway", entry, "NatGatewayId")
    for kind, (operation, key, identifier) in EC2_KINDS.items():
        for entry in pages(client, operation, key, Filters=filters):
            if str(entry.get("State")).lower() not in GONE:
                yield describe_ec2(kind, entry, identifier)


def describe_ec2(kind: str, entry: dict[str, Any], identifier: str) -> Resource:
    own = as_dict(entry.get("Tags") or entry.get("TagSet"))
    name = entry.get("GroupName") or entry.get("KeyName") if kind in {"security-group", "key-pair"} else own.get("Name")
    found = {"kind": kind, "id": entry[identifier], "name": name or entry[identifier], "tags": own}
    attached = [attachment["VpcId"] for attachment in entry.get("Attachments", []) if "VpcId" in attachment]
    found["vpc_id"] = entry.get("VpcId") or next(iter(attached), "")
    machines = [attachment["InstanceId"] for attachment in entry.get("Attachments", []) if "InstanceId" in attachment]
    found["attached_to"] = next(iter(machines), "")
    found["cidr"] = entry.get("CidrBlock", "")
    found["address"] = entry.get("PublicIp") or entry.get("PublicIpAddress") or ""
    return found


def find_glue(client: Client, tags: Tags, arn: Callable[[str], str]) -> Iterator[Resource]:
    """Crawlers and databases; Glue lists tags by the resource's ARN only."""
    for kind, operation, key in (
        ("crawler", "get_crawlers", "Crawlers"),
        ("database", "get_databases", "DatabaseList"),
    ):
        for entry in pages(client, operation, key):
            name = entry["Name"]
            own = unless_vanished(client.get_tags, ResourceArn=arn(f"{kind}/{name}")).get("Tags", {})
            if tags.items() <= own.items():
                yield {"kind": f"glue-{kind}", "id": name, "name": name, "tags": own}


def find_athena(client: Client, tags: Tags, arn: Callable[[str], str]) -> Iterator[Resource]:
    for entry in pages(client, "list_work_groups", "WorkGroups"):
        name = entry["Name"]
        if name == "primary":
            continue  # every account has it from the start
        answer = unless_vanished(client.list_tags_for_resource, ResourceARN=arn(f"workgroup/{name}"))
        own = as_dict(answer.get("Tags"))
        if tags.items() <= own.items():
            yield {"kind": "athena-workgroup", "id": name, "name": name, "tags": own}


# IAM's kinds: the listing call and its key, the key of the name, the call that tells of one, its argument and its key.
IAM_KINDS = {
    "instance-profile": (
        *("list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
        *("get_instance_profile", "InstanceProfileName", "InstanceProfile"),
    ),
    "role": ("list_roles", "Roles", "RoleName", "get_role", "RoleName", "Role"),
    "user": ("list_users", "Users", "UserName", "get_user", "UserName", "User"),
    "policy": ("list_policies", "Policies", "PolicyName", "get_policy", "Arn", "Policy"),
}


def find_iam(client: Client, tags: Tags, prefix: str) -> Iterator[Resource]:
    """What begins with the prefix; IAM's lists leave the tags out."""
    for kind, (listing, entries, identifier, getting, argument, key) in IAM_KINDS.items():
        scope = {"Scope": "Local"} if kind == "policy" else {}
        for entry in pages(client, listing, entries, **scope):
            name = entry[identifier]
            if name.startswith(prefix):
                parameter = {"PolicyArn": entry["Arn"]} if argument == "Arn" else {argument: name}
                own = as_dict(unless_vanished(getattr(client, getting), **parameter).get(key, {}).get("Tags"))
                if tags.items() <= own.items():
                    yield {"kind": kind, "id": name, "name": name, "tags": own}


def find_parameters(client: Client, tags: Tags) -> Iterator[Resource]:
    """Parameters of Parameter Store; their values are not read."""
    filters = [{"Key": f"tag:{key}", "Option": "Equals", "Values": [value]} for key, value in tags.items()]
    for entry in pages(client, "describe_parameters", "Parameters", ParameterFilters=filters):
        yield {"kind": "ssm-parameter", "id": entry["Name"], "name": entry["Name"], "tags": tags}


def find_budgets(client: Client, tags: Tags, account: str, name: str) -> Iterator[Resource]:
    """The budget of that name; whoever may not see budgets has made none."""
    try:
        client.describe_budget(AccountId=account, BudgetName=name)
        arn = f"arn:aws:budgets::{account}:budget/{name}"
        own = as_dict(client.list_tags_for_resource(ResourceARN=arn)["ResourceTags"])
    except boto_errors.ClientError as error:
        if error.response["Error"]["Code"] in {"NotFoundException", "AccessDeniedException"}:
            return
        raise
    if tags.items() <= own.items():
        yield {"kind": "budget", "id": name, "name": name, "tags": own}


def find_buckets(client: Client, tags: Tags, names: Iterable[str], account: str) -> Iterator[Resource]:
    """Those of the named buckets that exist, are the account's own and carry the tags, or nothing at all."""
    for name in sorted(set(names)):
        try:
            answer = unless_vanished(client.get_bucket_tagging, Bucket=name, ExpectedBucketOwner=account)
        except boto_errors.ClientError as error:
            if error.response["Error"]["Code"] in {"AccessDenied", "403"}:
                continue
            raise
        own = as_dict(answer.get("TagSet"))
        if tags.items() <= own.items() or (not own and is_empty(client, name, account)):
            yield {"kind": "bucket", "id": name, "name": name, "tags": own}


def is_empty(client: Client, name: str, account: str) -> bool:
    """Whether a bucket is there and holds no object, and no version of one either."""
    held = unless_vanished(client.list_object_versions, Bucket=name, MaxKeys=1, ExpectedBucketOwner=account)
    return bool(held) and not held.get("Versions") and not held.get("DeleteMarkers")


def find_tagged(client: Client, tags: Tags) -> dict[str, Tags]:
    """What the tagging API knows: tags by ARN."""
    filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    entries = pages(client, "get_resources", "ResourceTagMappingList", TagFilters=filters)
    return {entry["ResourceARN"]: as_dict(entry["Tags"]) for entry in entries}


def is_asked_itself(arn: str) -> bool:
    """Whether the resource's own service was asked for its kind."""
    service, rest = arn.split(":")[2], arn.split(":", 5)[5]
    return rest.startswith(ASKED_ITSELF.get(service, ()))


def find(clients: Clients, tags: Tags, prefix: str, buckets: list[str]) -> list[Resource]:
    """Every resource with the tags, in the order in which it can be deleted."""
    caller = clients("sts").get_caller_identity()
    partition, account = caller["Arn"].split(":")[1], caller["Account"]

    def arn(service: str) -> Callable[[str], str]:
        region = clients(service).meta.region_name
        return lambda rest: f"arn:{partition}:{service}:{region}:{account}:{rest}"

    tagged = find_tagged(clients("resourcegroupstaggingapi"), tags)
    known_buckets = [name.split(":::", 1)[1] for name in tagged if name.split(":")[2] == "s3"]
    return [
        *find_glue(clients("glue"), tags, arn("glue")),
        *find_athena(clients("athena"), tags, arn("athena")),
        *find_ec2(clients("ec2"), tags),
        *find_iam(clients("iam"), tags, prefix),
        *find_parameters(clients("ssm"), tags),
        # The other partitions have no AWS Budgets, or another one.
        *(find_budgets(clients("budgets"), tags, account, prefix.rstrip("-")) if partition == "aws" else ()),
        *find_buckets(clients("s3"), tags, [*known_buckets, *buckets], account),
        *(
            {"kind": "other", "id": name, "name": name, "tags": own}
            for name, own in sorted(tagged.items())
            if not is_asked_itself(name)
        ),
    ]


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Search until nothing but what is kept is left, or the time is over; return the module's result."""
    clients, params = functools.cache(module.client), module.params
    give_up = time.monotonic() + params["timeout"]
    resources = find(clients, params["tags"], params["prefix"], params["buckets"])
    while {found["id"] for found in resources} - set(params["keep"]) and time.monotonic() < give_up:
        time.sleep(SECONDS_BETWEEN_SEARCHES)
        resources = find(clients, params["tags"], params["prefix"], params["buckets"])
    return {"changed": False, "resources": resources}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "The search for tagged resources could not be finished")


if __name__ == "__main__":
    main()
