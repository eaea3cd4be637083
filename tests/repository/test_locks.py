"""The locks hold for the Pythons of Debian 12, Ubuntu 24.04 and Debian 13, on this machine and on the hosts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).parent / "uv"
PYTHONS = ("3.11", "3.12", "3.13")
LOCKS = sorted(path.stem for path in (ROOT / "requirements").glob("*.in"))
# dbt-athena pins mmh3 4.1.0, which has no wheel for 3.13: the tests of other people's programs compile it there.
COMPILED = {("clients", "3.13"): ["mmh3"]}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_every_package_with_hashes_and_wheels(lock: str, python: str, tmp_path: Path) -> None:
    options = ["--quiet", "--dry-run", "--require-hashes", "--python-version", python, "--target", str(tmp_path)]
    options += ["--python", sys.executable, "--python-platform", "x86_64-manylinux_2_36", "--only-binary", ":all:"]
    for package in COMPILED.get((lock, python), []):
        options += ["--no-binary", package]
    file = ROOT / "requirements" / f"{lock}.txt"
    resolved = subprocess.run(
        [str(UV), "pip", "install", *options, "-r", str(file)], capture_output=True, text=True, check=False
    )
    assert resolved.returncode == 0, resolved.stderr
