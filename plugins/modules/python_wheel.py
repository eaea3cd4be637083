#!/usr/bin/python
"""Ansible module that builds a Python package's wheel, beside a copy of its sources."""

from __future__ import annotations

DOCUMENTATION = r"""
module: python_wheel
short_description: Builds a pure Python package's wheel without a network
description:
  - Copies the named sources to a scratch directory and runs setuptools there, so that the project's directory stays
    clean and nothing of an earlier build gets in. The same sources give the same file.
  - A wheel that is there is left alone; give it a path that changes with its sources.
options:
  project:
    description: Directory of pyproject.toml.
    type: path
    required: true
  sources:
    description:
      - The files of the project that the wheel is built from, pyproject.toml among them; absolute paths within
        O(project).
    type: list
    elements: path
    required: true
  path:
    description: The wheel. Its name is the one that setuptools gives it.
    type: path
    required: true
requirements:
  - setuptools and wheel in the Python that runs this module
author:
  - The stock-market team
"""

EXAMPLES = r"""
- name: Build the wheel
  python_wheel:
    project: "{{ playbook_dir }}/.."
    sources: "{{ files }}"
    path: /tmp/wheel/0123456789abcdef/stock_market-1.0.0-py3-none-any.whl
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The wheel.
  type: str
  returned: always
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

_BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
_EPOCH = "315532800"  # 1980-01-01, the first moment that a zip file can name.


class BuildError(Exception):
    """The wheel can't be built; the message says why."""


def build(project: Path, sources: list[Path], wheel: Path) -> None:
    """Build the wheel; it appears at once and whole.

    Raises:
        BuildError: setuptools failed, or made a wheel of another name.
    """
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheel.parent, prefix=".building-") as scratch:
        copy = Path(scratch) / "source"
        for source in sources:
            target = copy / source.relative_to(project)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            target.chmod(0o644)
        done = subprocess.run(
            [sys.executable, "-c", _BUILD, scratch],
            cwd=copy,
            env=os.environ | {"SOURCE_DATE_EPOCH": _EPOCH},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildError(f"setuptools can't build {project}: {(done.stderr or done.stdout).strip()}")
        name = done.stdout.split()[-1]
        if name != wheel.name:
            raise BuildError(f"setuptools names the wheel of {project} {name}, not {wheel.name}")
        (Path(scratch) / name).replace(wheel)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "path", "required": True},
            "sources": {"type": "list", "elements": "path", "required": True},
            "path": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    wheel = Path(module.params["path"])
    missing = not wheel.is_file()
    if missing and not module.check_mode:
        try:
            build(Path(module.params["project"]), [Path(name) for name in module.params["sources"]], wheel)
        except (BuildError, OSError) as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=missing, path=str(wheel))


if __name__ == "__main__":
    main()
