"""The collection as a user has it: built from this checkout, and installed in a place without anything else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Without the repository's ansible.cfg, other collections, and the checkout, which Python knows as the collection, too.
ALONE = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | {
    "ANSIBLE_COLLECTIONS_PATH": "collections",
    "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
}

PLAYBOOK = """\
- hosts: all
  roles:
    - stock_market.streaming.java
    - stock_market.streaming.zookeeper
    - stock_market.streaming.kafka
"""


def ansible(folder: Path, program: str, *arguments: str) -> str:
    """What a program of Ansible prints in a folder that has only the installed collections."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=folder,
        env=ALONE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(folder: Path) -> Path:
    """Build the collection and install it below `collections` of the folder; return its root.

    Its dependencies are left out, as there is no network: what needs them cannot run there.
    """
    ansible(folder, "ansible-galaxy", "collection", "build", str(ROOT), "--output-path", ".")
    (archive,) = folder.glob("*.tar.gz")
    ansible(
        folder, "ansible-galaxy", "collection", "install", archive.name, "-p", "collections", "--no-deps", "--offline"
    )
    return folder / "collections" / "ansible_collections" / "stock_market" / "streaming"
