"""Promises about the modules' form."""

from pathlib import Path

import pytest
from ansible_mitogen.planner import NewStylePlanner

MODULES = sorted((Path(__file__).resolve().parents[2] / "plugins" / "modules").glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_every_module_is_taken_for_one_that_imports_module_utils(module: Path) -> None:
    # Another is run as a script, by an interpreter that a host need not have.
    assert NewStylePlanner.MARKER.search(module.read_bytes())
