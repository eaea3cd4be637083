"""The operator's files: what is written opens the deployment, says no secret, and a second run changes nothing."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from tests.support import playbook

from stock_market_ops.common import deployment
from stock_market_ops.common.deployment import ROOT, Instance

PLAY = [{"hosts": "localhost", "gather_facts": False, "roles": ["operator"]}]
NODE = {
    "stock_market_public_address": "203.0.113.7",
    "stock_market_private_address": "10.0.0.7",
    "stock_market_instance_id": "i-1",
    "stock_market_instance_access": "ssh",
}
AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PASSWORD = "0123456789abcdefghijABCDEFGHIJ01"
ENDPOINT = "http://127.0.0.1:1"
OWN_KEYS = {"AWS_ACCESS_KEY_ID": "of-the-user", "AWS_SECRET_ACCESS_KEY": "secret-of-the-user"}


def variables(state: Path, **more: Any) -> dict[str, Any]:
    """What the inventory gives to the role."""
    return {
        "stock_market_deployment": "shop",
        "stock_market_root": str(ROOT),
        "stock_market_state_dir": str(state),
        "stock_market_region": "eu-north-1",
        "stock_market_account_id": "123456789012",
        "stock_market_partition": "aws",
        "stock_market_endpoint_url": "",
        "stock_market_data_bucket": "shop-data",
        "stock_market_results_bucket": "shop-results",
        "stock_market_database": "stock_market",
        "stock_market_table": "quotes",
        "stock_market_topic": "stock-quotes",
        "stock_market_kafka_external_servers": ["203.0.113.7:9092"],
        "stock_market_secure": True,
        "stock_market_secrets": {"kafka/users/operator": PASSWORD, "ca/certificates": AUTHORITY},
        **more,
    }


def inventory(state: Path, **more: Any) -> dict[str, Any]:
    """One instance that carries a broker and the consumer."""
    nodes = {"node-1": NODE}
    given = variables(state, **more)
    return playbook.local_inventory(given, stock_market=nodes, kafka=nodes, stock_consumer=nodes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plays are run."""
    return tmp_path_factory.mktemp("operator")


@pytest.fixture(scope="module")
def state(folder: Path) -> Path:
    """The state directory after one run for a cloud with keys of its own."""
    path = folder / "state root" / "shop"
    hosts = inventory(
        path,
        stock_market_endpoint_url=ENDPOINT,
        stock_market_access_key="local-cloud",
        stock_market_secret_key="local-cloud",
    )
    checked = playbook.run(folder, PLAY, hosts, "--check", "--diff")
    assert checked.code == 0, checked.output
    assert not path.exists()
    done = playbook.run(folder, PLAY, hosts, "--diff", "-vvv")
    # The password is never shown.
    assert (done.code, PASSWORD in done.output) == (0, False), done.output
    again = playbook.run(folder, PLAY, hosts, "--check", "--diff")
    assert (again.code, again.counts["changed"]) == (0, 0), again.output
    return path


OTHERS: dict[str, dict[str, Any]] = {
    "aws": {"operator_source_profile": ""},
    "profiled": {"operator_source_profile": "me"},
    "plain": {"stock_market_secure": False, "stock_market_secrets": {}},
}
"""Deployments in an account whose keys are the user's own: the name of the state directory, and what differs."""


@pytest.fixture(scope="module")
def others(folder: Path) -> Path:
    """The folder with the state directory of each of `OTHERS`, after a play for each in one run."""
    plays = [
        {**PLAY[0], "vars": {"stock_market_state_dir": str(folder / name), **given}} for name, given in OTHERS.items()
    ]
    done = playbook.run(folder, plays, inventory(folder / "none"))
    assert done.code == 0, done.output
    assert not (folder / "none").exists()
    return folder


@pytest.fixture(scope="module")
def state_on_aws(others: Path) -> Path:
    """The state directory after a run for an account whose keys are the user's own."""
    return others / "aws"


