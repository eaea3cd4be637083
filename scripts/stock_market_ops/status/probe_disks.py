"""How full the instances' disks are, asked over SSH: the one way that answers while a full disk keeps a broker down."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

from stock_market_ops.common.deployment import Deployment, Instance
from stock_market_ops.status.report import DiskView

PATHS = "/ /var/lib/kafka /var/lib/zookeeper /var/lib/kafka-controller"
# A tunnel of Session Manager takes some seconds to open: the start of aws, a call to AWS, the agent's answer.
_SSH_SECONDS = {"ssh": 6.0, "ssm": 25.0}
_MAX_AT_ONCE = 16


def look(deployment: Deployment) -> list[DiskView]:
    """Ask every instance for its file systems, side by side; one that does not answer says why in its `failure`."""
    if not deployment.instances:
        return []
    with ThreadPoolExecutor(_MAX_AT_ONCE) as pool:
        found = pool.map(lambda instance: _ask(deployment, instance), deployment.instances)
        return [disk for disks in found for disk in disks]


def _ask(deployment: Deployment, instance: Instance) -> list[DiskView]:
    # A path that a host does not have is no fault, and df then ends with 1.
    done = run(deployment, instance, f"df --block-size=1 --output=target,size,avail {PATHS} 2>/dev/null || true")
    if isinstance(done, str):
        return [DiskView(instance.name, "", 0, 0, done)]
    return parse(instance.name, done.stdout) or [
        DiskView(instance.name, "", 0, 0, (done.stderr.strip().splitlines() or ["df said nothing"])[-1])
    ]


def run(deployment: Deployment, instance: Instance, command: str) -> subprocess.CompletedProcess[str] | str:
    """Run a command on an instance over SSH; return what came of it, or the reason why nothing did."""
    seconds = _SSH_SECONDS[instance.access]
    options = ["-F", deployment.ssh_config, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={seconds - 2:.0f}"]
    try:
        return subprocess.run(
            ["ssh", *options, instance.name, command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return f"no answer over SSH in {seconds:.0f} s"
    except OSError as error:
        return f"ssh cannot be run: {error}"


def parse(host: str, output: str) -> list[DiskView]:
    """Return what df's columns target, size and avail (bytes) say, each file system once."""
    found = {}
    for line in output.splitlines():
        mount, *numbers = line.rsplit(maxsplit=2)
        if len(numbers) == 2 and all(number.isdigit() for number in numbers):
            found[mount.strip()] = DiskView(host, mount.strip(), int(numbers[0]), int(numbers[1]))
    return list(found.values())
