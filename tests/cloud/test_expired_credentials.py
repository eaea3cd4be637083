"""What a run and the operator's programs say of AWS credentials that have expired: one sentence with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.stock_market_ops.test_status_rules import DEPLOYMENT
from tests.support.playbook import local_inventory, run

from stock_market_ops.common import aws

SENTENCE = "The AWS credentials have expired: get new ones"


def plays(message: str) -> list[dict[str, Any]]:
    """A play that fails with a message."""
    return [{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.fail": {"msg": message}}]}]


@pytest.mark.parametrize(
    ("message", "times"),
    [
        ("An error occurred (ExpiredToken) when calling the ListRoles operation", 1),
        ("An error occurred (ExpiredTokenException) when calling the GetDatabase operation", 1),
        ("An error occurred (RequestExpired) when calling the DescribeVpcs operation", 1),
        ("An error occurred (AccessDenied) when calling the ListRoles operation", 0),
    ],
)
def test_a_run_says_it_once(tmp_path: Path, message: str, times: int) -> None:
    done = run(tmp_path / "run", plays(message), local_inventory({}))
    assert done.code == 2
    assert done.output.count(SENTENCE) == times


def test_programs_say_it() -> None:
    error = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, "GetQueryExecution")
    assert aws.sentence(error, DEPLOYMENT).startswith(SENTENCE)
