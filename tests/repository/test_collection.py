"""The bundle is a collection: built, installed elsewhere, and whole there."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml
from tests.support.collection import PLAYBOOK, ROOT, ansible, install

NAME = "stock_market.streaming"
LEFT_OUT = (".", "benchmarks/", "galaxy.yml", "molecule/", "tests/")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("elsewhere"))


def test_a_playbook_of_five_lines_knows_the_roles(installed: Path) -> None:
    elsewhere = installed.parents[3]
    (elsewhere / "playbook.yml").write_text(PLAYBOOK)
    ansible(elsewhere, "ansible-playbook", "-i", "host,", "--syntax-check", "playbook.yml")


def test_its_modules_are_documented_where_it_is_installed(installed: Path) -> None:
    modules = [f"{NAME}.{path.stem}" for path in (ROOT / "plugins" / "modules").glob("*.py")]
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["aws"]
    # Their documentation has parts of amazon.aws, which is not there.
    alone = sorted(set(modules) - {f"{NAME}.{name}" for name in group if isinstance(name, str)})
    told = json.loads(ansible(installed.parents[3], "ansible-doc", "--type", "module", "--json", *alone))
    assert sorted(told) == alone
    assert all(Path(one["doc"]["filename"]).is_relative_to(installed) for one in told.values())


def test_it_holds_what_git_has_but_for_tests_and_settings_of_tools(installed: Path) -> None:
    (archive,) = installed.parents[3].glob("*.tar.gz")
    with tarfile.open(archive) as members:
        found = {member.name for member in members if not member.isdir()}
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    ours = {name for name in listing.stdout.splitlines() if (ROOT / name).exists() and not name.startswith(LEFT_OUT)}
    assert found == ours | {"MANIFEST.json", "FILES.json"}


@pytest.mark.parametrize(("group", "fragment"), [("aws", f"{NAME}.aws"), ("kafka", f"{NAME}.kafka")])
def test_each_module_with_a_connection_is_in_its_action_group(group: str, fragment: str) -> None:
    found = {
        path.stem
        for path in (ROOT / "plugins" / "modules").glob("*.py")
        if re.search(rf"(- |\[){re.escape(fragment)}$|\[{re.escape(fragment)}[\],]", path.read_text(), re.MULTILINE)
    }
    listed = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"][group]
    assert [name for name in listed if isinstance(name, str)] == sorted(found)
