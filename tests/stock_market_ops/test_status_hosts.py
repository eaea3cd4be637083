"""All questions to an instance are put in one connection, and each gets its own answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.stock_market_ops.test_status_rules import DEPLOYMENT, NODE

from stock_market_ops.common.deployment import ROOT
from stock_market_ops.status import hosts

OTHER = msgspec.structs.replace(NODE, name="node-2")
SAYS, REFUSES, ENDS = "printf 'a\\nb'; echo beside >&2", "echo no >&2; exit 3", "kill -9 $$"


@pytest.fixture
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `ssh` that runs the command here, and notes each login in the returned file."""
    noted = tmp_path / "logins"
    script = tmp_path / "ssh"
    script.write_text(
        f'#!/bin/sh\nfor last; do host="$name"; name="$last"; done\necho "$host" >>{noted}\nsh -c "$last"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return noted


def said(answer: hosts.Answer) -> tuple[int, str, str]:
    assert isinstance(answer, subprocess.CompletedProcess)
    return answer.returncode, answer.stdout, answer.stderr


def test_each_question_of_a_login_gets_its_own_answer(logins: Path) -> None:
    ask = hosts.Together(DEPLOYMENT, [(NODE, SAYS), (OTHER, SAYS), (NODE, REFUSES), (NODE, "true")])
    assert said(ask(DEPLOYMENT, NODE, REFUSES)) == (3, "", "no\n")
    assert said(ask(DEPLOYMENT, NODE, SAYS)) == (0, "a\nb", "beside\n")
    assert said(ask(DEPLOYMENT, NODE, "true")) == (0, "", "")
    assert said(ask(DEPLOYMENT, OTHER, SAYS)) == (0, "a\nb", "beside\n")
    assert sorted(logins.read_text().split()) == ["node-1", "node-2"]


def test_another_question_is_asked_by_itself(logins: Path) -> None:
    ask = hosts.Together(DEPLOYMENT, [(NODE, SAYS)])
    assert said(ask(DEPLOYMENT, NODE, "echo other")) == (0, "other\n", "")
    assert said(ask(DEPLOYMENT, OTHER, "echo other")) == (0, "other\n", "")
    assert sorted(logins.read_text().split()) == ["node-1", "node-1", "node-2"]


@pytest.mark.usefixtures("logins")
def test_a_connection_that_ends_early_is_no_answer_to_any() -> None:
    ask = hosts.Together(DEPLOYMENT, [(NODE, SAYS), (NODE, ENDS)])
    for question in (SAYS, ENDS):
        assert said(ask(DEPLOYMENT, NODE, question))[0] != 0


@pytest.mark.usefixtures("logins")
def test_an_instance_that_does_not_answer_says_so_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "_SSH_SECONDS", {"ssh": 0.3})
    ask = hosts.Together(DEPLOYMENT, [(NODE, "true"), (NODE, "exec sleep 5")])
    assert {ask(DEPLOYMENT, NODE, question) for question in ("true", "exec sleep 5")} == {"no answer over SSH in 0 s"}


HANGS = """
import pathlib, sys, time
from tests.stock_market_ops.test_status_rules import DEPLOYMENT, NODE
from stock_market_ops.status import hosts
hosts._SSH_SECONDS = {"ssh": 600.0}
hosts.Together(DEPLOYMENT, [(NODE, "exec sleep 90")])
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
"""


def test_a_program_that_ends_waits_for_no_answer(logins: Path) -> None:
    paths = os.pathsep.join([str(ROOT / "scripts"), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        [sys.executable, "-c", HANGS, str(logins)], env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as program:
        try:
            assert program.wait(60) == 0
        finally:
            os.killpg(program.pid, signal.SIGKILL)
