"""What a service is denied: its sandbox is in force, not only written down, and its user has no other way in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import KEEPER

# Each runs as the user of its name.
SERVICES = [KEEPER, "kafka", "stock-producer", "stock-consumer"]
HIGHEST_EXPOSURE = 2.0


def main_pid(host: Any, service: str) -> int:
    return int(host.check_output(f"systemctl show --property MainPID --value {service}"))


def inside(host: Any, service: str, command: str) -> Any:
    """Runs a command as the service's user in the service's own view of the file system and of other processes."""
    pid = f"$(systemctl show --property MainPID --value {service})"
    user = f"--reuid {service} --regid {service} --clear-groups"
    return host.run(f"nsenter --target {pid} --mount setpriv {user} {command}")


@pytest.mark.parametrize("service", [*SERVICES, "stock-history"])
def test_a_service_is_exposed_no_further_than_2(host: Any, service: str) -> None:
    told = host.check_output(f"systemd-analyze security --no-pager {service}").splitlines()[-1]
    exposure = float(told.partition("exposure level for")[2].partition(": ")[2].split()[0])
    assert 0 < exposure <= HIGHEST_EXPOSURE, told


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_holds_no_capability_and_can_get_none(host: Any, service: str) -> None:
    status = host.check_output(f"cat /proc/{main_pid(host, service)}/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2", "no filter of system calls"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_sees_a_machine_of_its_own(host: Any, service: str) -> None:
    pid = main_pid(host, service)
    own, first = (
        set(host.check_output(f"readlink /proc/{which}/ns/mnt /proc/{which}/ns/user /proc/{which}/ns/uts").split())
        for which in (pid, 1)
    )
    assert len(own) == 3
    assert own & first == set(), "namespaces that it shares with the machine"
    assert inside(host, service, "ls /home").rc != 0
    seen = inside(host, service, "sh -c 'ls -d /proc/[0-9]*'").stdout.split()
    assert seen != []
    assert "/proc/1" not in seen


@pytest.mark.parametrize(
    ("service", "own"),
    [
        (KEEPER, {f"/var/lib/{KEEPER}", f"/var/log/{KEEPER}"}),
        ("kafka", {"/var/lib/kafka", "/var/log/kafka"}),
        ("stock-producer", set()),
        ("stock-consumer", set()),
    ],
)
def test_a_service_writes_to_its_own_directories_and_to_nothing_else(host: Any, service: str, own: set[str]) -> None:
    found = inside(host, service, "find / -xdev -type d -writable -not -path '/proc/*'").stdout.split()
    tops = {path for path in found if not any(path.startswith(f"{other}/") for other in found)}
    assert tops - {"/tmp", "/var/tmp"} == own  # the two are its own, and empty
    assert inside(host, service, "touch /tmp/mine").rc == 0
    assert not host.file("/tmp/mine").exists


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_user_has_no_shell_no_home_no_password_and_no_sudo(host: Any, service: str) -> None:
    asked = f"getent passwd {service}; getent shadow {service}; id -nG {service}; sudo -l -U {service}"
    account, shadow, groups, sudo, *rest = host.run(f"{asked}; su {service} -c 'echo in'").stdout.splitlines()
    assert account.split(":")[5:] == ["/nonexistent", "/usr/sbin/nologin"]
    assert shadow.split(":")[1].startswith(("!", "*")), "the account could log in with a password"
    assert groups == service
    assert "is not allowed to run sudo" in sudo
    assert "in" not in rest
    assert not host.file("/nonexistent").exists


@pytest.mark.parametrize("service", SERVICES)
def test_no_file_of_a_service_can_be_read_by_another_user(host: Any, service: str) -> None:
    assert host.check_output(f"find / -xdev -user {service} -type f -perm /077 -not -path '/proc/*'") == ""


@pytest.mark.parametrize(("service", "most_mb"), [("stock-producer", 512), ("stock-consumer", 512)])
def test_a_services_memory_has_a_bound_that_it_keeps(host: Any, service: str, most_mb: int) -> None:
    bound = int(host.check_output(f"systemctl show --property MemoryMax --value {service}"))
    assert 0 < bound <= most_mb * 2**20
    resident = host.check_output(f"grep VmHWM /proc/{main_pid(host, service)}/status").split()
    assert int(resident[1]) * 1024 < bound


@pytest.mark.parametrize("service", SERVICES)
def test_the_journal_has_no_refusal_of_a_service_and_no_line_that_systemd_ignored(host: Any, service: str) -> None:
    refusals = ("not permitted", "PermissionError", "EPERM", "ermission denied", "Read-only file system", "ignoring")
    lines = host.check_output(f"journalctl --unit {service} --output cat --no-pager").splitlines()
    assert lines != []
    assert [line for line in lines if any(refusal in line for refusal in refusals)] == []


def test_the_journal_has_a_bound_that_the_volume_holds(host: Any) -> None:
    # journald says at its start what it may take of which directory.
    said = host.check_output("journalctl --identifier systemd-journald --output cat --no-pager --grep 'System Journal'")
    # Debian 12's writes 512.0M, Debian 13's 512M.
    assert re.search(r"max 512(\.0)?M,", said.splitlines()[-1])


def test_the_history_runs_in_its_sandbox_with_its_own_role_and_kafkas_user(host: Any) -> None:
    host.check_output("systemctl start stock-history.service")
    log = host.check_output("journalctl --unit stock-history --lines 20 --output cat --no-pager")
    (done, *_) = [line for line in reversed(log.splitlines()) if "event=done" in line]
    assert "problems=0" in done
    assert "kafka_silent" not in log
    assert host.check_output("systemctl show --property Result --value stock-history.service") == "success"
    assert host.check_output("systemctl is-active stock-history.timer") == "active"
