#!/usr/bin/python
"""Ansible module: the configuration of a Glue crawler, which community.aws.glue_crawler has no option for."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: glue_crawler_configuration
short_description: Set the configuration of a Glue crawler
description:
  - Sets what a crawler writes into tables and partitions. All else of the crawler stays as it is.
options:
  name:
    description: The crawler's name. In check mode it may be absent yet.
    type: str
    required: true
  configuration:
    description: The configuration as Glue documents it, U(https://docs.aws.amazon.com/glue/latest/dg/crawler-configuration.html).
    type: dict
    required: true
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.manages]
"""

EXAMPLES = r"""
- name: Let partitions inherit the table's types
  stock_market.streaming.glue_crawler_configuration:
    name: stock-market
    configuration:
      Version: 1.0
      CrawlerOutput: {Partitions: {AddOrUpdateBehavior: InheritFromTable}}
"""

RETURN = r"""
configuration:
  description: The configuration as it is now, or would be.
  returned: always
  type: dict
  sample: {Version: 1.0, CrawlerOutput: {Partitions: {AddOrUpdateBehavior: InheritFromTable}}}
"""


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Give the crawler its configuration; return the module's result."""
    client = module.client("glue", retry_decorator=AWSRetry.jittered_backoff())
    wanted = module.params["configuration"]
    try:
        crawler = client.get_crawler(Name=module.params["name"], aws_retry=True)["Crawler"]
    except is_boto3_error_code("EntityNotFoundException"):
        if not module.check_mode:
            raise
        crawler = {}
    current = json.loads(crawler.get("Configuration") or "{}")
    if current != wanted and not module.check_mode:
        client.update_crawler(Name=module.params["name"], Configuration=json.dumps(wanted), aws_retry=True)
    return {"changed": current != wanted, "configuration": wanted, "diff": {"before": current, "after": wanted}}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "The configuration of the crawler '{name}' can't be set")


if __name__ == "__main__":
    main()
