#!/usr/bin/python
"""Ansible module: a workgroup of Athena."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_message
from ansible_collections.amazon.aws.plugins.module_utils.iam import get_aws_account_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
    compare_aws_tags,
)
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: athena_workgroup
short_description: Manage a workgroup of Athena
description:
  - Creates, updates and deletes an Athena workgroup, which says where results of queries go, how they are encrypted and
    how much a query may read. It takes queries, and publishes no metrics.
options:
  name:
    description: The workgroup's name.
    type: str
    required: true
  description:
    description: What the workgroup is for. Left as it is when not given.
    type: str
  output_location:
    description: Where results go, an address in S3 such as C(s3://bucket/results/). Needed with I(state=present).
    type: str
  encryption:
    description: How results are encrypted; C(none) leaves that to the bucket.
    type: str
    choices: [SSE_S3, none]
    default: SSE_S3
  enforce:
    description: Whether the workgroup's settings win over those that come with a query.
    type: bool
    default: true
  scan_limit_bytes:
    description: Bytes after which a query is cancelled, at least 10000000; 0 is no limit.
    type: int
    default: 0
  state:
    description:
      - C(present) creates or updates the workgroup.
      - C(absent) deletes it with its history of queries and its named queries; the results in S3 stay.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description: The workgroup's tags; others are removed. Left as they are when not given.
    type: dict
    aliases: [resource_tags]
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.manages]
"""

EXAMPLES = r"""
- name: Create the workgroup of the quotes
  stock_market.streaming.athena_workgroup:
    name: stock-market
    output_location: s3://stock-market-athena-results-123456789012/results/
    scan_limit_bytes: 10000000000
    tags:
      Deployment: stock-market

- name: Delete it
  stock_market.streaming.athena_workgroup:
    name: stock-market
    state: absent
"""

RETURN = r"""
workgroup:
  description: The workgroup as it is now, or would be; empty when it is absent.
  returned: always
  type: dict
  sample:
    name: stock-market
    description: ""
    output_location: s3://stock-market-athena-results-123456789012/results/
    encryption: SSE_S3
    enforce: true
    scan_limit_bytes: 0
    metrics: false
    enabled: true
    tags: {Deployment: stock-market}
    arn: arn:aws:athena:us-east-1:123456789012:workgroup/stock-market
"""

LEAST_SCAN_LIMIT = 10_000_000


