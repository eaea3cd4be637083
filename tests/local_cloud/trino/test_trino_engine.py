"""Trino's ports answer only who has their keys, and Trino is there as long as its local cloud and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from tests.support.engine import engine
from tests.support.local_cloud.glue_lake import Lake
from tests.support.stock_market.services import eventually

from local_cloud.athena import api as athena
from local_cloud.iam.callers import administrator
from local_cloud.settings import ADMINISTRATOR
from local_cloud.trino import client, distribution, files
from local_cloud.trino.access import Access
from local_cloud.trino.engine import TrinoEngine
from local_cloud.trino.files import HIVE, ROLE_PREFIX

SCRIPTS = Path(athena.__file__).resolve().parents[2]
ONE_ROW = "SELECT 1"


def post(headers: dict[str, str]) -> int:
    """The status with which Trino answers a statement."""
    url = f"{engine().address().url}/v1/statement"
    return requests.post(url, data=ONE_ROW, headers=headers, timeout=30).status_code


def test_trino_answers_only_with_a_token_of_this_process() -> None:
    user = {"X-Trino-User": "local-cloud"}
    forwarded = user | {"X-Forwarded-Proto": "https"}
    foreign = client.token(b"x" * 48, "local-cloud")
    assert post(user) == requests.codes.forbidden
    assert post(forwarded) == requests.codes.unauthorized
    assert post(forwarded | {"Authorization": f"Bearer {foreign}"}) == requests.codes.unauthorized
    own = client.token(engine().address().key, "local-cloud")
    assert post(forwarded | {"Authorization": f"Bearer {own}"}) == requests.codes.ok
    address = engine().address()
    stranger = client.Session("no-such-query", f"{ROLE_PREFIX}nobody", HIVE, "default")
    with pytest.raises(client.Failure, match="PERMISSION_DENIED"):
        client.Statement(address, stranger, ONE_ROW).run()


def aws(service: str, key: str) -> Any:
    """A client of the port that answers Trino."""
    once = Config(retries={"total_max_attempts": 1})
    make: Any = boto3.client
    url = engine().api_url
    return make(service, "us-east-1", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=key, config=once)


def test_the_port_that_answers_trino_knows_no_other_key() -> None:
    for service, call in (("glue", "get_databases"), ("s3", "list_buckets"), ("sts", "get_caller_identity")):
        with pytest.raises(ClientError) as refused:
            getattr(aws(service, ADMINISTRATOR), call)()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 403}
    assert requests.post(f"{engine().api_url}/access/guess", json={}, timeout=10).status_code != requests.codes.ok


@pytest.mark.parametrize(
    ("operation", "resource"),
    [
        ("AccessCatalog", {"catalog": {"name": "system"}}),
        ("AccessCatalog", {"catalog": {"name": "unload"}}),
        ("SelectFromColumns", {"table": {"catalogName": "system", "schemaName": "runtime", "tableName": "queries"}}),
        ("ReadSystemInformation", {}),
        ("ImpersonateUser", {"user": {"user": "local-cloud"}}),
        ("KillQueryOwnedBy", {"user": {"user": "local-cloud"}}),
        ("AnOperationOfALaterTrino", {"table": {"catalogName": HIVE, "schemaName": "market", "tableName": "quotes"}}),
    ],
)
def test_not_even_the_administrator_reaches_what_athena_does_not_have(operation: str, resource: dict[str, Any]) -> None:
    access = Access(administrator(), "us-east-1", unloads=False)
    assert not access.allows({"operation": operation, "resource": resource})


@pytest.mark.long
def test_a_window_over_more_than_a_query_may_hold_in_memory_goes_by_disk() -> None:
    rows = """
        SELECT 2000 * a + b AS number, lpad(cast(b AS varchar), 100, '0') AS text
        FROM UNNEST(sequence(0, 1999)) AS t (a) CROSS JOIN UNNEST(sequence(1, 2000)) AS u (b)
    """
    before = "lag(text) OVER (PARTITION BY number % 50 ORDER BY number)"
    executor = athena.install(engine())
    with mock_aws():
        lake = Lake()
        lake.build()
        asked = f"SELECT count(*), count(before) FROM (SELECT number, {before} AS before FROM ({rows}))"
        assert lake.rows(asked) == [["4000000", "3999950"]]
    executor.close()


def test_trino_is_started_again_when_it_dies() -> None:
    executor = athena.install(engine())
    with mock_aws():
        lake = Lake()
        lake.build()
        engine().address()
        pid = engine().pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 300
        while engine().pid in {pid, 0}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert lake.rows(ONE_ROW) == [["1"]]
    executor.close()


def test_trino_runs_once_a_deployment_has_a_workgroup_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched, directory = threading.Event(), tmp_path / "trino"

    def ensure(_say: object) -> Path:
        fetched.set()
        return tmp_path

    monkeypatch.setattr(distribution, "ensure", ensure)
    monkeypatch.setattr(files, "command", lambda _place, _home: ["sleep", "60"])
    waiting = TrinoEngine(directory)
    waiting.start()
    executor = athena.install(waiting, work_group_made=waiting.run)
    assert fetched.wait(60)
    time.sleep(0.2)
    assert not (directory / "trino.log").exists()
    with mock_aws():
        boto3.client("athena", "us-east-1").create_work_group(Name="market")
    eventually((directory / "trino.log").exists, "Trino runs")
    waiting.close()
    executor.close()
    assert not directory.exists()


STARTER = """
import subprocess, sys, time
from local_cloud.trino.engine import ending_with_this_process
child = subprocess.Popen(ending_with_this_process(["sleep", "60"]))
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def starter() -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    with subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True, env=environment) as made:
        yield made
        made.kill()


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or is only there to be waited for."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def test_a_killed_local_cloud_takes_its_trino_along(starter: subprocess.Popen[str]) -> None:
    assert starter.stdout is not None
    child = int(starter.stdout.readline())
    eventually(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n", "the child runs")
    starter.kill()
    eventually(lambda: has_ended(child), "the child has ended")
