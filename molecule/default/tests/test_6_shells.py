"""With inventory/aws, the shell changes nothing except the settings that a real account uses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT
from tests.shells import GATHERED, Shell

# The scenario's account; of the shells, those that say nothing else of it.
ACCOUNT = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL")
OPERATORS = ("STOCK_MARKET_DEPLOYMENT", "STOCK_MARKET_OPERATOR_CIDR")
LAID_OVER = " ".join(f"-e @inventory/local/group_vars/all/{name}.yml" for name in ("endpoint", "kafka_archive"))
TYPED = {
    "make query FORMAT=csv SQL='select count(*) / count(*) as one from quotes'": "one\n1\n",
    f"make topics ENV=aws ARGS='{LAID_OVER}'": "changed=0",
    f". .venv/bin/activate; ansible-playbook -i inventory/aws {LAID_OVER} playbooks/topics.yml": "changed=0",
}


@pytest.mark.parametrize("shell", GATHERED[2:], ids=lambda shell: shell.name)
def test_every_command_does_the_same_in_every_shell(shell: Shell, tmp_path: Path) -> None:
    environment = shell.environment(tmp_path) | {name: os.environ[name] for name in (*ACCOUNT, *OPERATORS)}
    for line, answer in TYPED.items():
        done = subprocess.run(
            shell.command(line, tmp_path),
            cwd=ROOT,
            env=environment | {"AWS_PROFILE": "shop", "http_proxy": "http://127.0.0.1:9", "no_proxy": "localhost"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{line}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        assert answer in done.stdout, line
        if "playbooks/" in done.stdout + line:
            assert "AWS keys are used and not its AWS_PROFILE" in done.stderr
            assert f"inventory and modules ask the AWS API at {os.environ['AWS_ENDPOINT_URL']}." in done.stderr