class Workgroup:
    """One workgroup, as it is and as it should be."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.params: dict[str, Any] = module.params
        self.client = module.client("athena", retry_decorator=AWSRetry.jittered_backoff())
        account, partition = get_aws_account_info(module)
        self.arn = f"arn:{partition}:athena:{module.region}:{account}:workgroup/{self.params['name']}"

    def current(self) -> dict[str, Any]:
        """The workgroup as Athena has it, empty if there is none."""
        try:
            found = self.client.get_work_group(WorkGroup=self.params["name"], aws_retry=True)["WorkGroup"]
        except is_boto3_error_message("is not found"):
            return {}
        pages = self.client.get_paginator("list_tags_for_resource").paginate(ResourceARN=self.arn)
        tags = [tag for page in pages for tag in page["Tags"]]
        configuration = found.get("Configuration", {})
        result = configuration.get("ResultConfiguration", {})
        encryption = result.get("EncryptionConfiguration", {})
        return {
            "name": found["Name"],
            "description": found.get("Description") or "",
            "output_location": result.get("OutputLocation", ""),
            "encryption": encryption.get("EncryptionOption", "none"),
            "enforce": configuration.get("EnforceWorkGroupConfiguration", False),
            "scan_limit_bytes": configuration.get("BytesScannedCutoffPerQuery", 0),
            "metrics": configuration.get("PublishCloudWatchMetricsEnabled", False),
            "enabled": found.get("State", "ENABLED") == "ENABLED",
            "tags": boto3_tag_list_to_ansible_dict(tags),
            "arn": self.arn,
        }

    def wanted(self, current: dict[str, Any]) -> dict[str, Any]:
        """The workgroup as it should be, given what it is."""
        plain = ("name", "output_location", "encryption", "enforce", "scan_limit_bytes")
        wanted = {option: self.params[option] for option in plain} | {"metrics": False, "enabled": True}
        wanted["arn"] = self.arn
        wanted["description"] = current.get("description", "")
        if self.params["description"] is not None:
            wanted["description"] = self.params["description"]
        wanted["tags"] = current.get("tags", {})
        if self.params["tags"] is not None:
            wanted["tags"] = {key: str(value) for key, value in self.params["tags"].items()}
        return wanted

    def write(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        """Create, update or delete it; with it goes all that Athena keeps in it."""
        if not wanted:
            self.client.delete_work_group(WorkGroup=self.params["name"], RecursiveDeleteOption=True, aws_retry=True)
            return
        if not current:
            self.client.create_work_group(
                Name=wanted["name"],
                Description=wanted["description"],
                Configuration=_configuration(wanted),
                Tags=ansible_dict_to_boto3_tag_list(wanted["tags"]),
                aws_retry=True,
            )
            return
        settings = {key: value for key, value in wanted.items() if key != "tags"}
        if settings != {key: value for key, value in current.items() if key != "tags"}:
            self.client.update_work_group(
                WorkGroup=wanted["name"],
                Description=wanted["description"],
                ConfigurationUpdates=_updates(wanted),
                State="ENABLED",
                aws_retry=True,
            )
        to_add, to_remove = compare_aws_tags(current["tags"], wanted["tags"])
        if to_remove:
            self.client.untag_resource(ResourceARN=self.arn, TagKeys=to_remove, aws_retry=True)
        if to_add:
            tags = ansible_dict_to_boto3_tag_list(to_add)
            self.client.tag_resource(ResourceARN=self.arn, Tags=tags, aws_retry=True)


def _configuration(wanted: dict[str, Any]) -> dict[str, Any]:
    results: dict[str, Any] = {"OutputLocation": wanted["output_location"]}
    if wanted["encryption"] != "none":
        results["EncryptionConfiguration"] = {"EncryptionOption": wanted["encryption"]}
    configuration: dict[str, Any] = {
        "ResultConfiguration": results,
        "EnforceWorkGroupConfiguration": wanted["enforce"],
        "PublishCloudWatchMetricsEnabled": wanted["metrics"],
    }
    if wanted["scan_limit_bytes"]:
        configuration["BytesScannedCutoffPerQuery"] = wanted["scan_limit_bytes"]
    return configuration


def _updates(wanted: dict[str, Any]) -> dict[str, Any]:
    updates = _configuration(wanted)
    result = updates.pop("ResultConfiguration")
    if "EncryptionConfiguration" not in result:
        result["RemoveEncryptionConfiguration"] = True
    if not wanted["scan_limit_bytes"]:
        updates["RemoveBytesScannedCutoffPerQuery"] = True
    return {**updates, "ResultConfigurationUpdates": result}


def check(module: AnsibleAWSModule) -> None:
    """Fail with a sentence where the options contradict Athena's rules."""
    params = module.params
    if params["state"] == "absent":
        if params["name"] == "primary":
            module.fail_json(msg="Athena's workgroup 'primary' can't be deleted.")
        return
    if not params["output_location"].startswith("s3://"):
        module.fail_json(
            msg=f"output_location is '{params['output_location']}': it must be an address such as s3://bucket/results/."
        )
    if params["scan_limit_bytes"] != 0 and params["scan_limit_bytes"] < LEAST_SCAN_LIMIT:
        module.fail_json(
            msg=f"scan_limit_bytes is {params['scan_limit_bytes']}: Athena takes {LEAST_SCAN_LIMIT} or more, and 0 is "
            "no limit."
        )


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Bring the workgroup to the state that is asked for; return the module's result."""
    check(module)
    workgroup = Workgroup(module)
    current = workgroup.current()
    wanted = {} if module.params["state"] == "absent" else workgroup.wanted(current)
    if current != wanted and not module.check_mode:
        workgroup.write(current, wanted)
    return {"changed": current != wanted, "workgroup": wanted, "diff": {"before": current, "after": wanted}}


def main() -> None:
    failure = "The Athena workgroup '{name}' can't be managed"
    aws.run_module(DOCUMENTATION, run, failure, required_if=[("state", "present", ["output_location"])])


if __name__ == "__main__":
    main()
