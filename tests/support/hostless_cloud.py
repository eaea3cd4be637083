"""A local cloud without hosts in a process of its own, and the playbooks of the cloud run against it as by a person."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from local_cloud.settings import ADMINISTRATOR
from stock_market_ops.common.deployment import ROOT

REGION = "us-east-1"


class HostlessCloud:
    """The running cloud. `folder` has its files and the deployments' state."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.endpoint = endpoint
        self._folder = folder

    def client(self, service: str) -> Any:
        """A client of the administrator's."""
        return boto3.client(
            service,  # type: ignore[call-overload]  # the stubs know clients by literal names only
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ADMINISTRATOR,
            aws_secret_access_key=ADMINISTRATOR,
        )

    def play(
        self, playbook: Path, deployment: str, *options: str, key: str = ADMINISTRATOR, secret: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook over inventory/aws, with all that it prints in stdout.

        A key without a secret is its own secret and, unless it is the administrator's, its session's token.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
        environment = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret or key,
            "AWS_REGION": REGION,
            "STOCK_MARKET_DEPLOYMENT": deployment,
            "STOCK_MARKET_OPERATOR_CIDR": "203.0.113.7/32",
        }
        if key != ADMINISTRATOR and not secret:
            environment["AWS_SESSION_TOKEN"] = key
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory/aws", str(playbook)]
        # Without hosts there is nothing behind SSH.
        command += ["--limit", "localhost", "-e", f"stock_market_state_dir={self._folder / deployment}", *options]
        return subprocess.run(
            command,
            cwd=ROOT,
            env=kept | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )


@contextmanager
def hostless_cloud(
    folder: Path,
    faults: Mapping[str, int],
    *,
    lag_seconds: float,
    unknown_seconds: float = 0,
    with_engine: bool = False,
) -> Iterator[HostlessCloud]:
    """Runs the cloud, with faults, with lists that many seconds behind, and with new instances unknown for some.

    `with_engine` starts Trino, so that Athena answers.
    """
    command = [sys.executable, "-m", "tests.support.hostless", str(folder), str(lag_seconds), str(unknown_seconds)]
    command.append(json.dumps(faults))
    if with_engine:
        command.append("engine")
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT}"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        assert endpoint, (folder / "log").read_text()
        yield HostlessCloud(endpoint, folder)
    finally:
        # With SIGTERM it ends its engine, too.
        process.terminate()
        process.wait(timeout=90)
