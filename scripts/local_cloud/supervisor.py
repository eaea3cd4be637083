"""Starting, looking at and stopping a local cloud, whatever state an earlier one has left."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from local_cloud.ec2 import ami
from local_cloud.errors import LocalCloudError
from local_cloud.hosts import host as hosts
from local_cloud.hosts import image, network
from local_cloud.hosts.commands import require
from local_cloud.settings import API_PORT, HEALTH_PATH, Settings

START_LIMIT_SECONDS = 120.0
STOP_LIMIT_SECONDS = 120.0
_LOG_LINES = 15
_PAST_PROXIES = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Report:
    """What a command found and did."""

    running: bool
    changed: bool
    pid: int | None = None
    endpoint_url: str | None = None
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


# One start or stop at a time on this machine, so that none takes another's beginnings for leftovers.
_LOCK = "local_cloud.lock"


def live_pid(settings: Settings) -> int | None:
    """The process id of this deployment's running server, or None.

    The server is found by its lock, and by what it says of itself should somebody have removed its directory.
    """
    if settings.lock_file.exists():
        with settings.lock_file.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return _pid_of(settings)
    try:
        said = health(settings)
    except LocalCloudError:
        return None
    if said is not None and said.get("state_dir") == str(settings.state_dir):
        return int(str(said["pid"]))
    return None


def _pid_of(settings: Settings) -> int:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        text = settings.pid_file.read_text().strip() if settings.pid_file.exists() else ""
        if text.isdecimal():
            return int(text)
        time.sleep(0.05)
    raise LocalCloudError(
        f"A process holds {settings.lock_file} but has written no {settings.pid_file.name}: end it, then try again."
    )


def health(settings: Settings) -> dict[str, object] | None:
    """What the server on this block's address says of itself; None if none listens there."""
    try:
        with _PAST_PROXIES.open(f"{settings.endpoint_url}{HEALTH_PATH}", timeout=5) as answer:
            said: dict[str, object] = json.load(answer)
            return said
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            return None
        raise LocalCloudError(_taken(settings)) from error
    except (OSError, ValueError) as error:
        raise LocalCloudError(_taken(settings)) from error


def _taken(settings: Settings) -> str:
    return (
        f"Another program listens on {settings.machine_address}:{API_PORT}: "
        f"set local_cloud_block to a number other than {settings.block}."
    )


def _refuse_another(settings: Settings) -> None:
    said = health(settings)
    if said is None or said.get("state_dir") == str(settings.state_dir):
        return
    raise LocalCloudError(
        f"Block {settings.block} is held by the running local cloud of '{said.get('deployment')}' "
        f"(process {said.get('pid')}, {said.get('state_dir')}): "
        "stop that one, or set local_cloud_block to another number."
    )


def status(settings: Settings) -> Report:
    """Say whether the local cloud runs and answers; changes nothing."""
    pid = live_pid(settings)
    if pid is None or health(settings) is None:
        return Report(running=False, changed=False)
    return Report(running=True, changed=False, pid=pid, endpoint_url=settings.endpoint_url)


def start(settings: Settings, debian_release: str = image.DEFAULT_RELEASE) -> Report:
    """Start the local cloud if it does not run; returns when it answers, and has the hosts' image of the release ready.

    What a killed one has left (hosts, bridge, rules) is removed first. Raises LocalCloudError with the log's last
    lines if it does not answer within START_LIMIT_SECONDS.
    """
    require()
    image.ensure(debian_release)
    with image.locked(_LOCK):
        _refuse_another(settings)
        pid = live_pid(settings)
        if pid is not None:
            _wait_until_ready(settings, pid, None)
            return Report(running=True, changed=False, pid=pid, endpoint_url=settings.endpoint_url)
        removed = _clean(settings)
        process = _spawn(settings)
        try:
            _wait_until_ready(settings, process.pid, process)
        except LocalCloudError:
            process.kill()
            process.wait()
            _clean(settings)
            raise
        return Report(running=True, changed=True, pid=process.pid, endpoint_url=settings.endpoint_url, removed=removed)


def _spawn(settings: Settings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "local_cloud.server"]
    command += [settings.deployment, str(settings.block), str(settings.state_dir)]
    command += [json.dumps(dataclasses.asdict(settings.faults)), json.dumps(settings.engine)]
    # Nothing of the shell may lead moto's own clients elsewhere or, as podman hands proxies on, reach the hosts.
    environment = {key: value for key, value in os.environ.items() if _passes(key)}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
    environment |= {
        "MOTO_AMIS_PATH": str(ami.write_list(settings)),
        "MOTO_ENABLE_AMI_VALIDATION": "true",
        "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
        "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
        "MOTO_PORT": str(API_PORT),
        "PYTHONUNBUFFERED": "1",
        # A bucket is named by the path alone, which is where the authorizer looks.
        "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true",
    }
    with settings.log_file.open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            start_new_session=True,
            umask=0o022,
            close_fds=True,
        )


def _passes(name: str) -> bool:
    """Whether the local cloud's process takes a variable from the shell that starts it."""
    return name in ("HOME", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER") or name.startswith(
        ("CONTAINERS_", "XDG_")
    )


def _wait_until_ready(settings: Settings, pid: int, process: subprocess.Popen[bytes] | None) -> None:
    end = time.monotonic() + START_LIMIT_SECONDS
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            raise LocalCloudError(f"The local cloud ended at its start. Its log's last lines:\n{_log_tail(settings)}")
        said = health(settings)
        if said is not None and said.get("pid") == pid:
            return
        time.sleep(0.1)
    raise LocalCloudError(
        f"The local cloud did not answer within {START_LIMIT_SECONDS:g} s. Its log's last lines:\n{_log_tail(settings)}"
    )


def _log_tail(settings: Settings) -> str:
    if not settings.log_file.exists():
        return "(there is no log)"
    return "\n".join(settings.log_file.read_text(errors="replace").splitlines()[-_LOG_LINES:])


def _clean(settings: Settings) -> list[str]:
    """Remove what a killed local cloud has left of hosts and network; return what there was."""
    removed = [f"host {name}" for name in hosts.remove_leftovers(settings)]
    removed += network.down(settings)
    if settings.pid_file.exists():
        settings.pid_file.unlink()
        removed.append("pid file")
    return removed


def stop(settings: Settings) -> Report:
    """End the local cloud with all that it made; works from any half state, and again when nothing is left.

    What its buckets still hold is saved as plain files first, and the report says where.
    """
    pid = live_pid(settings)
    kept: list[str] = []
    removed: list[str] = []
    if pid is not None:
        settings.kept_report.unlink(missing_ok=True)
        hosts.halt(pid, signal.SIGTERM, STOP_LIMIT_SECONDS)
        if settings.kept_report.exists():
            kept = settings.kept_report.read_text().splitlines()
        removed.append(f"process {pid}")
    with image.locked(_LOCK):
        if _held_by_another(settings):
            removed += [f"host {name}" for name in hosts.remove_leftovers(settings, whole_block=False)]
        elif shutil.which("podman") is not None and shutil.which("nft") is not None:
            removed += _clean(settings)
        if settings.directory.exists():
            shutil.rmtree(settings.directory)
            removed.append(str(settings.directory))
    return Report(running=False, changed=bool(removed), removed=removed, kept=kept)


def _held_by_another(settings: Settings) -> bool:
    try:
        return health(settings) is not None
    except LocalCloudError:
        return True
