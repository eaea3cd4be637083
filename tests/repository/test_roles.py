"""Promises about the roles' form: what a role takes is written down once, and checked at the door."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_argument_specs_and_defaults_name_the_same_options(role: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = load(role / "defaults" / "main.yml") or {}
    assert set(defaults) == set(options)
    for name, option in options.items():
        assert option.get("type"), f"{role.name}: {name} has no type"
        assert option.get("description"), f"{role.name}: {name} has no description"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_public_options_carry_the_roles_name(role: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    assert [name for name in options if not name.startswith(f"{role.name}_")] == []


def test_apt_is_used_by_the_role_packages_alone_which_waits_for_its_locks() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for directory in ("roles", "playbooks")
        for path in (ROOT / directory).rglob("*.yml")
        if re.search(r"\bapt(-get)?:? |\bapt:", path.read_text(encoding="utf-8")) and "/meta/" not in path.as_posix()
    }
    assert users == {"roles/packages/tasks/main.yml"}
    *_, install = load(ROOT / "roles/packages/tasks/main.yml")
    assert install["ansible.builtin.apt"]["lock_timeout"] == "{{ packages_lock_seconds }}"
    assert load(ROOT / "roles/packages/defaults/main.yml")["packages_lock_seconds"] >= 600


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.name)
def test_every_playbook_says_its_use_in_its_header(playbook: Path) -> None:
    assert any(line.startswith("# ") for line in playbook.read_text(encoding="utf-8").splitlines()[:3])


def test_both_inventories_share_one_file_of_common_values() -> None:
    for cloud in ("local", "aws"):
        link = ROOT / "inventory" / cloud / "group_vars" / "all" / "common.yml"
        assert link.resolve() == ROOT / "inventory" / "common.yml"
