"""Plan, status, query and a playbook, by make and by hand, in every shell; and `make up` in one of the worst."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.shells import ROOT, SHELLS, Shell, together

DEPLOYMENT = os.environ.get("SHELLS_DEPLOYMENT", "sm-shells")
# What is typed, and what has to be in the answer. A query answers with a number and nothing else.
TYPED = {
    "make plan": "Nothing stands in the way of site.yml.",
    "make status": "node-1",
    "make query FORMAT=csv SQL='select count(*) / count(*) as one from quotes'": "one\n1\n",
    "make topics": "changed=0",
    ". .venv/bin/activate; ansible-playbook playbooks/topics.yml": "changed=0",
    "make ssh COMMAND='echo $LANG; hostname'": "ip-",
}
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
Answers = dict[str, subprocess.CompletedProcess[str]]


def typed(checkout: Path, shell: Shell, home: Path, line: str, seconds: int = 120) -> subprocess.CompletedProcess[str]:
    """What a line prints in a shell in the checkout."""
    return subprocess.run(
        shell.command(line, home),
        cwd=checkout,
        env=shell.environment(home) | {"STOCK_MARKET_DEPLOYMENT": DEPLOYMENT},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the repository in a folder with a blank, and its deployment; SHELLS_CHECKOUT is one that runs."""
    if kept := os.environ.get("SHELLS_CHECKOUT"):
        yield Path(kept)
        return
    folder = tmp_path_factory.mktemp("shells") / "My Projects" / "x é"
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    worst = together(
        "AWS_PROFILE", "LocalStack", "other AWS settings", "other ANSIBLE_*", "LC_ALL=C", "umask 077", "TZ"
    )
    home = tmp_path_factory.mktemp("up")
    try:
        done = typed(folder, worst, home, "make up", 900)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        yield folder
    finally:
        gone = typed(folder, SHELLS[0], home, "make down CONFIRM=yes PURGE=yes", 300)
        assert gone.returncode == 0, gone.stdout[-4000:] + gone.stderr[-4000:]


@pytest.fixture(scope="session")
def answers(
    request: pytest.FixtureRequest, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Answers]]]:
    """What the chosen shells answered to each line; two shells at a time."""
    chosen = [item.callspec.params["shell"] for item in request.session.items if hasattr(item, "callspec")]

    def ask(shell: Shell, home: Path) -> Answers:
        return {line: typed(checkout, shell, home, line) for line in TYPED}

    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {shell.name: pool.submit(ask, shell, tmp_path_factory.mktemp("home")) for shell in chosen}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell.name)
def test_every_command_does_the_same_in_every_shell(shell: Shell, answers: dict[str, Future[Answers]]) -> None:
    for line, done in answers[shell.name].result().items():
        said = f"{line}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert done.returncode == 0, said
        assert TYPED[line] in COLOURS.sub("", done.stdout), said
        if "SQL=" in line:
            assert done.stdout == TYPED[line], said


def test_files_on_the_host_have_their_modes_whatever_the_umask(checkout: Path, tmp_path: Path) -> None:
    files = "/etc/hosts /etc/resolv.conf /etc/systemd/system/kafka.service /usr/bin/env"
    done = typed(checkout, SHELLS[0], tmp_path, f"make ssh COMMAND='stat -c %a {files}'")
    assert done.stdout.split() == ["644", "644", "644", "755"], done
