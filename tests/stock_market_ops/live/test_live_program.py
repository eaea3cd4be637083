"""`make live`, the program: one sentence where there can be no page, an address where there is one, a clean end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import msgspec
import pytest

from stock_market_ops.common import charts
from stock_market_ops.common.deployment import ROOT, Deployment
from stock_market_ops.live import command


def deployment(**changed: object) -> Deployment:
    """A deployment of which nothing answers."""
    found = Deployment(
        deployment="gone",
        region="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_profile="gone",
        aws_config_file="/dev/null",
        aws_credentials_file="/dev/null",
        data_bucket="d",
        results_bucket="r",
        workgroup="gone",
        database="gone",
        table="quotes",
        crawler="gone",
        bootstrap_servers="127.0.0.1:9",
        topic="stock-quotes",
        consumer_group="g",
        ssh_config="none",
        consumers=1,
        flush_seconds=30.0,
        instances=[],
    )
    return msgspec.structs.replace(found, **changed)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The operator's state with that deployment, and with libraries."""
    folder = tmp_path / "state" / "gone"
    folder.mkdir(parents=True)
    (folder / "deployment.json").write_bytes(msgspec.json.encode(deployment()))
    for path in charts.LIBRARIES.values():
        (tmp_path / "modules" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "modules" / path).write_text("")
    return tmp_path


def options(state: Path, *more: str) -> list[str]:
    """The command line."""
    own = ["--deployment", "gone", "--state-root", str(state / "state"), "--node-modules", str(state / "modules")]
    return [*own, *more]


def test_no_deployment_is_one_sentence(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="3"):
        command.main([*options(state), "--deployment", "other"])
    assert capsys.readouterr().err.count("\n") == 1


def test_missing_libraries_are_one_sentence(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([*options(state), "--node-modules", str(state)]) == 1
    assert "make live" in capsys.readouterr().err


def test_a_missing_user_is_one_sentence(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secured = {"ca_file": "ca.pem", "username": "operator", "password_file": "operator.password"}
    document = msgspec.to_builtins(deployment()) | {"kafka_security": secured}
    (state / "state" / "gone" / "deployment.json").write_bytes(msgspec.json.encode(document))
    assert command.main(options(state)) == 1
    assert capsys.readouterr().err == "The page has no Kafka user yet: run `make live`, which creates it.\n"


def test_a_port_in_use_is_one_sentence(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert command.main(options(state, "--port", str(taken.getsockname()[1]))) == 1
    assert "PORT=8123" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["x", "-1", "65536", "1.5"])
def test_a_wrong_port_is_refused(state: Path, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(options(state, f"--port={port}"))
    assert ended.value.code == 2
    assert "up to 65535" in capsys.readouterr().err


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_serves_and_ends_cleanly(state: Path, sign: signal.Signals) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    line = [sys.executable, "-m", "stock_market_ops.live", *options(state)]
    program = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert program.stdout is not None
        address = program.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[A-Za-z0-9_-]{43}/", address)
        with urllib.request.urlopen(f"{address}events?symbol=&width=1", timeout=60) as events:
            assert events.readline() == b"retry: 1000\n"
            program.send_signal(sign)
            _, said = program.communicate(timeout=60)
    finally:
        program.kill()
    assert program.returncode == 0
    assert "Traceback" not in said
