#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: the first keys below a prefix of an S3 bucket."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from botocore import exceptions as boto_errors

DOCUMENTATION = r"""
---
module: s3_prefix_info
short_description: List the first keys below a prefix of an S3 bucket
description:
  - Returns at most I(max_keys) keys that begin with a prefix, in order, with one call, however many the bucket holds.
  - amazon.aws.s3_object_info always lists the whole bucket.
options:
  bucket:
    description: The bucket's name.
    type: str
    required: true
  prefix:
    description: What the keys begin with.
    type: str
    default: ""
  max_keys:
    description: How many keys to return at most, 1 to 1000.
    type: int
    default: 1000
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode: {description: Only reads., support: full}
  diff_mode: {description: Has nothing to show., support: none}
author: stock-market
"""

EXAMPLES = r"""
- name: Wait for the first object
  s3_prefix_info:
    bucket: stock-market-data-123456789012
    prefix: quotes/
    max_keys: 1
  register: objects
  until: objects.keys_found | length > 0
  retries: 60
  delay: 3
"""

RETURN = r"""
keys_found:
  description: The keys.
  returned: always
  type: list
  elements: str
  sample: [quotes/dt=2026-01-31/hour=09/stock-quotes+Hn0tZ9ahTl-OLv5vYdzvDg+0+00000000000000000000.json.gz]
truncated: {description: Whether there are more keys., returned: always, type: bool, sample: false}
"""

MOST_KEYS = 1000


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """List the keys; return the module's result."""
    params = module.params
    if not 1 <= params["max_keys"] <= MOST_KEYS:
        module.fail_json(msg=f"max_keys is {params['max_keys']}; one call to S3 returns 1 to {MOST_KEYS} keys.")
    client = module.client("s3", retry_decorator=AWSRetry.jittered_backoff())
    try:
        page = client.list_objects_v2(
            Bucket=params["bucket"], Prefix=params["prefix"], MaxKeys=params["max_keys"], aws_retry=True
        )
    except is_boto3_error_code("NoSuchBucket"):
        module.fail_json(msg=f"There is no bucket '{params['bucket']}': create it first, with playbooks/cloud.yml.")
    return {
        "changed": False,
        "keys_found": [entry["Key"] for entry in page.get("Contents", [])],
        "truncated": bool(page.get("IsTruncated")),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "prefix": {"type": "str", "default": ""},
            "max_keys": {"type": "int", "default": MOST_KEYS, "no_log": False},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (boto_errors.BotoCoreError, boto_errors.ClientError) as error:
        module.fail_json_aws(error, msg=f"The bucket '{module.params['bucket']}' can't be listed")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