def session_of(state: Path) -> botocore.session.Session:
    """A session as the AWS command line makes it from the two files."""
    session = botocore.session.Session(profile="shop")
    session.set_config_variable("config_file", str(state / "aws" / "config"))
    session.set_config_variable("credentials_file", str(state / "aws" / "credentials"))
    return session


def test_every_file_is_its_owners_only(state: Path) -> None:
    files = [path for path in state.rglob("*") if path.is_file()]
    assert len(files) == 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (state, *state.rglob("*")) if path.is_dir()} == {0o700}


def test_query_and_status_read_what_the_role_wrote(state: Path) -> None:
    known = deployment.load("shop", state.parent)
    assert known.bootstrap_servers == "203.0.113.7:9092"
    assert known.instances == [Instance("node-1", "i-1", "203.0.113.7", "10.0.0.7", ["kafka", "stock_consumer"], "ssh")]
    assert known.carrying("stock_producer") == []


def test_the_profile_leads_to_the_deployments_endpoint_and_region(state: Path) -> None:
    client = boto3.Session(botocore_session=session_of(state)).client("s3")
    assert client.meta.endpoint_url == ENDPOINT
    assert client.meta.region_name == "eu-north-1"


def test_a_replay_takes_on_its_role_with_the_deployments_own_keys(state: Path) -> None:
    profile = session_of(state).full_config["profiles"]["shop-replay"]
    assert profile["role_arn"] == "arn:aws:iam::123456789012:role/shop-replay"
    assert profile["source_profile"] == deployment.load("shop", state.parent).aws_profile == "shop"
    assert deployment.load("shop", state.parent).replay_profile == "shop-replay"


def test_on_aws_the_profile_holds_no_secret_and_finds_the_users_keys(
    state_on_aws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OWN_KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    # As in a shell that has sourced env.sh.
    monkeypatch.setenv("AWS_PROFILE", "shop")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(state_on_aws / "aws" / "config"))
    assert "aws_secret_access_key" not in (state_on_aws / "aws" / "credentials").read_text()
    found = session_of(state_on_aws).get_credentials()
    assert found is not None
    assert found.method == "custom-process"
    assert (found.access_key, found.secret_key) == ("of-the-user", "secret-of-the-user")


def test_a_program_asks_the_deployments_cloud_whatever_the_shell_says_of_another(state: Path) -> None:
    program = (
        "from pathlib import Path; from stock_market_ops.common import aws, deployment; import sys, urllib.request\n"
        "known = deployment.load('shop', Path(sys.argv[1]))\n"
        "session = aws.session(known); client = session.client('s3', config=aws.config())\n"
        "print(client.meta.endpoint_url, session.get_credentials().access_key, client.meta.region_name,"
        " urllib.request.proxy_bypass('127.0.0.1'), urllib.request.proxy_bypass('example.org'))"
    )
    other = dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "http_proxy"), "http://127.0.0.1:9")
    more = {"AWS_PROFILE": "other", "AWS_REGION": "eu-west-9", "AWS_MAX_ATTEMPTS": "no number", "no_proxy": "localhost"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(state.parent)],
        env=os.environ | OWN_KEYS | other | more,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [ENDPOINT, "local-cloud", "eu-north-1", "True", "False"]


