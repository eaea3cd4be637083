"""What a run and the operator's programs say of AWS credentials that have expired: one sentence with what to do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from plugins.callback.expired_credentials import CallbackModule
from tests.stock_market_ops.test_status_rules import DEPLOYMENT
from tests.support.playbook import local_inventory, run

from stock_market_ops.common import aws

SENTENCE = "The AWS credentials have expired: get new ones"


def test_a_run_says_it_once(tmp_path: Path) -> None:
    message = "An error occurred (ExpiredToken) when calling the ListRoles operation"
    tasks = [{"ansible.builtin.fail": {"msg": message}}]
    done = run(tmp_path / "run", [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], local_inventory({}))
    assert done.code == 2
    assert done.output.count(SENTENCE) == 1


@pytest.mark.parametrize(
    ("message", "times"),
    [
        ("An error occurred (ExpiredToken) when calling the ListRoles operation", 1),
        ("An error occurred (ExpiredTokenException) when calling the GetDatabase operation", 1),
        ("An error occurred (RequestExpired) when calling the DescribeVpcs operation", 1),
        ("An error occurred (AccessDenied) when calling the ListRoles operation", 0),
    ],
)
def test_each_services_word_for_it_is_known(capsys: pytest.CaptureFixture[str], message: str, times: int) -> None:
    callback = CallbackModule()
    failed = SimpleNamespace(
        result={"failed": True, "msg": message}, task=SimpleNamespace(action="ansible.builtin.fail")
    )
    for _ in range(2):
        callback.v2_runner_on_failed(failed)
    callback.v2_playbook_on_stats(SimpleNamespace(failures={"localhost": 2}))
    assert capsys.readouterr().err.count(SENTENCE) == times


def test_programs_say_it() -> None:
    error = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, "GetQueryExecution")
    assert aws.sentence(error, DEPLOYMENT).startswith(SENTENCE)
