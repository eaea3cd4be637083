"""The life of instances: EC2's states follow what really happens to the hosts."""

from __future__ import annotations

import functools
import logging
import os
import selectors
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from moto.core.utils import utcnow
from moto.ec2.models.instances import Instance, StateReason

from local_cloud.errors import LocalCloudError
from local_cloud.hosts import firewall, image, network
from local_cloud.hosts import host as hosts
from local_cloud.settings import Settings

LOG = logging.getLogger(__name__)

STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
STOP_LIMIT_SECONDS = 120.0
TERMINATE_LIMIT_SECONDS = 45.0
_WORKERS = 16
_MEMINFO_SECONDS = 15.0
_BY_USER = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")


@dataclass
class Machine:
    """An instance and the host behind it; ``pid`` is the host's first process while it runs."""

    instance: Instance
    memory_mib: int
    finish: Callable[[], None]
    """EC2's own clean-up at the end: volumes, interfaces, the profile's association."""
    pid: int | None = None
    has_run: bool = False
    gone: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)


def set_state(instance: Instance, name: str, code: str = "", message: str = "") -> None:
    """Move an instance to a state, with the reason that DescribeInstances then gives."""
    instance._state.name = name
    instance._state.code = STATES[name]
    instance.state_reason = StateReason(message, code)
    when = utcnow().strftime("%Y-%m-%d %H:%M:%S GMT")
    instance._reason = f"User initiated ({when})" if code.startswith("Client.User") else message


