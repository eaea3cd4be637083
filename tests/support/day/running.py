"""The running cluster of a scenario, its playbooks, and what its day of events asks of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import testinfra
import yaml
from kafka import KafkaAdminClient

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef

ROOT = Path(__file__).resolve().parents[3]
STATE = ROOT / ".state" / os.environ["STOCK_MARKET_DEPLOYMENT"]
# In a host's own network: nothing in, nothing out, as if its cable were cut.
_CUT = """
table inet cut {
  chain in { type filter hook input priority -500; policy drop; iif lo accept; }
  chain out { type filter hook output priority -500; policy drop; oif lo accept; }
}
"""
BROKERS = ("kafka-1", "kafka-2", "kafka-3")


def facts() -> dict[str, Any]:
    """`deployment.json`, read each time, since instances come and go."""
    return dict(json.loads((STATE / "deployment.json").read_text(encoding="utf-8")))


def login() -> dict[str, Any]:
    """kafka-python's options for the operator."""
    found = facts()
    security = found["kafka_security"]
    return {
        "bootstrap_servers": found["bootstrap_servers"].split(","),
        "security_protocol": "SASL_SSL",
        "ssl_cafile": security["ca_file"],
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": security["username"],
        "sasl_plain_password": Path(security["password_file"]).read_text(encoding="utf-8").strip(),
    }


def host(name: str) -> Any:
    """An instance over SSH."""
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(STATE / "ssh_config"), sudo=True)


def versions() -> set[str]:
    """The versions of the software that the brokers run."""
    said = "systemctl show -p ExecStart --value kafka | grep -oE 'kafka_2.13-[0-9.]+[0-9]' | head -1"
    return {host(name).check_output(said).rpartition("-")[2] for name in BROKERS}


def instance(name: str) -> dict[str, Any]:
    """What the cloud says of a running instance."""
    ec2 = boto3.client("ec2", region_name=facts()["region"])
    filters = [("tag:Deployment", os.environ["STOCK_MARKET_DEPLOYMENT"]), ("tag:InstanceName", name)]
    wanted: list[FilterTypeDef] = [
        {"Name": key, "Values": [value]} for key, value in (*filters, ("instance-state-name", "running"))
    ]
    (reservation,) = ec2.describe_instances(Filters=wanted)["Reservations"]
    return dict(reservation["Instances"][0])


