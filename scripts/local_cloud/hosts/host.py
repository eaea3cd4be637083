"""A host: a systemd Debian in a podman container, the body behind an EC2 instance."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local_cloud.errors import LocalCloudError
from local_cloud.hosts import image, meminfo
from local_cloud.hosts.commands import run
from local_cloud.settings import Settings

LABEL = "stock-market.local-cloud"
POWER_OFF = signal.SIGRTMIN + 4
REBOOT = signal.SIGRTMIN + 5
# reboot(2) in a process namespace kills its first process: SIGHUP for a restart, SIGINT for a power-off. systemd
# without the right to call it exits with 133 for a restart instead.
_RESTART_CODES = (128 + signal.SIGHUP, 133)
_MAX_FILES = 65536
_BOOT_ID = "/run/boot_id"
_PROC_BOOT_ID = "/proc/sys/kernel/random/boot_id"
# systemd-resolved keeps the real servers in the second file and a loopback address in the first.
_RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


@dataclass(frozen=True)
class FirstBoot:
    """What RunInstances gives cloud-init to do at the first boot."""

    public_key: str | None = None
    user_data: bytes = b""


@dataclass(frozen=True)
class Body:
    """What a host is made of; ``memory_mib`` is that of the instance type."""

    instance_id: str
    image: str
    hostname: str
    private_address: str
    memory_mib: int
    first_boot: FirstBoot


def container_name(settings: Settings, instance_id: str) -> str:
    """The container's name: unique on this machine, and telling whose it is."""
    return f"{settings.bridge}-{instance_id}"


def _directory(settings: Settings, instance_id: str) -> Path:
    return settings.directory / "hosts" / instance_id


def _limit(kind: int, wanted: int) -> str:
    hard = resource.getrlimit(kind)[1]
    value = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    return f"{value}:{value}"


def create(settings: Settings, body: Body) -> None:
    """Make the container and lay into its root file system its names and what cloud-init asks EC2's metadata for."""
    memory_file = _directory(settings, body.instance_id) / "meminfo"
    # podman would lay a tmpfs over the journal: it would be gone at each boot, and count as the host's memory.
    journal = _directory(settings, body.instance_id) / "journal"
    journal.mkdir(parents=True, exist_ok=True)
    meminfo.write(memory_file, meminfo.render(body.memory_mib, meminfo.Usage(0, 0)))
    name = container_name(settings, body.instance_id)
    command = ["podman", "create", "--name", name, "--runtime", "runc", "--systemd=always", "--network", "none"]
    command += ["--label", f"{LABEL}.block={settings.block}", "--label", f"{LABEL}.deployment={settings.deployment}"]
    command += ["--label", f"{LABEL}.state-dir={settings.state_dir}", "--hostname", body.hostname, "--no-hosts"]
    # As on an EC2 instance, systemd may give services a sandbox: mount (SYS_ADMIN), and look into the process that it
    # prepares (SYS_PTRACE). Without the right to mount it would pass over the sandbox in silence.
    command += ["--cap-add", "SYS_ADMIN,SYS_PTRACE", "--security-opt", "apparmor=unconfined"]
    # A guest's own packet filters; what its services are denied is a part of this project.
    command += ["--cap-add", "NET_ADMIN"]
    # With SYS_BOOT a guest's reboot and poweroff end the container, and the two can be told apart.
    command += ["--cap-add", "SYS_BOOT", "--memory", f"{body.memory_mib}m", "--pids-limit", "16384"]
    command += ["--ulimit", f"nofile={_limit(resource.RLIMIT_NOFILE, _MAX_FILES)}"]
    command += ["--ulimit", f"nproc={_limit(resource.RLIMIT_NPROC, 4096)}"]
    command += ["--volume", f"{memory_file}:/proc/meminfo:ro", "--volume", f"{journal}:/var/log/journal"]
    command += [body.image, "/sbin/init"]
    run(command)
    root = Path(run(["podman", "mount", name]).stdout.strip())
    try:
        _lay_into(root, body)
    finally:
        run(["podman", "unmount", name], check=False)


def _lay_into(root: Path, body: Body) -> None:
    (root / "etc/hostname").write_text(f"{body.hostname}\n")
    names = f"{body.hostname}.ec2.internal {body.hostname}"
    (root / "etc/hosts").write_text(
        f"127.0.0.1 localhost\n{body.private_address} {names}\n::1 localhost ip6-localhost\n"
    )
    (root / "etc/resolv.conf").write_text(resolver_configuration())
    seed = root / image.SEED
    seed.mkdir(parents=True)
    keys = [body.first_boot.public_key.strip()] if body.first_boot.public_key else []
    told = {"instance-id": body.instance_id, "local-hostname": body.hostname, "public-keys": keys}
    for name, content in (("meta-data", json.dumps(told).encode()), ("user-data", body.first_boot.user_data)):
        (seed / name).touch(mode=0o600)
        (seed / name).write_bytes(content)


