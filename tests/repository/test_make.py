"""make hands on what was typed as it was typed, and says in a sentence what it can't use."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.shells import ROOT

TEXTS = ("ARGS", "COMMAND", "SQL")
WORDS = (
    *(
        "ANALYSIS",
        "BACKUP",
        "CONFIRM",
        "FAULTS",
        "FORMAT",
        "HOST",
        "INSTANCE",
        "MAY",
        "MINUTES",
        "PART",
        "PURGE",
        "REMOVE",
        "ROUND",
    ),
    *("SEED", "STEP", "USER", "WHAT", "ENV", "STOCK_MARKET_DEPLOYMENT"),
)
# Prints the words that it was started with, and what it was handed as text.
STAND_IN = """#!/bin/sh
for word in "$@"; do printf '[%s]' "$word"; done
printf '\\nSQL=%s\\nCOMMAND=%s\\n' "$SQL" "$COMMAND"
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Makefile in a folder with a blank, whose programs only say how they were started."""
    folder = tmp_path_factory.mktemp("make") / "My Projects" / "x"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("inventory/local", "inventory/aws", "requirements", "scripts", "tools", ".state/lab"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    for source in ("operator_shell.py", "operator_aws.py", "make_arguments.py"):
        shutil.copy(ROOT / "scripts" / source, folder / "scripts")
    for name in ("bootstrap", "services", "operator", "local_cloud", "test"):
        (folder / "requirements" / f"{name}.txt").touch()
    (folder / ".state" / "lab" / "ssh_config").touch()
    for path in ("bin/ansible-playbook", "bin/query", "bin/ssh"):
        (folder / ".venv" / path).write_text(STAND_IN)
        (folder / ".venv" / path).chmod(0o755)
    # The one Python that is real, where ARGS is read; all other modules are the stand-in.
    python = folder / ".venv" / "bin" / "python"
    python.write_text(
        '#!/bin/sh\n[ "$2" = make_arguments ] || exec "$(dirname "$0")/query" "$@"\nshift 2\n'
        f'exec {ROOT}/.venv/bin/python "$(dirname "$0")/../../scripts/make_arguments.py" "$@"\n'
    )
    python.chmod(0o755)
    (folder / ".venv" / "checkout").write_text(str(folder))
    for name in ("locked", "locked-test"):
        (folder / ".venv" / name).touch()
    return folder


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What make prints in the folder, for deployment `lab`."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL")
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=kept | {"STOCK_MARKET_DEPLOYMENT": "lab"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


HOSTILE = 'it\'s "$(shell touch hit)" `touch hit` $$(touch hit) ${HOME} ; touch hit # %d \\n é * ?'


def test_sql_and_command_arrive_as_they_were_typed(checkout: Path) -> None:
    asked = make(checkout, "query", f"SQL={HOSTILE}", "OTHER=$(shell touch hit)")
    assert asked.returncode == 0, asked.stderr
    assert f"[--sql={HOSTILE}]\n" in asked.stdout
    assert f"\nSQL={HOSTILE}\n" in asked.stdout
    sent = make(checkout, "ssh", f"COMMAND={HOSTILE}", "HOST=node-1")
    assert sent.stdout.startswith(f"[-F][.state/lab/ssh_config][node-1][{HOSTILE}]\n"), sent
    assert not (checkout / "hit").exists()
    longer = make(checkout, "query", "SQL=select 1", "ARGS=--timeout 600")
    assert "[--sql=select 1][--timeout][600]\n" in longer.stdout


def test_args_are_words_with_quotes_and_nothing_else(checkout: Path) -> None:
    text = "-e 'a=two words' -e \"b=$(shell touch hit)\" -e c=$(touch hit) `touch hit` ; touch hit"
    done = make(checkout, "topics", f"ARGS={text}", OTHER="$(shell touch hit)")
    words = '[-e][{"a": "two words"}][-e][{"b": "$(shell touch hit)"}]'
    words += "[-e][c=$(touch][hit)][`touch][hit`][;][touch][hit]"
    assert f"[-i][inventory/local][playbooks/topics.yml]{words}\n" in done.stdout, done
    assert not (checkout / "hit").exists()
    for kept in ("a=1 b=2", "a='two words'", '{"a": "two words"}', "a=one"):
        assert f"[-e][{kept}]\n" in make(checkout, "topics", f"ARGS=-e {shlex.quote(kept)}").stdout
    refused = make(checkout, "topics", "ARGS=-e 'a")
    assert refused.returncode == 2
    assert "ARGS can't be split into words (No closing quotation)" in refused.stderr


@pytest.mark.parametrize("name", WORDS)
def test_a_word_that_a_shell_or_a_template_would_run_is_refused(checkout: Path, name: str) -> None:
    for text in ("$(shell touch hit)", "x; touch hit", "{{ lookup('pipe', 'touch hit') }}", "-oProxyCommand=touch hit"):
        done = make(checkout, "ssh", f"{name}={text}")
        assert done.returncode == 2, done
        assert done.stderr.startswith(f"{name}='{text}' can't be used: it "), done.stderr
        assert len(done.stderr.splitlines()) == 2
        assert not (checkout / "hit").exists()


def test_words_and_texts_of_the_environment_are_somebody_elses(checkout: Path) -> None:
    others = dict.fromkeys(
        (*TEXTS, *(name for name in WORDS if name not in ("ENV", "STOCK_MARKET_DEPLOYMENT"))), "$(touch hit)"
    )
    assert make(checkout, "ssh", **others).stdout == "[-F][.state/lab/ssh_config][default]\nSQL=\nCOMMAND=\n"
    assert "[-m][stock_market_ops.query][--format][table]\n" in make(checkout, "query", **others).stdout
    assert make(checkout, "client", **others).stderr.startswith("Say whose: make client USER=alice")
    assert not (checkout / "hit").exists()


def test_env_is_an_inventory_and_not_the_start_up_file_of_sh(checkout: Path) -> None:
    assert "[inventory/aws]" in make(checkout, "topics", ENV="aws").stdout
    assert "[inventory/local]" in make(checkout, "topics", ENV="/home/me/.shrc").stdout
    assert "[inventory/local]" in make(checkout, "topics", ENV="~/.shrc").stdout
    refused = make(checkout, "up", ENV="production")
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (
        2,
        "ENV=production is no inventory here; say ENV=local or ENV=aws.",
    )


def test_start_up_files_and_functions_of_the_shell_run_in_no_recipe(checkout: Path) -> None:
    (checkout / "rc").write_text("touch hit\n")
    functions = {f"BASH_FUNC_{name}%%": "() { touch hit; }" for name in ("ssh", "exit", "case", "printf")}
    done = make(checkout, "ssh", BASH_ENV=str(checkout / "rc"), MAKEFLAGS="-j8", CDPATH="/usr", **functions)
    assert done.returncode == 0, done
    assert not (checkout / "hit").exists()


@pytest.mark.parametrize("flag", ["e", "i", "t"])
def test_flags_of_make_that_change_what_runs_are_refused(checkout: Path, flag: str) -> None:
    refused = make(checkout, "topics", MAKEFLAGS=f"k{flag}", BIN="/nowhere")
    assert refused.returncode == 2
    assert f"make's flag -{flag}, from MAKEFLAGS or the command line, can't be used here" in refused.stderr
    assert refused.stdout == ""
    assert make(checkout, "topics", MAKEFLAGS="k --trace", BIN="/nowhere").returncode == 0


def test_roots_programs_are_found_after_su(checkout: Path) -> None:
    stand_in = checkout / ".venv" / "bin" / "query"
    kept = stand_in.read_text()
    stand_in.write_text("#!/bin/sh\ncommand -v ldconfig\n")
    try:
        assert make(checkout, "query", PATH="/usr/local/bin:/usr/bin:/bin").stdout.endswith("/sbin/ldconfig\n")
    finally:
        stand_in.write_text(kept)


def tools(folder: Path, *names: str) -> str:
    """A folder with these programs only, as PATH."""
    folder.mkdir()
    for name in ("make", "bash", "sh", "id", "grep", "cat", "env", "dirname", *names):
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return str(folder)


def test_aws_needs_no_debian_where_python_ssh_and_git_are_there(checkout: Path, tmp_path: Path) -> None:
    path = tools(tmp_path / "all", "python3", "git", "ssh", "ssh-keygen")
    done = make(checkout, "up", ENV="aws", PATH=path)
    assert done.returncode == 0, done
    assert "[-i][inventory/aws][playbooks/site.yml]" in done.stdout
    lacking = make(checkout, "up", ENV="aws", PATH=tools(tmp_path / "some", "python3", "ssh"))
    assert lacking.returncode == 2
    assert lacking.stderr.splitlines()[0] == (
        "ENV=aws needs on this machine, and these are missing: git, ssh-keygen. Install them."
    )
    local = make(checkout, "up", PATH=path)
    assert local.returncode == 2
    assert "this machine has no dpkg: use Debian 12 or 13, or ENV=aws" in local.stderr


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a:b", "a%b", "a$b", "a#b"])
def test_a_path_that_other_programs_cannot_take_is_refused_in_a_sentence(
    checkout: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    shutil.copytree(checkout, folder)
    done = make(folder, "status")
    assert done.returncode == 2
    assert "which Python, ssh or make can't take: move it." in done.stderr.splitlines()[0]


def test_help_lists_every_target_that_has_a_help_text(checkout: Path) -> None:
    texts = [
        line.split(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if ":" in line and " ## " in line
    ]
    listed = [line.split()[1] for line in make(checkout, "help").stdout.splitlines()]
    assert [name for name in texts if not name.startswith("\t")] == listed
