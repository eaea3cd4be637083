#!/usr/bin/python
"""Ansible module: do these S3 buckets exist, whose are they, and which tags do they carry."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.stock_market.streaming.plugins.module_utils import aws
from botocore import exceptions as boto_errors

DOCUMENTATION = r"""
module: s3_bucket_owner_info
short_description: Whose buckets are these
description:
  - Bucket names are shared by all the world. Tells of each name whether it is free, the caller's own or somebody
    else's, which M(amazon.aws.s3_bucket_info) can't, as it lists the caller's own buckets only.
options:
  names:
    description: Names of the buckets.
    type: list
    elements: str
    required: true
  account_id:
    description: The account that counts as the caller's own.
    type: str
    required: true
extends_documentation_fragment: [stock_market.streaming.aws]
"""

EXAMPLES = r"""
- name: Ask who owns a bucket
  stock_market.streaming.s3_bucket_owner_info:
    names: [my-bucket]
    account_id: "123456789012"
  register: owners
"""

RETURN = r"""
buckets:
  description: >-
    What is known of each bucket, by name: C(state) is absent, own or foreign; C(region) and C(tags) are an own one's.
    C(bare) says of an own one that it has neither tags nor objects, as a run leaves it that ended after it was made.
  returned: always
  type: dict
  sample: {my-bucket: {state: own, region: us-east-1, tags: {Deployment: stock-market}, bare: false}}
"""


def look_up(client: Any, name: str, account_id: str) -> dict[str, Any]:
    """What S3 tells of one bucket. Raises botocore's ClientError for anything but absence and refusal."""
    try:
        head = client.head_bucket(Bucket=name, ExpectedBucketOwner=account_id)
    except boto_errors.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            return {"state": "absent", "region": "", "tags": {}, "bare": False}
        if status == 403:
            return {"state": "foreign", "region": "", "tags": {}, "bare": False}
        # A bucket of the caller's own in another region answers with a redirection that names it.
        region = error.response["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region")
        if status in {301, 400} and region:
            return {"state": "own", "region": region, "tags": {}, "bare": False}
        raise
    tags = tags_of(client, name)
    region = head.get("BucketRegion", client.meta.region_name)
    return {"state": "own", "region": region, "tags": tags, "bare": not tags and is_empty(client, name)}


def is_empty(client: Any, name: str) -> bool:
    """Whether an own bucket holds no object, and no version of one either."""
    held = client.list_object_versions(Bucket=name, MaxKeys=1)
    return not held.get("Versions") and not held.get("DeleteMarkers")


def tags_of(client: Any, name: str) -> dict[str, str]:
    """The tags of an own bucket; a bucket without tags has an empty dict."""
    try:
        answer = client.get_bucket_tagging(Bucket=name)
    except boto_errors.ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return {}
        raise
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Look each bucket up; return the module's result."""
    client, account = module.client("s3"), module.params["account_id"]
    return {"changed": False, "buckets": {name: look_up(client, name, account) for name in module.params["names"]}}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "S3 does not tell who owns the buckets")


if __name__ == "__main__":
    main()
