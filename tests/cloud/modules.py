"""Imports Ansible's modules, which are not a package, as Python modules under test."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

MODULES = Path(__file__).resolve().parents[2] / "plugins" / "modules"


def load(name: str) -> ModuleType:
    """One of plugins/modules, which is no package."""
    spec = importlib.util.spec_from_file_location(name, MODULES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
