#!/usr/bin/python
"""Ansible module: one run of a Glue crawler."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: glue_crawl
short_description: Start a Glue crawler, or look at its crawl
description:
  - Starts a crawler, or tells whether a crawl is under way and how the last one ended. It does not wait.
  - A crawl that did not succeed is a failure of the module that looks at it.
options:
  name:
    description: The crawler's name.
    type: str
    required: true
  start:
    description: Start the crawler. Without it, the module looks at the crawl that is under way, or at the last one.
    type: bool
    default: true
extends_documentation_fragment: [stock_market.streaming.aws]
attributes:
  check_mode: {description: Starts nothing., support: full}
  diff_mode: {description: Has nothing to show., support: none}
"""

EXAMPLES = r"""
- name: Start the crawler
  stock_market.streaming.glue_crawl:
    name: stock-market

- name: Wait for its end, with a line for every look
  stock_market.streaming.glue_crawl:
    name: stock-market
    start: false
  register: crawl
  until: crawl is failed or crawl.state == 'READY'
  delay: 5
  retries: 60
"""

RETURN = r"""
started:
  description: Whether this call started the crawler; a running one is left alone.
  returned: always
  type: bool
  sample: true
state: {description: "Glue's word for the crawler: READY, RUNNING or STOPPING.", returned: always, type: str}
"""


def start(client: Any, name: str) -> bool:
    """Start the crawler; False if it is running already."""
    try:
        client.start_crawler(Name=name)
    except is_boto3_error_code("CrawlerRunningException"):
        return False
    return True


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Start the crawler or look at it; return the module's result."""
    name, wanted = module.params["name"], module.params["start"]
    client = module.client("glue", retry_decorator=AWSRetry.jittered_backoff())
    try:
        started = wanted and not module.check_mode and start(client, name)
        crawler = client.get_crawler(Name=name, aws_retry=True)["Crawler"]
    except is_boto3_error_code("EntityNotFoundException"):
        module.fail_json(
            msg=f"There is no Glue crawler '{name}' in {module.region}: create it first, with playbooks/cloud.yml."
        )
    last = crawler.get("LastCrawl", {})
    if not wanted and crawler["State"] == "READY" and last and last.get("Status") != "SUCCEEDED":
        module.fail_json(
            msg=f"The Glue crawler '{name}' ended as {last.get('Status', 'unknown')}: "
            f"{last.get('ErrorMessage') or 'Glue gives no reason'} (log group {last.get('LogGroup')}, "
            f"stream {last.get('LogStream')})"
        )
    return {"changed": started, "started": started, "state": crawler["State"]}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "The Glue crawler '{name}' can't be run")


if __name__ == "__main__":
    main()
