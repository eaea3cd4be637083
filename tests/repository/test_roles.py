"""Promises about the roles' form: options, entry points and results are declared."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import role_readmes

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
def test_the_readme_is_in_step_with_the_options(role: Path) -> None:
    assert (role / "README.md").read_text(encoding="utf-8") == role_readmes.page(role), "make readmes"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_public_options_carry_the_roles_name(role: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    assert [name for name in options if not name.startswith(f"{role.name}_")] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_by_itself_needs_no_group_of_the_inventory(role: Path) -> None:
    """Defaults name no group; what a role computes of a group's hosts does without the group."""
    read = {path: path.read_text(encoding="utf-8") for path in role.rglob("*") if path.suffix in {".yml", ".j2"}}
    assert [path for path, text in read.items() if path.parent.name in {"defaults", "meta"} and "groups[" in text] == []
    needed = re.compile(r"groups\['\w+'\](?! \| default\()")
    assert [
        path for path, text in read.items() if path.parent.name in {"vars", "templates"} and needed.search(text)
    ] == []


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


def entry_points(tasks: Any) -> Iterator[tuple[str, str]]:
    """The roles that tasks include by `tasks_from`, with the names of the files; what a loop names is followed."""
    for task in tasks if isinstance(tasks, list) else []:
        if not isinstance(task, dict):
            continue
        for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks"):
            yield from entry_points(task.get(part))
        named = task.get("loop")
        loop: list[Any] = named if isinstance(named, list) else []
        # tasks/obstacle.yml includes what the loops of plan.yml name.
        yield from ((item["role"], item["tasks"]) for item in loop if isinstance(item, dict) and "tasks" in item)
        for action in ("include_role", "import_role"):
            included = task.get(f"ansible.builtin.{action}", {})
            if included.get("tasks_from") == "{{ item }}":
                yield from ((included["name"], item) for item in loop)
            elif "tasks_from" in included and included["name"] != "{{ __plan_check.role }}":
                yield included["name"], included["tasks_from"]


def test_every_entry_point_that_is_used_is_declared() -> None:
    used = {
        (role, name, path.relative_to(ROOT).as_posix())
        for directory in ("roles", "playbooks", "molecule")
        for path in (ROOT / directory).rglob("*.yml")
        for role, names in entry_points(load(path))
        for name in (re.findall(r"'(\w+)'", names) if "{{" in names else [names])
    }
    assert {("kafka", "gate"), ("zookeeper", "ready"), ("instances", "topology")} <= {use[:2] for use in used}
    declared = {
        (role.name, name) for role in ROLES for name in load(role / "meta/argument_specs.yml")["argument_specs"]
    }
    assert [use for use in sorted(used) if use[:2] not in declared] == []
    assert [name for name in sorted(declared) if not (ROOT / "roles" / name[0] / f"tasks/{name[1]}.yml").exists()] == []


def test_playbooks_and_inventories_read_no_private_variable_of_a_role() -> None:
    """What a role gives to others is a fact `<role>_result_<name>`."""
    private = {
        name
        for role in ROLES
        for path in role.rglob("*.yml")
        for name in re.findall(rf"\b__{role.name}_\w+", path.read_text(encoding="utf-8"))
    }
    read = {
        name
        for directory in ("playbooks", "inventory", "molecule")
        for path in (ROOT / directory).rglob("*.yml")
        for name in re.findall(r"\b__\w+", path.read_text(encoding="utf-8"))
    }
    assert private & read == set()
