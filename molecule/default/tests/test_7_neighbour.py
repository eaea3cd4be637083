"""A second deployment in the same account is created and removed, and the first does not change."""

from __future__ import annotations

import os
from typing import Any

from conftest import Deployment, eventually, printed

NEIGHBOUR = "stock-market-next-door"


def belongings(deployment: Deployment, name: str) -> dict[str, Any]:
    """What a deployment has in the account: by tag, by name, and the states of its instances."""
    tagged = deployment.client("resourcegroupstaggingapi").get_paginator("get_resources")
    pages = tagged.paginate(TagFilters=[{"Key": "Deployment", "Values": [name]}])
    instances = deployment.client("ec2").describe_instances(Filters=[{"Name": "tag:Deployment", "Values": [name]}])
    roles = deployment.client("iam").list_roles()["Roles"]
    databases = deployment.client("glue").get_databases()["DatabaseList"]
    return {
        "tagged": sorted(one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]),
        "roles": sorted(role["RoleName"] for role in roles if role["RoleName"].startswith(f"{name}-")),
        "databases": [one["Name"] for one in databases if one["Name"] == name.replace("-", "_")],
        "buckets": [
            bucket["Name"]
            for bucket in deployment.client("s3").list_buckets()["Buckets"]
            if bucket["Name"].startswith(f"{name}-")
        ],
        "running": sorted(
            instance["InstanceId"]
            for reservation in instances["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] == "running"
        ),
    }


def test_a_second_deployment_is_created_and_removed_and_the_first_does_not_change(deployment: Deployment) -> None:
    first = os.environ["STOCK_MARKET_DEPLOYMENT"]
    before = belongings(deployment, first)
    # Both ask one endpoint, whose block this is; VPCs share a bridge in the local cloud, so they get other addresses.
    settings = ("-e", "local_cloud_block=33", "-e", "network_cidr=10.78.0.0/16")
    printed("cloud.yml", *settings, STOCK_MARKET_DEPLOYMENT=NEIGHBOUR)
    beside = belongings(deployment, NEIGHBOUR)
    assert beside["databases"] == ["stock_market_next_door"]
    assert len(beside["buckets"]) == 2
    assert len(beside["running"]) == 1
    assert belongings(deployment, first) == before
    gone = ("-e", "teardown_confirm=true", "-e", "purge_data=true")
    printed("teardown.yml", *settings, *gone, STOCK_MARKET_DEPLOYMENT=NEIGHBOUR)
    kinds = ("roles", "databases", "buckets", "running")

    def is_gone() -> bool:
        after = belongings(deployment, NEIGHBOUR)
        return not any(after[kind] for kind in kinds)

    # IAM's lists show a deleted role for some seconds.
    eventually(is_gone, seconds=30, what="nothing of the neighbour is left")
    assert belongings(deployment, first) == before