def resolver_configuration(candidates: Sequence[Path] = _RESOLVERS) -> str:
    """This machine's name servers as a host can use them: one on this machine's loopback is out of its reach."""
    for path in candidates:
        if not path.exists():
            continue
        lines = [line for line in path.read_text().splitlines() if line.startswith(("nameserver", "search", "options"))]
        if any(line.startswith("nameserver") and not line.split()[1].startswith(("127.", "::1")) for line in lines):
            return "\n".join(lines) + "\n"
    raise LocalCloudError("This machine has no name server that its hosts could ask: see /etc/resolv.conf.")


def prepare(settings: Settings, instance_id: str) -> int:
    """Make the host's namespaces without running anything in them, for the network; return its first process's id."""
    name = container_name(settings, instance_id)
    run(["podman", "init", name])
    pid = int(run(["podman", "inspect", "--format", "{{.State.Pid}}", name]).stdout)
    # A container shares the machine's boot id; a host has one of each boot, by which reboots are noticed and
    # journalctl -b finds its way.
    script = f"echo {uuid.uuid4()} > {_BOOT_ID} && mount --bind {_BOOT_ID} {_PROC_BOOT_ID} && rm {_BOOT_ID}"
    run(["nsenter", "-t", str(pid), "-m", "sh", "-c", script])
    return pid


def boot(settings: Settings, instance_id: str) -> None:
    """Let a prepared host run."""
    run(["podman", "start", container_name(settings, instance_id)])


def halt(pid: int, sign: int, limit: float) -> bool:
    """Ask a host's first process, or the local cloud's own, to end, and wait; after ``limit`` seconds it is killed.

    Returns whether it went down by itself. The request is repeated, since systemd drops it in its first moments.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        end = time.monotonic() + limit
        while time.monotonic() < end:
            signal.pidfd_send_signal(descriptor, sign)
            if poll.poll(1500):
                return True
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        poll.poll(10_000)
    except ProcessLookupError:
        return True
    finally:
        os.close(descriptor)
    return False


def cut_power(settings: Settings, instance_id: str) -> None:
    """Stop a host at once, in whatever state it is."""
    run(["podman", "stop", "--time", "0", container_name(settings, instance_id)], check=False)


def is_alive(pid: int) -> bool:
    """Whether a host's first process still runs."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def runs(settings: Settings, instance_id: str, service: str) -> bool:
    """Whether a host's systemd has the service active."""
    command = ["podman", "exec", container_name(settings, instance_id), "systemctl", "--quiet", "is-active", service]
    return run(command, check=False).returncode == 0


def exit_code(settings: Settings, instance_id: str) -> int:
    """Wait for the end that podman has recorded for a host that went down, and return its code."""
    return int(run(["podman", "wait", container_name(settings, instance_id)], timeout=30).stdout)


def asked_for_restart(code: int) -> bool:
    """Whether a host that ended with this code had been told to reboot."""
    return code in _RESTART_CODES


def remove(settings: Settings, instance_id: str) -> None:
    """Remove the host, its root file system and its small files."""
    run(["podman", "rm", "--force", "--volumes", "--time", "0", container_name(settings, instance_id)])
    shutil.rmtree(_directory(settings, instance_id), ignore_errors=True)


def refresh_meminfo(settings: Settings, instance_id: str, pid: int, memory_mib: int) -> None:
    """Bring a running host's /proc/meminfo up to date."""
    text = meminfo.render(memory_mib, meminfo.read_usage(pid))
    meminfo.write(_directory(settings, instance_id) / "meminfo", text)


def leftovers(settings: Settings, *, whole_block: bool) -> list[str]:
    """The containers of this deployment's state directory and, if asked for, of this block, whoever started them."""
    labels = [("state-dir", str(settings.state_dir))]
    if whole_block:
        labels.append(("block", str(settings.block)))
    found: set[str] = set()
    for label, value in labels:
        command = ["podman", "ps", "--all", "--filter", f"label={LABEL}.{label}={value}", "--format", "{{.Names}}"]
        found |= set(run(command).stdout.split())
    return sorted(found)


def remove_leftovers(settings: Settings, *, whole_block: bool = True) -> list[str]:
    """Remove the containers that a killed local cloud has left; return their names."""
    names = leftovers(settings, whole_block=whole_block)
    if names:
        run(["podman", "rm", "--force", "--volumes", "--time", "0", *names])
        still = leftovers(settings, whole_block=whole_block)
        if still:
            raise LocalCloudError(f"These containers could not be removed: {', '.join(still)}.")
    shutil.rmtree(settings.directory / "hosts", ignore_errors=True)
    return names
