#!/usr/bin/python
"""Ansible module: whose AWS account do the credentials open, and does the region exist.

amazon.aws.aws_caller_info ends in botocore's own words, after minutes where the API does not answer.
"""

from __future__ import annotations

import functools
from typing import Any

import boto3
import botocore.session
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore import exceptions as boto_errors
from botocore.config import Config

DOCUMENTATION = r"""
module: aws_account_info
short_description: Whose account the credentials open
description:
  - Asks the token service who is calling, after it has looked the region up in botocore's own list.
  - Fails with one sentence that says what to do when the region is unknown, when credentials are missing or
    refused, and when the API can't be reached. Asks three times and waits ten seconds for an answer, not minutes.
  - What botocore reads of its descriptions of services is kept for the modules that run in the same process after it,
    as they do under mitogen; each would read them again.
extends_documentation_fragment: [stock_market.streaming.aws]
"""

EXAMPLES = r"""
- name: Ask whose credentials these are
  stock_market.streaming.aws_account_info:
    region: us-east-1
  register: caller
"""

RETURN = r"""
account: {description: The account's id., returned: always, type: str, sample: "123456789012"}
arn: {description: Who is calling., returned: always, type: str, sample: "arn:aws:iam::123456789012:user/operator"}
partition: {description: "The partition of AWS: aws, aws-cn, aws-us-gov.", returned: always, type: str, sample: aws}
"""

SECONDS_TO_CONNECT = 3
SECONDS_TO_ANSWER = 10
ATTEMPTS = 3


def keep_service_descriptions() -> None:
    """Let all sessions of this process have one loader, and with it what that has read."""
    if not hasattr(botocore.session.create_loader, "cache_info"):
        botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def known_regions(session: boto3.Session) -> set[str]:
    """Every region of every partition that botocore knows, without asking the network."""
    partitions = session.get_available_partitions()
    return {region for partition in partitions for region in session.get_available_regions("ec2", partition)}


def sentence(error: Exception, region: str, endpoint: str | None) -> str:
    """What went wrong with the call, and what to do, in one sentence."""
    where = endpoint or f"region {region}"
    if isinstance(error, boto_errors.NoCredentialsError | boto_errors.PartialCredentialsError):
        return "No AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    if isinstance(error, boto_errors.ProfileNotFound):
        return f"{error}: name a profile of ~/.aws/config, or unset AWS_PROFILE."
    if isinstance(error, boto_errors.ClientError):
        reason = error.response.get("Error", {})
        return (
            f"AWS refuses the credentials ({reason.get('Code')}: {reason.get('Message')}): "
            "renew them, or choose others with AWS_PROFILE."
        )
    if isinstance(error, boto_errors.ConnectionError | boto_errors.HTTPClientError):
        return (
            f"The AWS API does not answer at {where}: "
            "check the network, stock_market_region and stock_market_endpoint_url."
        )
    if isinstance(error, OSError):
        return (
            f"The AWS credentials can't be read ({error.strerror}: {error.filename}): correct"
            " AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CONFIG_FILE or the profile that names it."
        )
    return f"The AWS API at {where} gave no usable answer ({' '.join(str(error).split())[:200]})."


def main() -> None:
    module = AnsibleAWSModule(argument_spec={}, supports_check_mode=True)
    keep_service_descriptions()
    region = str(module.region)
    endpoint = module.params.get("endpoint_url")
    try:
        if region not in known_regions(boto3.Session()):
            module.fail_json(
                msg=f"AWS has no region '{region}': set stock_market_region (or AWS_REGION) to one such as us-east-1."
            )
        client = module.client(
            "sts",
            aws_config=Config(
                connect_timeout=SECONDS_TO_CONNECT,
                read_timeout=SECONDS_TO_ANSWER,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            ),
        )
        caller: dict[str, Any] = client.get_caller_identity()
    except (boto_errors.BotoCoreError, boto_errors.ClientError, OSError) as error:
        module.fail_json(msg=sentence(error, region, endpoint))
    module.exit_json(
        changed=False, account=caller["Account"], arn=caller["Arn"], partition=str(caller["Arn"]).split(":")[1]
    )


if __name__ == "__main__":
    main()