def test_on_aws_a_shell_that_sources_the_environment_again_keeps_the_operators_profile(others: Path) -> None:
    path = others / "profiled"
    program = (
        "import os, operator_aws; environment = dict(os.environ)\n"
        "operator_aws.settle_account(environment)\n"
        "print(environment['AWS_PROFILE'], environment['AWS_CONFIG_FILE'], 'AWS_ENDPOINT_URL' in environment)"
    )
    script = '. "$1" && . "$1" && exec "$2" -c "$3"'
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        ["sh", "-euc", script, "sh", str(path / "env.sh"), sys.executable, program],
        env=kept | {"AWS_PROFILE": "me", "AWS_CONFIG_FILE": "/own/config"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["me", "/own/config", "False"]


def test_ssh_takes_the_configuration_for_each_instance_and_by_default(state: Path) -> None:
    for name in ("node-1", "default"):
        done = subprocess.run(
            ["ssh", "-G", "-F", str(state / "ssh_config"), name], capture_output=True, text=True, check=True
        )
        options = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
        assert (options["hostname"], options["user"]) == ("203.0.113.7", "admin")
        assert options["hostkeyalias"] == "i-1"
        assert options["identityfile"] == str(state / "ssh" / "id_ed25519")
        assert options["userknownhostsfile"] == str(state / "known_hosts")


def test_ssh_goes_through_session_manager_with_the_deployments_own_profile_and_endpoint(folder: Path) -> None:
    """Whatever the shell says; ssh itself runs the command, with a stand-in for aws that tells how it was called."""
    state, tools = folder / "it's there" / "closed", folder / "tools"
    tools.mkdir()
    asked = folder / "asked"
    (tools / "aws").write_text(
        f'#!/bin/sh\nprintf \'%s\\n\' "$@" "$AWS_PROFILE" "$AWS_CONFIG_FILE" "$AWS_ENDPOINT_URL" >\'{asked}\'\nexit 1\n'
    )
    (tools / "aws").chmod(0o755)
    session = "aws ssm start-session --target i-1 --parameters portNumber=%p --endpoint-url http://127.0.0.1:1"
    node = NODE | {"stock_market_instance_access": "ssm", "stock_market_session_command": session}
    given = variables(state, stock_market_endpoint_url=ENDPOINT)
    nodes = {"node-1": node, "node-2": NODE}
    done = playbook.run(folder, PLAY, playbook.local_inventory(given, stock_market=nodes, kafka=nodes))
    assert done.code == 0, done.output
    shell = {"PATH": f"{tools}:{os.environ['PATH']}", "AWS_PROFILE": "other", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    tried = subprocess.run(
        ["ssh", "-F", str(state / "ssh_config"), "-o", "ConnectTimeout=5", "node-1", "true"],
        env=os.environ | shell,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 255
    *arguments, profile, config, endpoint = asked.read_text().splitlines()
    assert arguments == session.replace("%p", "22").split()[1:]
    assert (profile, config, endpoint) == ("shop", str(state / "aws" / "config"), ENDPOINT)
    known = deployment.load("closed", state.parent)
    assert [instance.access for instance in known.instances] == ["ssm", "ssh"]
    told = subprocess.run(
        ["ssh", "-G", "-F", str(state / "ssh_config"), "node-2"], capture_output=True, text=True, check=True
    )
    assert "proxycommand" not in told.stdout


def test_a_shell_that_sources_the_environment_talks_to_the_deployment(state: Path) -> None:
    program = (
        "import boto3; s = boto3.Session(); print(s.client('s3').meta.endpoint_url, s.get_credentials().access_key)"
    )
    script = '. "$1" && exec "$2" -c "$3"'
    done = subprocess.run(
        ["sh", "-euc", script, "sh", str(state / "env.sh"), sys.executable, program],
        env=os.environ | OWN_KEYS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [ENDPOINT, "local-cloud"]


def test_client_files_name_the_brokers_public_address(state: Path) -> None:
    for name in ("operator.conf", "operator.properties"):
        lines = (state / "clients" / name).read_text().splitlines()
        assert "bootstrap.servers=203.0.113.7:9092" in lines
        assert any(PASSWORD in line for line in lines)
    # Java's file is complete in itself: it can be taken to another machine.
    assert r"ssl.truststore.certificates=-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----" in lines


def test_a_plain_deployment_has_plain_client_files(others: Path) -> None:
    plain = others / "plain"
    assert "security.protocol=PLAINTEXT" in (plain / "clients" / "operator.properties").read_text()
    assert not (plain / "clients" / "operator.password").exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"operator_access_key": "half"}, "together, or neither"),
        ({"operator_deployment": "two words"}, "cannot be an AWS profile's name"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(folder: Path, wrong: dict[str, Any], words: str) -> None:
    refused = playbook.run(folder, PLAY, inventory(folder / "refused", **wrong))
    assert refused.code != 0
    assert words in " ".join(refused.output.split())
    assert not (folder / "refused").exists()