class Machines:
    """All hosts of the deployment; ``releases`` tells which release of Debian each AMI has.

    Each method returns at once and the work goes on in a thread, as EC2's calls do, except for addresses and packet
    filters, which are in force when the call returns.
    """

    def __init__(self, settings: Settings, releases: dict[str, str]) -> None:
        self._settings = settings
        self._releases = releases
        self._machines: dict[str, Machine] = {}
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="host")
        self._watch = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._watch.register(self._wake_read, selectors.EVENT_READ)
        self._closing = False
        threading.Thread(target=self._watch_hosts, name="watch", daemon=True).start()

    def instances(self) -> list[Instance]:
        """Every instance that has a host."""
        return [machine.instance for machine in list(self._machines.values())]

    def launch(
        self, instance: Instance, memory_mib: int, first_boot: hosts.FirstBoot, finish: Callable[[], None]
    ) -> None:
        """Give a new instance its host; it is running when the host is."""
        machine = Machine(instance, memory_mib, finish)
        self._machines[instance.id] = machine
        set_state(instance, "pending")
        self._submit(machine, lambda: self._launch(machine, first_boot))

    def start(self, instance: Instance) -> None:
        """Boot a stopped host again, on the root file system that it had."""
        machine = self._machines[instance.id]
        set_state(instance, "pending")
        self._submit(machine, lambda: self._boot(machine))

    def stop(self, instance: Instance, limit: float = STOP_LIMIT_SECONDS) -> None:
        """Power a host off; after ``limit`` seconds its power is cut."""
        machine = self._machines[instance.id]
        set_state(instance, "stopping")
        self._submit(machine, lambda: self._stop(machine, limit))

    def reboot(self, instance: Instance) -> None:
        """Restart a running host; EC2 shows it as running all the time."""
        machine = self._machines[instance.id]
        pid = machine.pid
        if pid is not None:
            self._pool.submit(hosts.halt, pid, hosts.REBOOT, STOP_LIMIT_SECONDS)

    def terminate(self, instance: Instance) -> None:
        """Power a host off and remove it with its root file system."""
        machine = self._machines[instance.id]
        set_state(instance, "shutting-down")
        self._submit(machine, lambda: self._terminate(machine))

    def runs(self, instance: Instance, service: str) -> bool:
        """Whether a host runs a service of systemd's at this moment."""
        machine = self._machines.get(instance.id)
        return machine is not None and machine.pid is not None and hosts.runs(self._settings, instance.id, service)

    def refresh_address(self, instance: Instance) -> None:
        """Bring a running host's public address in line with what EC2 says."""
        machine = self._machines.get(instance.id)
        if machine is None or machine.pid is None:
            return
        network.set_public_address(self._settings, machine.pid, instance.public_ip_address)
        if instance.public_ip_address is not None:
            network.forget_neighbour(self._settings, instance.public_ip_address, self._pids())

    def refresh_firewalls(self) -> None:
        """Bring all running hosts' packet filters in line with their security groups."""
        for machine, pid in self._running():
            try:
                self._apply_firewall(machine, pid)
            except LocalCloudError:
                if hosts.is_alive(pid):
                    raise

    def close(self, limit: float) -> None:
        """Power all hosts off, giving them ``limit`` seconds together, and remove them."""
        self._closing = True
        running = [pid for machine, pid in self._running() if not machine.gone]
        halts = [self._pool.submit(hosts.halt, pid, hosts.POWER_OFF, limit) for pid in running]
        for halt in halts:
            halt.result()
        os.write(self._wake_write, b"x")
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _running(self) -> list[tuple[Machine, int]]:
        """The machines whose hosts run, and the hosts' first processes."""
        every = [(machine, machine.pid) for machine in list(self._machines.values())]
        return [(machine, pid) for machine, pid in every if pid is not None]

    def _pids(self) -> list[int]:
        return [pid for _, pid in self._running()]

    def _submit(self, machine: Machine, work: Callable[[], None]) -> None:
        def guarded() -> None:
            with machine.lock:
                try:
                    work()
                except LocalCloudError as error:
                    self._failed(machine, str(error))
                except Exception as error:
                    LOG.exception("instance %s", machine.instance.id)
                    self._failed(machine, str(error))

        self._pool.submit(guarded)

    def _failed(self, machine: Machine, sentence: str) -> None:
        """As on EC2, an instance that can't be started is terminated if it is new and stopped if it is not."""
        if self._closing:
            return
        instance = machine.instance
        LOG.error("instance %s failed: %s", instance.id, sentence)
        if machine.gone:
            return
        if not machine.has_run:
            self._end(machine, "Server.InternalError", sentence)
            return
        if machine.pid is None:
            hosts.cut_power(self._settings, instance.id)
            set_state(instance, "stopped", "Server.InternalError", sentence)

    def _launch(self, machine: Machine, first_boot: hosts.FirstBoot) -> None:
        instance = machine.instance
        if instance.state != "pending":
            return
        host_image = image.ensure(self._releases[instance.image_id])
        private = str(instance.private_ip_address)
        name = f"ip-{private.replace('.', '-')}"
        body = hosts.Body(instance.id, host_image, name, private, machine.memory_mib, first_boot)
        hosts.create(self._settings, body)
        self._boot(machine)

    def _boot(self, machine: Machine) -> None:
        instance = machine.instance
        pid = hosts.prepare(self._settings, instance.id)
        _, prefix = str(instance.ec2_backend.get_vpc(instance.vpc_id).cidr_block).split("/")
        private = f"{instance.private_ip_address}/{prefix}"
        network.plug(self._settings, pid, instance.id, instance.nics[0].mac_address, private)
        network.set_public_address(self._settings, pid, instance.public_ip_address)
        self._apply_firewall(machine, pid)
        hosts.boot(self._settings, instance.id)
        machine.has_run = True
        if instance.public_ip_address is not None:
            network.forget_neighbour(self._settings, instance.public_ip_address, self._pids())
        machine.pid = pid
        set_state(instance, "running")
        # Another host may name this one's groups in its rules, and a rule may have changed since the filter was made.
        self.refresh_firewalls()
        LOG.info("instance %s runs at %s, %s", instance.id, instance.private_ip_address, instance.public_ip_address)
        self._watch.register(os.pidfd_open(pid), selectors.EVENT_READ, (machine, pid))
        os.write(self._wake_write, b"x")

    def _apply_firewall(self, machine: Machine, pid: int) -> None:
        rules = firewall.rules(machine.instance, self.instances(), self._settings)
        network.apply_firewall(pid, rules)

    def _stop(self, machine: Machine, limit: float) -> None:
        if machine.gone:
            return
        self._power_off(machine, limit)
        set_state(machine.instance, "stopped", *_BY_USER)
        LOG.info("instance %s is stopped", machine.instance.id)

    def _power_off(self, machine: Machine, limit: float) -> None:
        pid = machine.pid
        if pid is None:
            return
        if not hosts.halt(pid, hosts.POWER_OFF, limit):
            LOG.warning("instance %s did not go down within %g s: its power was cut", machine.instance.id, limit)
        machine.pid = None
        hosts.exit_code(self._settings, machine.instance.id)

    def _terminate(self, machine: Machine) -> None:
        if machine.gone:
            return
        self._power_off(machine, TERMINATE_LIMIT_SECONDS)
        self._end(machine, *_BY_USER)

    def _end(self, machine: Machine, code: str, message: str) -> None:
        machine.gone = True
        hosts.remove(self._settings, machine.instance.id)
        machine.finish()
        set_state(machine.instance, "terminated", code, message)
        self._machines.pop(machine.instance.id, None)
        LOG.info("instance %s is terminated", machine.instance.id)

    def _watch_hosts(self) -> None:
        """Notice each host that goes down, with no work at all in between."""
        while not self._closing:
            events = self._watch.select(_MEMINFO_SECONDS)
            for key, _ in events:
                if key.data is None:
                    os.read(self._wake_read, 64)
                    continue
                self._watch.unregister(key.fileobj)
                os.close(key.fd)
                machine, pid = key.data
                self._submit(machine, functools.partial(self._went_down, machine, pid))
            if not events:
                self._refresh_meminfo()

    def _refresh_meminfo(self) -> None:
        for machine, pid in self._running():
            try:
                hosts.refresh_meminfo(self._settings, machine.instance.id, pid, machine.memory_mib)
            except OSError:
                LOG.debug("instance %s went down while its memory was read", machine.instance.id)

    def _went_down(self, machine: Machine, pid: int) -> None:
        if machine.pid != pid or self._closing:
            return
        machine.pid = None
        instance = machine.instance
        exit_code = hosts.exit_code(self._settings, instance.id)
        if hosts.asked_for_restart(exit_code):
            LOG.info("instance %s reboots", instance.id)
            self._boot(machine)
            return
        LOG.info("instance %s powered itself off, code %d", instance.id, exit_code)
        code = "Client.InstanceInitiatedShutdown"
        if instance.instance_initiated_shutdown_behavior == "terminate":
            set_state(instance, "shutting-down")
            self._end(machine, code, "Instance initiated shutdown")
            return
        for interface in instance.nics.values():
            interface.stop()
        set_state(instance, "stopped", code, f"{code}: Instance initiated shutdown")