def body(name: str) -> str:
    """The id of the container that is an instance's body: its power and its cable are the test's to cut."""
    command = ["podman", "ps", "--quiet", "--filter", f"name={instance(name)['InstanceId']}$"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def power_off(name: str) -> None:
    """Ends a host as a loss of power would."""
    subprocess.run(["podman", "kill", "--signal", "KILL", body(name)], check=True, stdout=subprocess.DEVNULL)


def power_on(instance_id: str) -> None:
    """Starts an instance whose host has lost its power, and waits until no replica lags."""
    boto3.client("ec2", region_name=facts()["region"]).start_instances(InstanceIds=[instance_id])
    eventually(in_sync, 120, f"every replica in sync after {instance_id} was started")


def in_sync() -> bool:
    """Whether every replica of every partition is in sync."""
    with KafkaAdminClient(**login()) as admin:
        topics = admin.describe_topics()
    return all(len(each["isr_nodes"]) == len(each["replica_nodes"]) for topic in topics for each in topic["partitions"])


@contextmanager
def cut(name: str) -> Iterator[None]:
    """Cuts a host's cable while the block runs."""
    inspect = ["podman", "inspect", "--format", "{{.State.Pid}}", body(name)]
    pid = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout.strip()
    inside = ["nsenter", "--target", pid, "--net", "nft"]
    subprocess.run([*inside, "--file", "-"], input=_CUT, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run([*inside, "delete", "table", "inet", "cut"], check=True)


def declared() -> list[dict[str, Any]]:
    """The instances that the inventory declares for a cluster, as a list to change and hand to a playbook."""
    common = yaml.safe_load((ROOT / "inventory" / "common.yml").read_text(encoding="utf-8"))
    return list(common["stock_market_sizes"]["cluster"])


def members(group: str = "stock-consumer") -> dict[str, int]:
    """How many partitions each member of the consumers' group has, by the member's host."""
    with KafkaAdminClient(**login()) as admin:
        found = admin.describe_groups([group])[group]
    return {
        each["client_host"].lstrip("/"): sum(len(topic["partitions"]) for topic in assigned["assigned_partitions"])
        for each in found["members"]
        if (assigned := each["member_assignment"])
    }


def standing_back(command: list[str]) -> list[str]:
    """A command that takes processor time only where the hosts leave some: on AWS they have processors of their own.

    Linux shares processors out to sessions first (sched(7), autogroup), so it gets a session of its own.
    """
    stand_back = 'echo 5 2>/dev/null >/proc/self/autogroup; exec nice -n 5 "$@"'
    return ["setsid", "--wait", "sh", "-c", stand_back, "sh", *command]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs make as a person would, and returns what it printed."""
    command = standing_back(["make", *arguments])
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)


def query(sql: str) -> list[dict[str, Any]]:
    """Athena's answer by `make query FORMAT=json`."""
    done = make("query", "FORMAT=json", f"SQL={sql}", "ARGS=--timeout 500")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def attempt(playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a playbook as the scenario runs its own, and returns how that ended."""
    local = ROOT / "inventory" / "local" / "group_vars" / "all"
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory/aws"]
    command += [f"-e@{local / name}" for name in ("endpoint.yml", "kafka_archive.yml")]
    command += [f"-e@{ROOT / 'molecule' / 'cluster' / 'vars' / 'load.yml'}"]
    return subprocess.run(
        standing_back([*command, f"playbooks/{playbook}", *arguments]),
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )


def play(playbook: str, *arguments: str) -> str:
    """Runs a playbook that has to end well, and returns what it prints."""
    done = attempt(playbook, *arguments)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def kill(name: str, unit: str) -> None:
    """Kills a unit's process as a crash would; systemd starts it again."""
    host(name).run_expect([0], f"systemctl kill --signal=KILL {unit}")


def eventually(ask: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits until `ask` says yes."""
    deadline = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(1)


def watched() -> list[dict[str, Any]]:
    """The targets that Prometheus reads, without itself and Alertmanager."""
    name = next(each["name"] for each in facts()["instances"] if "monitoring" in each["services"])
    said = json.loads(host(name).check_output("curl -sS --fail http://127.0.0.1:9090/api/v1/targets?state=active"))
    own = {"prometheus", "alertmanager"}
    return [target for target in said["data"]["activeTargets"] if target["labels"]["service"] not in own]


def prometheus(query: str) -> list[dict[str, Any]]:
    """The samples that answer a query: `metric`, its labels, and `value`, a time and a text."""
    name = next(each["name"] for each in facts()["instances"] if "monitoring" in each["services"])
    ask = f"curl -sS --fail --get --data-urlencode 'query={query}' http://127.0.0.1:9090/api/v1/query"
    return list(json.loads(host(name).check_output(ask))["data"]["result"])


def fired(began: float) -> set[str]:
    """The names of the alerts that have fired since `began`, of the monotonic clock, as Prometheus remembers them."""
    seconds = max(5, int(time.monotonic() - began))
    found = prometheus(f'count by (alertname) (max_over_time(ALERTS{{alertstate="firing"}}[{seconds}s]))')
    return {each["metric"]["alertname"] for each in found}


def has_fired(alert: str, began: float) -> None:
    """Waits for an alert; that it clears is part of `well_within`."""
    eventually(lambda: alert in fired(began), 90, f"the alert {alert}")


def well_within(seconds: float, what: str) -> None:
    """Waits until `make status` finds every part well, and no alert fires; says what it finds at the end."""
    deadline = time.monotonic() + seconds
    while (found := make("status")).returncode:
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}\n{found.stdout}{found.stderr}"
        time.sleep(4)  # One after the other, they would take the time in which the hosts become well.
