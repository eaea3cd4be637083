"""pre-commit runs the linters that CI runs."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_the_hooks_run_each_linter_of_make_lint_and_no_other() -> None:
    """A linter is a program of .venv, with its command where it has several (`ruff check`)."""
    recipes = re.findall(r"^lint-(?:python|ansible):.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    linters = re.findall(r"\$\(BIN\)/(ruff \w+|[\w-]+)", "".join(recipes))
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    programs = [re.match(r"\.venv/bin/(ruff \w+|[\w-]+)", hook["entry"]) for hook in hooks]
    assert [program and program[1] for program in programs] == linters
