"""Callback plugin: says at the end of a run, in one sentence, what to do about AWS credentials that expired in it."""

from __future__ import annotations

import json
import re

import boto3
from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import CallbackTaskResult
from ansible.plugins.callback import CallbackBase
from botocore import exceptions as boto_errors
from botocore.config import Config

DOCUMENTATION = r"""
name: expired_credentials
type: aggregate
short_description: One sentence for AWS credentials that expired
description:
  - Credentials of a role or of single sign-on are good for an hour or a few, and each module says in its own words that
    they are not any more, or fails without a reason; then the token service is asked. This says it once, after the
    recap, with what to do.
author: stock-market
options: {}
"""

# S3's and IAM's, Glue's and Athena's, and EC2's.
CODE = re.compile(r"\b(ExpiredToken|ExpiredTokenException|RequestExpired)\b")
AWS = ("amazon.aws.", "community.aws.")
SENTENCE = (
    "The AWS credentials have expired: get new ones (aws sso login, or new keys in the environment) and run the same "
    "command again; it goes on where this run ended."
)


def are_expired() -> bool:
    """Ask the token service; some modules fail without telling why."""
    config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
    try:
        boto3.client("sts", config=config).get_caller_identity()
    except (boto_errors.BotoCoreError, boto_errors.ClientError) as error:
        return CODE.search(str(error)) is not None
    return False


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible ships no types
    """Remembers whether a task has failed for that reason, or may have."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "expired_credentials"

    def __init__(self) -> None:
        super().__init__()
        self._expired = self._doubtful = False

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        """Look at what a task says that has failed."""
        if not ignore_errors:
            self._expired |= CODE.search(json.dumps(result.result, default=str)) is not None
            self._doubtful |= result.task.action.startswith(AWS)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Say it, after the recap."""
        if self._expired or (stats.failures and self._doubtful and are_expired()):
            self._display.display(f"\n{SENTENCE}", color="red", stderr=True)
