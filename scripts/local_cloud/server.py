"""The local cloud's process, ``python -m local_cloud.server NAME BLOCK STATE_DIR FAULTS ENGINE``: `start` runs it.

moto reads its settings from the environment when it is imported, so they are in this process's environment already.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TextIO

from local_cloud.cloud import Cloud
from local_cloud.errors import LocalCloudError
from local_cloud.hosts import network
from local_cloud.settings import FaultSettings, Settings

LOG = logging.getLogger(__name__)

# Hosts get this long to go down at the end, enough for a consumer to write what it holds.
CLOSE_LIMIT_SECONDS = 40.0
_POLL_SECONDS = 1.0


def hold_lock(settings: Settings) -> TextIO:
    """Lock the deployment for this process's life; raises LocalCloudError if another one holds it."""
    settings.directory.mkdir(parents=True, exist_ok=True)
    lock = settings.lock_file.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise LocalCloudError(f"The local cloud of '{settings.deployment}' is already running.") from None
    return lock


def serve(settings: Settings) -> None:
    """Run the local cloud until SIGTERM or SIGINT; then end it with everything it made."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with hold_lock(settings):
        settings.pid_file.write_text(f"{os.getpid()}\n")
        try:
            network.up(settings)
            cloud = Cloud(settings)
            cloud.listen(_POLL_SECONDS)
            LOG.info("the local cloud of %s is ready at %s", settings.deployment, settings.endpoint_url)
            stop.wait()
            LOG.info("ending")
            cloud.close(CLOSE_LIMIT_SECONDS)
        finally:
            network.down(settings)
            settings.pid_file.unlink(missing_ok=True)
        LOG.info("ended")


def main() -> int:
    """Run the server; returns its exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    deployment, block, state_dir, faults, engine = sys.argv[1:]
    given = FaultSettings(**json.loads(faults))
    try:
        serve(Settings(deployment, int(block), Path(state_dir), given, engine=json.loads(engine)))
    except LocalCloudError:
        LOG.exception("the local cloud ends")
        return 1
    return 0


if __name__ == "__main__":
    # Not by sys.exit: a worker thread that waits for a host's end must not keep the process.
    code = main()
    logging.shutdown()
    os._exit(code)
