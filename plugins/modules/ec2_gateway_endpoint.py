#!/usr/bin/python
"""Ansible module: a gateway endpoint of a VPC, with the policy and the route tables that are asked for."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.ec2 import ensure_ec2_tags
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    boto3_tag_list_to_ansible_dict,
    boto3_tag_specifications,
)
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: ec2_gateway_endpoint
short_description: Create or change a gateway endpoint of a VPC
description:
  - M(amazon.aws.ec2_vpc_endpoint) changes neither the policy nor the route tables of an endpoint that exists, and takes
    one with other route tables for none; this module changes them.
  - M(amazon.aws.ec2_vpc_endpoint) deletes it.
options:
  vpc_id:
    description: The VPC.
    type: str
    required: true
  service:
    description: The service's name, which has the region in it.
    type: str
    required: true
  route_table_ids:
    description: The route tables that get a route to the endpoint, and no other.
    type: list
    elements: str
    required: true
  policy:
    description: Who may do what through the endpoint.
    type: json
    required: true
  tags:
    description: The endpoint's tags; others are removed.
    type: dict
    required: true
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.manages]
"""

EXAMPLES = r"""
- name: Keep what goes to S3 within AWS
  stock_market.streaming.ec2_gateway_endpoint:
    vpc_id: vpc-0123456789abcdef0
    service: com.amazonaws.us-east-1.s3
    route_table_ids: [rtb-0123456789abcdef0]
    policy: {Statement: [{Effect: Allow, Principal: "*", Action: "s3:*", Resource: "*"}]}
    tags: {Deployment: stock-market}
"""

RETURN = r"""
endpoint_id: {description: The endpoint's id; empty in check mode where there is none yet., returned: always, type: str}
"""


class GatewayEndpoint:
    """One endpoint, as it is and as it should be."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params: dict[str, Any] = module.params
        self.client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
        self.policy: dict[str, Any] = json.loads(self.params["policy"])
        self.identifier = ""

    def current(self) -> dict[str, Any]:
        """The endpoint as EC2 has it, empty if there is none."""
        filters = [
            {"Name": "vpc-id", "Values": [self.params["vpc_id"]]},
            {"Name": "service-name", "Values": [self.params["service"]]},
        ]
        answer = self.client.describe_vpc_endpoints(Filters=filters, aws_retry=True)
        for found in answer["VpcEndpoints"]:
            if found["VpcEndpointType"] == "Gateway" and found["State"].lower() in {"available", "pending"}:
                self.identifier = found["VpcEndpointId"]
                return {
                    "route_table_ids": sorted(found["RouteTableIds"]),
                    "policy": json.loads(found["PolicyDocument"]),
                    "tags": boto3_tag_list_to_ansible_dict(found.get("Tags", [])),
                }
        return {}

    def wanted(self, current: dict[str, Any]) -> dict[str, Any]:
        """The endpoint as it should be, with the words of the policy that it has where they mean the same."""
        same = bool(current) and not compare_policies(current["policy"], self.policy)
        return {
            "route_table_ids": sorted(self.params["route_table_ids"]),
            "policy": current["policy"] if same else self.policy,
            "tags": {key: str(value) for key, value in self.params["tags"].items()},
        }

    def write(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        """Create it, or change what differs."""
        if not current:
            created = self.client.create_vpc_endpoint(
                VpcId=self.params["vpc_id"],
                VpcEndpointType="Gateway",
                ServiceName=self.params["service"],
                RouteTableIds=wanted["route_table_ids"],
                PolicyDocument=json.dumps(wanted["policy"]),
                TagSpecifications=boto3_tag_specifications(wanted["tags"], ["vpc-endpoint"]),
                aws_retry=True,
            )
            self.identifier = created["VpcEndpoint"]["VpcEndpointId"]
            return
        tables, asked = set(current["route_table_ids"]), set(wanted["route_table_ids"])
        changes: dict[str, Any] = {
            "AddRouteTableIds": sorted(asked - tables),
            "RemoveRouteTableIds": sorted(tables - asked),
        }
        changes = {name: ids for name, ids in changes.items() if ids}
        if current["policy"] != wanted["policy"]:
            changes["PolicyDocument"] = json.dumps(wanted["policy"])
        if changes:
            self.client.modify_vpc_endpoint(VpcEndpointId=self.identifier, aws_retry=True, **changes)
        if current["tags"] != wanted["tags"]:
            ensure_ec2_tags(
                self.client, self.module, self.identifier, resource_type="vpc-endpoint", tags=wanted["tags"]
            )


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Bring the endpoint to the state that is asked for; return the module's result."""
    endpoint = GatewayEndpoint(module)
    current = endpoint.current()
    wanted = endpoint.wanted(current)
    changed = current != wanted
    if changed and not module.check_mode:
        endpoint.write(current, wanted)
    return {
        "changed": changed,
        "endpoint_id": endpoint.identifier,
        "diff": {"before": current, "after": wanted},
    }


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "The gateway endpoint could not be made as it is declared")


if __name__ == "__main__":
    main()
