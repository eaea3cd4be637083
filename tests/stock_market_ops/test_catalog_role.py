"""The role catalog against a Glue that knows a new role late and leaves out empty strings, as AWS does."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.athena.responses import AthenaResponse
from moto.backends import get_backend
from moto.iam.responses import IamResponse
from moto.server import ThreadedMotoServer
from tests.support import playbook
from tests.support.local_cloud.glue_lake import ALL_RIGHTS, TRUST

from local_cloud import lag
from local_cloud.athena import api as athena
from local_cloud.glue import api as glue_api
from local_cloud.glue import crawler as glue_crawler
from local_cloud.glue import propagation as glue_propagation

KEYS = {"region": "us-east-1", "access_key": "local-cloud", "secret_key": "local-cloud"}


class Account:
    """An account with the crawler's role, and what Glue has answered to those who defined a crawler."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        session = boto3.Session("local-cloud", "local-cloud", region_name="us-east-1")
        self.iam = session.client("iam", endpoint_url=endpoint)
        self.glue = session.client("glue", endpoint_url=endpoint)
        self.refusals: list[str] = []
        self.now = 0.0

    def make_role(self, service: str = "glue") -> None:
        """The role of the crawler, as role identity makes it."""
        trust = json.dumps(TRUST).replace("glue.", f"{service}.")
        self.iam.create_role(RoleName="shop-glue", AssumeRolePolicyDocument=trust)
        self.iam.put_role_policy(RoleName="shop-glue", PolicyName="crawl", PolicyDocument=json.dumps(ALL_RIGHTS))

    def apply(self, folder: Path, **variables: Any) -> playbook.Run:
        """Runs the role."""
        connection = {**KEYS, "endpoint_url": self.endpoint}
        given = {
            "stock_market_deployment": "shop",
            "stock_market_database": "shop",
            "stock_market_table": "quotes",
            "stock_market_data_bucket": "shop-data",
            "stock_market_results_bucket": "shop-results",
            "stock_market_tags": {"Deployment": "shop"},
        }
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/stock_market.streaming.aws": connection},
            "vars": given,
            "roles": ["catalog"],
        }
        options = ("-e", json.dumps(variables))
        return playbook.run(folder, [play], playbook.local_inventory({}), *options)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty account over HTTP."""
    glue_crawler.install()
    glue_api.install()
    for names in glue_propagation._CALLS.values():
        for name in names:
            monkeypatch.setattr(IamResponse, name, getattr(IamResponse, name))
    # Workgroups as the local cloud's Athena keeps them; no query is asked, so no engine is needed.
    for name, handler in athena.HANDLERS.items():
        monkeypatch.setattr(AthenaResponse, name, handler, raising=False)
    monkeypatch.setattr(glue_propagation, "_changed", {})
    monkeypatch.setattr(glue_propagation.Lag, "trust", 0.0)
    monkeypatch.setattr(glue_propagation.Lag, "rights", 0.0)
    for service in ("iam", "glue", "athena", "s3"):
        get_backend(service).reset()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    made = Account(f"http://{host}:{port}")
    problem = glue_propagation.problem
    asked = itertools.count()
    # Each question is asked 1.1 s after the one before it, and the first at once.
    monkeypatch.setattr(lag, "clock", lambda: made.now)

    def noted(*arguments: Any) -> str:
        made.now = 1.1 * next(asked)
        words = problem(*arguments)
        made.refusals += [words] if words else []
        return words

    monkeypatch.setattr(glue_propagation, "problem", noted)
    yield made
    server.stop()


def test_a_role_that_reaches_glue_late_in_each_way_is_waited_for(account: Account, tmp_path: Path) -> None:
    # Glue refuses each way for longer than from one question to the next.
    glue_propagation.install(trust=2.0, rights=7.5)
    account.make_role()
    done = account.apply(tmp_path, __catalog_role_delay_seconds=0.5)
    assert done.code == 0, done.output
    assert account.glue.get_crawler(Name="shop")["Crawler"]["Role"] == "shop-glue"
    for words in (
        "Service is unable to assume provided role",
        "You need to enable AWS Security Token Service for this region.",
        "The security token included in the request is invalid.",
        "is not authorized to perform: glue:GetDatabase",
        "Insufficient Lake Formation permission(s)",
    ):
        assert any(words in refusal for refusal in account.refusals), words


def test_the_second_run_changes_nothing_though_glue_leaves_out_empty_texts(account: Account, tmp_path: Path) -> None:
    account.make_role()
    first, second = account.apply(tmp_path), account.apply(tmp_path)
    assert first.code == 0, first.output
    assert first.counts["changed"] > 0
    assert (second.code, second.counts.get("changed")) == (0, 0), second.output


def test_a_role_that_glue_never_takes_is_said_with_what_to_look_at(account: Account, tmp_path: Path) -> None:
    account.make_role(service="ec2")
    done = account.apply(tmp_path, __catalog_role_retries=2, __catalog_role_delay_seconds=1)
    assert done.code != 0
    text = " ".join(done.output.split())
    assert (
        "Glue refuses the crawler 'shop' still after 2 s: Service is unable to assume provided role shop-glue." in text
    )
    assert "Look at the trust policy and the policies of the role shop-glue" in text


def test_a_refusal_that_time_does_not_change_is_not_retried(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.make_role()
    monkeypatch.setattr(glue_propagation, "problem", lambda *_: "The crawler quota of the account is reached.")
    done = account.apply(tmp_path, __catalog_role_delay_seconds=100)
    assert done.code != 0
    assert "Glue refuses the crawler 'shop': The crawler quota of the account is reached." in " ".join(
        done.output.split()
    )


def test_an_iceberg_table_needs_a_name_of_its_own_where_it_is_kept(account: Account, tmp_path: Path) -> None:
    account.make_role()
    taken = {"stock_market_iceberg_table": "quotes_all"}
    refused = account.apply(tmp_path, catalog_iceberg=True, **taken)
    assert refused.code != 0
    assert "'quotes_all' would be the name of two tables or views" in " ".join(refused.output.split())
    assert account.apply(tmp_path, **taken).code == 0
    assert account.apply(tmp_path, catalog_iceberg=True).code == 0
