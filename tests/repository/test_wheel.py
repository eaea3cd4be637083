"""The wheel that the hosts get holds every module of the services' package."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "scripts" / "stock_market"
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


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
    source = tmp_path / "source"
    for name in ("pyproject.toml", *(f"scripts/{module}" for module in listed())):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, "-c", BUILD, str(tmp_path)], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.endswith(".py")} == modules()
