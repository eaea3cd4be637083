"""How full the instances' disks are, asked over SSH: the one way that answers while a full disk keeps a broker down."""

from __future__ import annotations

from stock_market_ops.common.deployment import Deployment, Instance
from stock_market_ops.status import hosts
from stock_market_ops.status.report import DiskView

PATHS = "/ /var/lib/kafka /var/lib/zookeeper /var/lib/kafka-controller"


def questions(deployment: Deployment) -> list[tuple[Instance, str]]:
    """Return the instances that `look` asks, each with its command."""
    # A path that a host does not have is no fault, and df then ends with 1.
    command = f"df --block-size=1 --output=target,size,avail {PATHS} 2>/dev/null || true"
    return [(instance, command) for instance in deployment.instances]


def look(deployment: Deployment, ask: hosts.Ask = hosts.run) -> list[DiskView]:
    """Ask every instance for its file systems; one that does not answer says why in its `failure`."""
    return [disk for instance, command in questions(deployment) for disk in _ask(deployment, instance, command, ask)]


def _ask(deployment: Deployment, instance: Instance, command: str, ask: hosts.Ask) -> list[DiskView]:
    done = ask(deployment, instance, command)
    if isinstance(done, str):
        return [DiskView(instance.name, "", 0, 0, done)]
    return parse(instance.name, done.stdout) or [
        DiskView(instance.name, "", 0, 0, (done.stderr.strip().splitlines() or ["df said nothing"])[-1])
    ]


def parse(host: str, output: str) -> list[DiskView]:
    """Return what df's columns target, size and avail (bytes) say, each file system once."""
    found = {}
    for line in output.splitlines():
        mount, *numbers = line.rsplit(maxsplit=2)
        if len(numbers) == 2 and all(number.isdigit() for number in numbers):
            found[mount.strip()] = DiskView(host, mount.strip(), int(numbers[0]), int(numbers[1]))
    return list(found.values())
