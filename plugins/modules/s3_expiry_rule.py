#!/usr/bin/python
"""Ansible module: a lifecycle rule of a bucket that expires the objects with a prefix and a tag."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: s3_expiry_rule
short_description: Expire a bucket's objects with a prefix and a tag
description:
  - M(community.aws.s3_lifecycle) knows no tags. The bucket's other rules stay as they are.
  - In check mode a bucket that is not there counts as one without rules.
options:
  bucket:
    description: The bucket's name.
    type: str
    required: true
  rule_id:
    description: The rule's id, unique in the bucket.
    type: str
    required: true
  state:
    description: Whether there is to be such a rule.
    type: str
    choices: [present, absent]
    default: present
  prefix:
    description: What the keys of the objects begin with.
    type: str
    default: ""
  tag:
    description: The tag that an object must carry; required where there is to be a rule.
    type: dict
    suboptions:
      key: {description: The tag's key., type: str, required: true}
      value: {description: The tag's value., type: str, required: true}
  days:
    description: Days after which such an object expires, 1 or more; required where there is to be a rule.
    type: int
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.manages]
"""

EXAMPLES = r"""
- name: Expire what is marked as old after 30 days
  stock_market.streaming.s3_expiry_rule:
    bucket: my-data
    rule_id: old-expires
    prefix: quotes/
    tag: {key: age, value: old}
    days: 30
"""

RETURN = r"""
rule: {description: The rule as it is now; empty when it is absent., returned: always, type: dict}
"""


def _rules(client: Any, bucket: str, *, check_mode: bool) -> list[dict[str, Any]]:
    try:
        return list(client.get_bucket_lifecycle_configuration(Bucket=bucket, aws_retry=True)["Rules"])
    except is_boto3_error_code("NoSuchLifecycleConfiguration"):
        return []
    except is_boto3_error_code("NoSuchBucket"):
        if check_mode:
            return []
        raise


def _wanted(params: dict[str, Any]) -> dict[str, Any]:
    if params["state"] == "absent":
        return {}
    tag = {"Key": str(params["tag"]["key"]), "Value": str(params["tag"]["value"])}
    return {
        "ID": params["rule_id"],
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": params["prefix"], "Tags": [tag]}},
        "Expiration": {"Days": params["days"]},
    }


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Bring the rule to the state that is asked for; return the module's result."""
    params, check_mode = module.params, module.check_mode
    if params["state"] == "present" and params["days"] < 1:
        module.fail_json(msg=f"days is {params['days']}: objects expire after whole days, at least 1")
    client = module.client("s3", retry_decorator=AWSRetry.jittered_backoff())
    bucket = params["bucket"]
    rules = _rules(client, bucket, check_mode=check_mode)
    current = next((rule for rule in rules if rule["ID"] == params["rule_id"]), {})
    wanted = _wanted(params)
    if current != wanted and not check_mode:
        others = [rule for rule in rules if rule["ID"] != params["rule_id"]]
        changed = [*others, wanted] if wanted else others
        if changed:
            configuration = {"Rules": changed}
            client.put_bucket_lifecycle_configuration(
                Bucket=bucket, LifecycleConfiguration=configuration, aws_retry=True
            )
        else:
            client.delete_bucket_lifecycle(Bucket=bucket, aws_retry=True)
    return {"changed": current != wanted, "rule": wanted, "diff": {"before": current, "after": wanted}}


def main() -> None:
    failure = "The bucket's lifecycle rule could not be made as it is declared"
    aws.run_module(DOCUMENTATION, run, failure, required_if=[("state", "present", ("tag", "days"))])


if __name__ == "__main__":
    main()
