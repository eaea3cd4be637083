"""The local cloud's API without hosts, as a process: `... hostless DIRECTORY LAG NEW FAULTS [engine]`.

Instances are records whose states follow a clock, so the playbooks of the cloud run against it in seconds and without
podman. It prints its address when it listens. LAG is how many seconds its lists are behind, NEW how many a new
instance is not known, FAULTS are the settings of local_cloud.api.faults as JSON. With a fifth argument, `engine`,
Athena answers. All that others than the administrator have to be allowed is noted in DIRECTORY/rights.jsonl.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from local_cloud.ec2 import ami

if __name__ == "__main__":  # moto reads them when it is imported
    IMAGES = {"12": ("0123456789abcdef0", "20260101")}
    os.environ["MOTO_AMIS_PATH"] = str(ami.write(Path(sys.argv[1]) / "amis.json", IMAGES))
    os.environ |= {"MOTO_ENABLE_KEYPAIR_VALIDATION": "true", "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true"}
    os.environ |= {"MOTO_ENABLE_AMI_VALIDATION": "true", "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true"}

from moto.ec2.models.instances import Instance
from werkzeug.serving import make_server

from local_cloud import cloud, lag
from local_cloud.api import allowed
from local_cloud.api.application import Application
from local_cloud.api.authorizer import Authorizer
from local_cloud.api.dispatcher import Dispatcher
from local_cloud.athena import api as athena
from local_cloud.ec2.machines import Machines, set_state
from local_cloud.hosts.host import FirstBoot
from local_cloud.iam import callers as iam_callers
from local_cloud.iam.callers import Caller
from local_cloud.iam.policy import Request
from local_cloud.settings import FaultSettings, Settings
from local_cloud.trino.engine import TrinoEngine

SECONDS_TO_CHANGE = 0.5
REGION, VERSION = "us-east-1", "3.3.1345.0"


class NoHosts(Machines):
    """Instances that come and go by the clock alone."""

    def __init__(self) -> None:
        self._finish: dict[str, tuple[Instance, Callable[[], None]]] = {}
        self._first_boots: dict[str, FirstBoot] = {}

    def instances(self) -> list[Instance]:
        """Every instance that is not terminated."""
        return [instance for instance, _ in list(self._finish.values())]

    def _later(self, work: Callable[[], None]) -> None:
        timer = threading.Timer(SECONDS_TO_CHANGE, work)
        timer.daemon = True
        timer.start()

    def launch(self, instance: Instance, memory_mib: int, first_boot: FirstBoot, finish: Callable[[], None]) -> None:
        """Running, a moment later."""
        del memory_mib
        self._first_boots[instance.id] = first_boot
        self._finish[instance.id] = (instance, finish)
        self.start(instance)

    def start(self, instance: Instance) -> None:
        """Running, a moment later."""
        set_state(instance, "pending")
        self._later(lambda: set_state(instance, "running"))

    def stop(self, instance: Instance, limit: float = 0) -> None:
        """Stopped, a moment later."""
        del limit
        set_state(instance, "stopping")
        self._later(lambda: set_state(instance, "stopped"))

    def reboot(self, instance: Instance) -> None:
        """Nothing that EC2 would show."""

    def terminate(self, instance: Instance) -> None:
        """Terminated, a moment later."""

        def end() -> None:
            _, finish = self._finish.pop(instance.id)
            finish()
            set_state(instance, "terminated")

        set_state(instance, "shutting-down")
        self._later(end)

    def runs(self, instance: Instance, service: str) -> bool:
        """Whether the first boot of a running instance fetched the service's package from AWS."""
        package = f"amazonaws.com/amazon-ssm-{REGION}/{VERSION}/debian_amd64/{service}.deb".encode()
        return instance.state == "running" and package in self._first_boots[instance.id].user_data

    def refresh_address(self, instance: Instance) -> None:
        """There is no host to tell."""

    def refresh_firewalls(self) -> None:
        """There is no host to tell."""


class Rights:
    """Notes each right that a call of a user's or a role's needs, once."""

    def __init__(self, file: Path) -> None:
        self._file, self._noted, self._lock = file, set[str](), threading.Lock()

    def __call__(self, caller: Caller, one: Request) -> None:
        """Note one."""
        if caller.is_administrator:
            return
        told = {"caller": caller.arn, "action": one.action, "resource": one.resource, "context": dict(one.context)}
        line = json.dumps(told, sort_keys=True)
        with self._lock:
            if line not in self._noted:
                self._noted.add(line)
                with self._file.open("a") as file:
                    file.write(f"{line}\n")


def serve(directory: Path, faults: FaultSettings, *, with_engine: bool) -> None:
    """Serve until the process is ended."""
    settings = Settings("unit-test", 77, directory / "unit-test", faults)
    cloud.install(NoHosts(), settings.block)
    iam_callers.WATCHERS.append(Rights(directory / "rights.jsonl"))
    # What a person makes beside a deployment; the bundle itself never does.
    allowed.WRITES = {**allowed.WRITES, "ec2": allowed.WRITES["ec2"] | {"CreateVolume", "CreateNetworkInterface"}}
    engine = TrinoEngine(directory / "trino")
    if with_engine:
        engine.start()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        atexit.register(engine.close)
    athena.install(engine, work_group_made=engine.run)
    gate = Application(settings, Dispatcher(), os.getpid(), Authorizer().admit)
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=cloud.QuietRequestHandler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    lag.SECONDS, lag.NEW_INSTANCE_SECONDS = float(sys.argv[2]), float(sys.argv[3])
    serve(Path(sys.argv[1]), FaultSettings(**json.loads(sys.argv[4])), with_engine=sys.argv[5:] == ["engine"])
