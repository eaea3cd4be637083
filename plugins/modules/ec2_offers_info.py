#!/usr/bin/python
"""Ansible module: what EC2 offers in a region, and which instances a deployment has there.

amazon.aws has no module for instance types, and its others for the rest would be three more tasks in each run.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict as as_dict
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: ec2_offers_info
short_description: What EC2 offers, and what a deployment has
description:
  - Tells in one go which availability zones a region has, which of the named instance types exist and where they are
    offered, which is the newest image of a name, and which instances carry given tags.
  - No module of amazon.aws knows instance types.
options:
  instance_types:
    description: Instance types to look up.
    type: list
    elements: str
    required: true
  image_owner:
    description: The account that publishes the image.
    type: str
    required: true
  image_name:
    description: The image's name; C(*) stands for any text.
    type: str
    required: true
  tags:
    description: Tags that an instance must carry to be reported.
    type: dict
    required: true
extends_documentation_fragment: [stock_market.streaming.aws]
"""

EXAMPLES = r"""
- name: Ask what EC2 offers
  stock_market.streaming.ec2_offers_info:
    instance_types: [t3.small]
    image_owner: "136693071363"
    image_name: debian-12-amd64-*
    tags:
      Deployment: stock-market
  register: offers
"""

RETURN = r"""
zones: {description: Names of the region's availability zones., returned: always, type: list, sample: [us-east-1a]}
instance_types:
  description: By name of each type that exists C(zones), C(architectures), C(memory_mib), C(vcpus), C(burstable).
  returned: always
  type: dict
  sample: {t3.small: {zones: [us-east-1a], architectures: [x86_64], memory_mib: 2048, vcpus: 2, burstable: true}}
image:
  description: The newest image of the name, empty when there is none.
  returned: always
  type: dict
  sample: {id: ami-0123456789abcdef0, name: debian-12-amd64-20260101-1, architecture: x86_64, root_device: /dev/xvda}
instances:
  description: Instances with the tags that are not terminated.
  returned: always
  type: list
  elements: dict
  sample: [{id: i-0123456789abcdef0, name: node-1, type: t3.small, zone: us-east-1a, state: running, tags: {}}]
"""

ALIVE = ["pending", "running", "stopping", "stopped"]


def describe_types(client: Any, names: list[str]) -> dict[str, dict[str, Any]]:
    """What EC2 tells of the types that exist among `names`."""
    by_name = [{"Name": "instance-type", "Values": names}]
    types: dict[str, dict[str, Any]] = {}
    for page in client.get_paginator("describe_instance_types").paginate(Filters=by_name):
        for entry in page["InstanceTypes"]:
            types[entry["InstanceType"]] = {
                "architectures": entry["ProcessorInfo"]["SupportedArchitectures"],
                "burstable": entry["BurstablePerformanceSupported"],
                "memory_mib": entry["MemoryInfo"]["SizeInMiB"],
                "vcpus": entry["VCpuInfo"]["DefaultVCpus"],
                "zones": [],
            }
    pages = client.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone", Filters=by_name
    )
    for page in pages:
        for entry in page["InstanceTypeOfferings"]:
            if entry["InstanceType"] in types:
                types[entry["InstanceType"]]["zones"].append(entry["Location"])
    return types


def newest_image(client: Any, owner: str, name: str) -> dict[str, Any]:
    """The image of that owner and name that was made last, or an empty dict."""
    filters = [{"Name": "name", "Values": [name]}, {"Name": "state", "Values": ["available"]}]
    images = client.describe_images(Owners=[owner], Filters=filters)["Images"]
    if not images:
        return {}
    image = max(images, key=lambda entry: str(entry["CreationDate"]))
    return {
        "id": image["ImageId"],
        "name": image["Name"],
        "architecture": image["Architecture"],
        "root_device": image["RootDeviceName"],
    }


def living_instances(client: Any, tags: dict[str, str]) -> list[dict[str, Any]]:
    """The instances with all of the tags, sorted by name; terminated ones are gone."""
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    filters.append({"Name": "instance-state-name", "Values": ALIVE})
    found = []
    for page in client.get_paginator("describe_instances").paginate(Filters=filters):
        for reservation in page["Reservations"]:
            for entry in reservation["Instances"]:
                own = as_dict(entry.get("Tags"))
                found.append(
                    {
                        "id": entry["InstanceId"],
                        "name": own.get("InstanceName", ""),
                        "type": entry["InstanceType"],
                        "zone": entry["Placement"]["AvailabilityZone"],
                        "state": entry["State"]["Name"],
                        "tags": own,
                    }
                )
    return sorted(found, key=lambda entry: (entry["name"], entry["id"]))


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Ask EC2; return the module's result."""
    params, client = module.params, module.client("ec2")
    zones = client.describe_availability_zones()["AvailabilityZones"]
    return {
        "changed": False,
        "zones": sorted(zone["ZoneName"] for zone in zones),
        "instance_types": describe_types(client, params["instance_types"]),
        "image": newest_image(client, params["image_owner"], params["image_name"]),
        "instances": living_instances(client, params["tags"]),
    }


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "EC2 does not tell what it offers")


if __name__ == "__main__":
    main()
