"""A first boot as on AWS: cloud-init works, an upgrade has dpkg's lock, and there are no package lists."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from tests.support.local_cloud.one_host import Cloud

from local_cloud import supervisor
from local_cloud.hosts import host as hosts
from local_cloud.hosts import image

BLOCK = 252
ROOT = Path(__file__).resolve().parents[3]
# After a package is wanted; longer than the 60 s that ansible.builtin.apt waits by itself.
LOCKED_SECONDS = 65
# As unattended-upgrades does, in a process beside cloud-init; the lock is a record lock on the whole file. And the
# image was made today: its directory of package lists is empty, and new.
UPGRADE = f"""\
#!/bin/sh
rm -rf /var/lib/apt/lists/* /var/lib/apt/periodic
cat >/run/upgrade.py <<'END'
import fcntl, os, time
with open("/var/lib/dpkg/lock-frontend", "w") as frontend, open("/var/lib/dpkg/lock", "w") as database:
    fcntl.lockf(frontend, fcntl.LOCK_EX)
    fcntl.lockf(database, fcntl.LOCK_EX)
    open("/run/upgrading", "w").close()
    while not os.path.exists("/run/package-is-wanted"):
        time.sleep(0.1)
    time.sleep({LOCKED_SECONDS})
END
systemd-run --unit=upgrade python3 /run/upgrade.py
until [ -e /run/upgrading ]; do sleep 0.1; done
sleep 8
touch /run/cloud-init-was-last
"""
FAILING = "#!/bin/sh\nexit 3\n"
PLAYBOOK = """
- name: Use a new instance
  hosts: all
  strategy: linear
  gather_facts: false
  tasks:
    - name: Wait until SSH answers
      ansible.builtin.wait_for_connection:
        timeout: 180

    - name: Wait until the first boot has ended
      ansible.builtin.import_role:
        name: instances
        tasks_from: first_boot

    - name: Look whether cloud-init has ended
      ansible.builtin.stat:
        path: /run/cloud-init-was-last
      register: last
      failed_when: not last.stat.exists

    - name: Look whether dpkg is still locked
      ansible.builtin.command: systemctl is-active upgrade.service
      changed_when: false

    - name: Look whether the image updates itself
      ansible.builtin.command: systemctl is-active apt-daily.timer apt-daily-upgrade.timer
      changed_when: false

    - name: Say that a package is wanted
      ansible.builtin.file:
        path: /run/package-is-wanted
        state: touch
        mode: "0644"

    - name: Install a package
      ansible.builtin.import_role:
        name: packages
      vars:
        packages_names: [hello]

    - name: Use it
      ansible.builtin.command: hello
      changed_when: false
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A running local cloud; whatever the tests leave, it is gone in the end."""
    cloud = Cloud(tmp_path_factory.mktemp("cloud"), "first-boot-test", BLOCK)
    supervisor.start(cloud.settings)
    yield cloud
    supervisor.stop(cloud.settings)
    assert hosts.leftovers(cloud.settings, whole_block=True) == []


def play(cloud: Cloud, release: str, user_data: str) -> subprocess.CompletedProcess[str]:
    """Play PLAYBOOK on a new instance."""
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    return cloud.play(cloud.launch(release, user_data), PLAYBOOK, environment, instances_first_boot_seconds=180)


def test_the_roles_wait_for_cloud_init_and_for_an_upgrade_that_has_dpkgs_lock(cloud: Cloud) -> None:
    begun = time.monotonic()
    played = play(cloud, "12", UPGRADE)
    assert played.returncode == 0, played.stdout + played.stderr
    assert time.monotonic() - begun >= LOCKED_SECONDS


@pytest.mark.parametrize("release", image.RELEASES)
def test_a_first_boot_that_fails_ends_the_play_with_cloud_inits_words(cloud: Cloud, release: str) -> None:
    played = play(cloud, release, FAILING)
    assert played.returncode != 0
    said = " ".join(played.stdout.split())
    assert "node-1 is not ready: cloud-init ended with an error." in said, played.stdout
    assert "Use it" not in said


def test_user_data_has_ec2s_limit(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="User data is limited to 16384 bytes"):
        cloud.launch("12", "#" * 16385)
