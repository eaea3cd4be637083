"""mypy checks all Python here, and what it is told to ignore has a reason."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REASONED = re.compile(r"# type: ignore\[[a-z, -]+\]  # \w")


def sources() -> list[str]:
    done = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_every_folder_with_python_is_checked() -> None:
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    assert {name.split("/")[0] for name in sources()} == set(checked)


def test_every_ignored_type_error_has_a_reason() -> None:
    lines = [
        (name, line)
        for name in sources()
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if "# type: " + "ignore" in line and name != "tests/repository/test_types.py"
    ]
    assert len(lines) > 20
    assert [each for each in lines if not REASONED.search(each[1])] == []
