"""The way to Prometheus: a broken SSH connection is said, made again, and ends with its program."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stock_market_ops.common.deployment import ROOT
from stock_market_ops.live.tunnel import Tunnel

BROKEN = """#!/bin/sh
echo "$@" >>{log}
echo "Warning: something else" >&2
echo "ssh: connect to host node-1 port 22: Connection refused" >&2
exit 255
"""
STANDING = """#!/bin/sh
echo $$ >>{log}
exec cat
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the stand-in for ssh writes."""
    return tmp_path / "log"


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, log: Path) -> None:
    """Puts a program of the name ssh before the real one."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(text.format(log=log))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def wait_for(path: Path, lines: int) -> list[str]:
    """Returns the file's lines as soon as there are that many."""
    deadline = time.monotonic() + 60
    while not path.exists() or len(path.read_text().splitlines()) < lines:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return path.read_text().splitlines()


def test_a_broken_connection_is_said_and_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Path) -> None:
    stand_in(tmp_path, monkeypatch, BROKEN, log)
    tunnel = Tunnel("ssh_config", "node-1", 9090, tmp_path)
    tunnel.start()
    first, *_ = wait_for(log, 2)
    tunnel.stop()
    assert f"{tmp_path}/prometheus:127.0.0.1:9090 node-1 cat" in first
    assert tunnel.failure == (
        "The SSH connection to node-1 broke: ssh: connect to host node-1 port 22: Connection refused."
    )


def test_ssh_ends_with_its_program_even_where_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Path
) -> None:
    stand_in(tmp_path, monkeypatch, STANDING, log)
    code = (
        "import pathlib, time; from stock_market_ops.live.tunnel import Tunnel; "
        f"Tunnel('c', 'node-1', 9090, pathlib.Path({str(tmp_path)!r})).start(); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as program:
        [text] = wait_for(log, 1)
        program.kill()
    process = Path("/proc", text)
    deadline = time.monotonic() + 60
    while process.exists():
        assert time.monotonic() < deadline, "ssh outlives its program"
        time.sleep(0.05)
