"""Times the bundle as a person meets it, in a fresh clone with a deployment of its own.

Each figure is one whole run on this machine, so a neighbour's load is in it; the package caches are as they are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import ROOT, Figure, at_most
from kafka import KafkaProducer

DEPLOYMENT = "sm-bench"
FRESHNESS_ROUNDS = 3
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))} | {
    "STOCK_MARKET_DEPLOYMENT": DEPLOYMENT
}


def timed(command: list[str], clone: Path) -> tuple[float, str]:
    """Runs a command in the clone to its end; returns its seconds and what it printed."""
    own = {"ANSIBLE_CONFIG": str(clone / "ansible.cfg"), "PYTHONPATH": str(clone / "scripts")}
    began = time.monotonic()
    done = subprocess.run(command, cwd=clone, env=ENVIRONMENT | own, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}")
    return seconds, done.stdout


def changed(printed: str) -> int:
    """How many changes a run's recap counts."""
    recap = printed[printed.rindex("PLAY RECAP") :]
    return sum(int(word.removeprefix("changed=")) for word in recap.split() if word.startswith("changed="))


def memory_megabytes(state: Path) -> float:
    """Proportional memory (PSS) of the local cloud's process and of all processes of its hosts.

    Source of PSS: proc(5), smaps_rollup.
    """
    cloud = (state / "local_cloud" / "pid").read_text(encoding="utf-8").strip()
    hosts = [path.name for path in (state / "local_cloud" / "hosts").iterdir()]
    listed = subprocess.run(
        ["podman", "ps", "--format", "{{.Names}} {{.Pid}}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    roots = [cloud] + [line.split()[1] for line in listed if any(line.split()[0].endswith(host) for host in hosts)]
    if len(roots) != 1 + len(hosts):
        sys.exit(f"The hosts {hosts} are not all running: {listed}")
    total = 0
    while roots:
        process = Path("/proc") / roots.pop()
        rollup = (process / "smaps_rollup").read_text(encoding="utf-8")
        total += int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
        for task in (process / "task").iterdir():
            roots += (task / "children").read_text(encoding="utf-8").split()
    return total / 1024


def freshness_seconds(clone: Path) -> float:
    """From one quote's acknowledgement by Kafka to the row that `make query` counts, its own time included."""
    facts = json.loads((clone / ".state" / DEPLOYMENT / "deployment.json").read_text(encoding="utf-8"))
    run = uuid.uuid4().hex
    quote = {
        "symbol": "BENCH",
        "event_time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        **dict.fromkeys(("open", "high", "low", "close", "adj_close", "close_usd"), 1.0),
        "volume": 1,
        "producer_id": run,
        "sequence": 0,
    }
    security = facts["kafka_security"]
    producer = KafkaProducer(
        bootstrap_servers=facts["bootstrap_servers"].split(","),
        acks="all",
        security_protocol="SASL_SSL",
        ssl_cafile=security["ca_file"],
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=security["username"],
        sasl_plain_password=Path(security["password_file"]).read_text(encoding="utf-8").strip(),
    )
    producer.send(facts["topic"], key=b"BENCH", value=json.dumps(quote).encode()).get(timeout=30)
    began = time.monotonic()
    producer.close()
    sql = f"select count(*) as quotes from quotes where producer_id = '{run}'"
    while time.monotonic() - began < 300:
        if json.loads(timed(["make", "query", "FORMAT=json", f"SQL={sql}"], clone)[1])[0]["quotes"] == 1:
            return time.monotonic() - began
    sys.exit("The quote did not reach Athena within 300 s.")


def flush_seconds(clone: Path) -> float:
    """The consumer's flush interval as the instance has it."""
    shown = timed(["make", "ssh", "COMMAND=sudo cat /etc/stock-market/consumer.toml"], clone)[1]
    return float(tomllib.loads(shown)["cut"]["seconds"])


def measure(clone: Path) -> list[Figure]:
    """All figures, in the order in which a person meets them."""
    playbook = [".venv/bin/ansible-playbook"]
    down = ["make", "down", "CONFIRM=yes", "PURGE=yes"]
    figures = [at_most("make up, fresh clone", timed(["make", "up"], clone)[0], 300, "s")]
    seconds, printed = timed([*playbook, "playbooks/site.yml"], clone)
    figures += [
        at_most("site.yml again", seconds, 30, "s"),
        at_most("site.yml again: changes", changed(printed), 0, ""),
    ]
    fresh = max(freshness_seconds(clone) for _ in range(FRESHNESS_ROUNDS))
    figures.append(at_most(f"record to row, slowest of {FRESHNESS_ROUNDS}", fresh, flush_seconds(clone) + 5, "s"))
    figures.append(at_most("memory, cloud and host", memory_megabytes(clone / ".state" / DEPLOYMENT), 2560, "MB"))
    figures.append(at_most("make status", timed(["make", "status"], clone)[0], 2, "s"))
    timed(down, clone)
    timed([*playbook, "playbooks/local_cloud.yml"], clone)
    figures.append(
        at_most("site.yml from nothing, built image", timed([*playbook, "playbooks/site.yml"], clone)[0], 75, "s")
    )
    figures.append(at_most("make down", timed(down, clone)[0], 60, "s"))
    return figures


def figures() -> list[Figure]:
    """Measures in a clone of its own; the deployment is taken away whatever happens."""
    clone = Path(tempfile.mkdtemp(prefix="stock-market-bench-")) / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    try:
        return measure(clone)
    finally:
        subprocess.run(
            ["make", "down", "CONFIRM=yes", "PURGE=yes"], cwd=clone, env=ENVIRONMENT, capture_output=True, check=False
        )
        shutil.rmtree(clone.parent)
