"""The wheel that the hosts get holds every module of the services' package."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "scripts" / "stock_market"
UV = (str(Path(sys.executable).with_name("uv")), "build", "--offline", "--no-config", "--no-build-isolation")


def modules() -> set[str]:
    return {str(path.relative_to(PACKAGE.parent)) for path in PACKAGE.rglob("*.py")}


def listed() -> set[str]:
    """The files that the role stock_runtime builds the wheel from."""
    packages = yaml.safe_load((ROOT / "roles/stock_runtime/vars/main.yml").read_text())["__stock_runtime_packages"]
    return {
        str(path.relative_to(PACKAGE.parent))
        for package in packages
        for path in (PACKAGE / package.removeprefix("/")).glob("*.py")
    }


def test_the_role_lists_every_module() -> None:
    assert listed() == modules()


def test_the_wheel_holds_every_module(tmp_path: Path) -> None:
    subprocess.run([*UV, "--python", sys.executable, "--out-dir", tmp_path, ROOT], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.endswith(".py")} == modules()
