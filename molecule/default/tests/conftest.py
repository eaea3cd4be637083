"""Fixtures and helpers of the scenario: the deployment, its cloud, a host, and make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import boto3
import pytest
import testinfra
from chain import Stream, read_stream

ROOT = Path(__file__).resolve().parents[3]
STATE = ROOT / ".state" / os.environ["STOCK_MARKET_DEPLOYMENT"]
Answer = TypeVar("Answer")
RELEASE = os.environ.get("STOCK_MARKET_DEBIAN_RELEASE") or "12"
JAVA = {"12": 17, "13": 21}[RELEASE]
"""The Java that the release of Debian has."""
METADATA = os.environ.get("STOCK_MARKET_METADATA") or "zookeeper"
KAFKA_VERSION = os.environ.get("STOCK_MARKET_KAFKA_VERSION") or "3.9.2"
KRAFT = METADATA == "kraft"
KEEPER = "kafka-controller" if KRAFT else "zookeeper"
"""The unit, and its user, that keeps Kafka's metadata."""


@dataclass(frozen=True)
class Deployment:
    """The running deployment as `deployment.json` tells it; read each time, since an address may change."""

    facts: dict[str, Any]
    session: boto3.Session

    @property
    def node(self) -> dict[str, Any]:
        """The only instance."""
        (node,) = self.facts["instances"]
        return dict(node)

    def client(self, service: str) -> Any:
        """A boto3 client of the deployment's cloud."""
        session: Any = self.session
        return session.client(service, endpoint_url=self.facts["endpoint_url"])


def login(deployment: Deployment) -> dict[str, Any]:
    """kafka-python's options for the operator, from the files that a person outside has."""
    security = deployment.facts["kafka_security"]
    return {
        "bootstrap_servers": deployment.facts["bootstrap_servers"].split(","),
        "security_protocol": "SASL_SSL",
        "ssl_cafile": security["ca_file"],
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": security["username"],
        "sasl_plain_password": Path(security["password_file"]).read_text(encoding="utf-8").strip(),
    }


def secrets(deployment: Deployment) -> dict[str, str]:
    """Every secret that Parameter Store has; of a key the lines that only it has. Certificates and names are none."""
    path = f"/{deployment.facts['deployment']}/"
    pages = (
        deployment.client("ssm")
        .get_paginator("get_parameters_by_path")
        .paginate(Path=path, Recursive=True, WithDecryption=True)
    )
    found = {parameter["Name"]: parameter["Value"] for page in pages for parameter in page["Parameters"]}
    return {
        name: max(value.splitlines(), key=len)
        for name, value in found.items()
        if not name.endswith(("/certificates", "/broker-user"))
    }


def read_deployment() -> Deployment:
    facts = json.loads((STATE / "deployment.json").read_text(encoding="utf-8"))
    return Deployment(facts, boto3.Session(region_name=facts["region"]))


@pytest.fixture
def deployment() -> Deployment:
    return read_deployment()


def reached(deployment: Deployment, control_path: Path | None = None) -> Any:
    """The instance over SSH, as `make ssh` reaches it; commands with the same control path share a connection."""
    kept: dict[str, Any] = {"controlpath": str(control_path)} if control_path else {"controlpersist": 0}
    return testinfra.get_host(
        f"ssh://{deployment.node['name']}", ssh_config=str(STATE / "ssh_config"), sudo=True, **kept
    )


@pytest.fixture(scope="module")
def control_path() -> Iterator[Path]:
    """The socket of the connection that a module's commands share: to log in takes longer than most commands."""
    # Linux bounds its path at 107 bytes, and TMPDIR may be long.
    with TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder, "ssh")
        yield path
        subprocess.run(["ssh", "-F", "none", "-S", str(path), "-O", "exit", "any"], capture_output=True, check=False)


@pytest.fixture
def host(deployment: Deployment, control_path: Path) -> Any:
    """The instance over SSH."""
    return reached(deployment, control_path)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs make as a person would, and returns what it printed."""
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)


def query(sql: str) -> list[dict[str, Any]]:
    """Athena's answer by `make query FORMAT=json`."""
    done = make("query", "FORMAT=json", f"SQL={sql}")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert isinstance(rows, list)
    return rows


def stream() -> Stream:
    """What the data bucket holds now."""
    deployment = read_deployment()
    return read_stream(deployment.client("s3"), deployment.facts["data_bucket"])


def assert_the_stream_goes_on() -> None:
    """Younger quotes than now reach the bucket and then Athena, and nothing was lost or doubled on the way."""
    newest = "select max(event_time) as newest from quotes"
    before, stored = query(newest)[0]["newest"], stream().records
    eventually(lambda: stream().records > stored, seconds=120, what=f"more than {stored} records in the bucket")
    eventually(lambda: query(newest)[0]["newest"] > before, seconds=120, what=f"a row newer than {before} in Athena")
    assert stream().faults() == []


def site(*arguments: str) -> dict[str, Any]:
    """Runs site.yml as the scenario's converge does, and returns Ansible's own JSON of the run."""
    return play("site.yml", *arguments)


def play(playbook: str, *arguments: str) -> dict[str, Any]:
    """Runs a playbook as the scenario runs its own, and returns Ansible's JSON of the run."""
    output = printed(playbook, *arguments, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
    # Times of tasks stand before and after the JSON.
    run, _ = json.JSONDecoder().raw_decode(output, output.index("{\n"))
    return dict(run)


def printed(playbook: str, *arguments: str, **environment: str) -> str:
    """Runs a playbook as the scenario runs its own, and returns all that it prints."""
    local = ROOT / "inventory" / "local" / "group_vars" / "all"
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory/aws"]
    command += [f"-e@{local / name}" for name in ("endpoint.yml", "kafka_archive.yml")]
    command += [f"-e@{ROOT / 'molecule' / 'default' / 'vars' / 'flush.yml'}"]
    done = subprocess.run(
        [*command, f"playbooks/{playbook}", *arguments],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def changes(run: dict[str, Any]) -> list[tuple[str, str]]:
    """(host, task) of everything that a run of a playbook changed."""
    return [
        (name, task["task"]["name"])
        for play in run["plays"]
        for task in play["tasks"]
        for name, result in task["hosts"].items()
        if result.get("changed")
    ]


def eventually(ask: Callable[[], Answer], *, seconds: float = 90, what: str) -> Answer:
    """The first true answer of `ask`; an error of the network counts as no answer yet."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = ask()
        except (OSError, RuntimeError, AssertionError) as error:
            last = error
        else:
            if last:
                return last
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds:.0f} s: {what}; last answer: {last!r}")
