"""Promises about the modules' form."""

import re
from itertools import chain
from pathlib import Path

import pytest
from ansible_mitogen.planner import NewStylePlanner

from operator_shell import COLLECTIONS

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_every_module_is_taken_for_one_that_imports_module_utils(module: Path) -> None:
    # Another is run as a script, by an interpreter that a host need not have.
    assert NewStylePlanner.MARKER.search(module.read_bytes())


def test_the_collections_that_ansible_finds_are_those_that_are_used() -> None:
    folders = (ROOT / name for name in ("inventory", "molecule", "playbooks", "plugins", "roles"))
    files = [ROOT / "ansible.cfg", *chain.from_iterable(folder.rglob("*.*") for folder in folders)]
    texts = [path.read_text(encoding="utf-8") for path in files if path.suffix in (".cfg", ".j2", ".py", ".yml")]
    used = re.compile(
        r"\b((?:amazon|ansible|cisco|community|containers)\.(?!builtin|module_utils|plugins)[a-z]+)\.[a-z_]+\b"
    )
    named = {name for text in texts for name in used.findall(text)}
    assert named & {"amazon.aws", "community.crypto"}
    assert {name for name in named if name.partition(".")[0] != "ansible"} | {"ansible.posix"} == set(COLLECTIONS)
