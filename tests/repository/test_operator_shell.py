"""What runs is the same in every shell, started by make or by hand: Ansible's settings, and what its modules see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.shells import GATHERED, ROOT, SHELLS, Shell

import operator_aws
import operator_shell

BIN = ROOT / ".venv" / "bin"
PROGRAM = "import json, os; u = os.umask(0); print(json.dumps([dict(os.environ), u]))"
SETTINGS = [
    *("COLLECTIONS_PATHS", "DEFAULT_ACTION_PLUGIN_PATH", "DEFAULT_FILTER_PLUGIN_PATH"),
    *(
        "DEFAULT_HOST_LIST",
        "DEFAULT_LOOKUP_PLUGIN_PATH",
        "DEFAULT_MODULE_PATH",
        "DEFAULT_REMOTE_USER",
        "DEFAULT_ROLES_PATH",
    ),
    *("DEFAULT_STDOUT_CALLBACK", "DEFAULT_STRATEGY", "DEFAULT_STRATEGY_PLUGIN_PATH", "DEFAULT_TEST_PLUGIN_PATH"),
    *("DEFAULT_TRANSPORT", "DEFAULT_VAULT_PASSWORD_FILE", "VARIABLE_PLUGINS_ENABLED"),
]
SCENARIOS = [file for file in sorted(ROOT.glob("molecule/*/molecule.yml")) if "AWS_ENDPOINT_URL" in file.read_text()]
# Keeps what a module on this machine sees, with Ansible's settings.
SEEN = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {
                "ansible.builtin.command": {"argv": [sys.executable, "-c", PROGRAM]},
                "register": "seen",
                "changed_when": False,
            },
            {
                "ansible.builtin.copy": {
                    "content": "{{ [seen.stdout | from_json, lookup('config', *names)] | to_json }}",
                    "dest": "{{ answer }}",
                    "mode": "0600",
                },
                "vars": {"names": SETTINGS},
            },
        ],
    }
]
MAY_DIFFER = {"_", "SHLVL", "OLDPWD", "PWD", "HOME", "COLUMNS", "SSH_AUTH_SOCK", "VIRTUAL_ENV_PROMPT"}
PROXIES = {"http_proxy", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY"}
SHOWING = {"ANSIBLE_FORCE_COLOR", "ANSIBLE_VERBOSITY"}
MAKES = {"ARGS", "FORMAT", "HOST", "MAKEFLAGS", "SQL", "WHAT"}
# The one line that two of them are worth, of the endpoint and of Ansible's variables.
SAID = {
    "LocalStack": "AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 is not used: the local cloud has an endpoint of its own.",
    "ANSIBLE_CONFIG": "ANSIBLE_COLLECTIONS_PATH, ANSIBLE_CONFIG, ANSIBLE_INVENTORY, ANSIBLE_LIBRARY, "
    "ANSIBLE_REMOTE_USER, ANSIBLE_ROLES_PATH, ANSIBLE_SSH_ARGS, ANSIBLE_STDOUT_CALLBACK, ANSIBLE_STRATEGY, "
    "ANSIBLE_STRATEGY_PLUGINS, ANSIBLE_TRANSPORT, ANSIBLE_VAULT_PASSWORD_FILE "
    "would change what runs, and is not used: see ansible.cfg.",
}


def seen(shell: Shell, home: Path) -> tuple[dict[str, str], int, list[Any], str]:
    """Return a module's environment and umask, Ansible's settings, and what was said beside, in a shell."""
    home.mkdir()
    play, answer = home / "seen.yml", home / "seen.json"
    play.write_text(json.dumps(SEEN), encoding="utf-8")
    by_hand = f". .venv/bin/activate\nansible-playbook -e 'answer={answer}' '{play}'"
    done = subprocess.run(
        shell.command(by_hand, home),
        cwd=ROOT,
        env=shell.environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "PLAY RECAP" in done.stdout
    (environment, umask), settings = json.loads(answer.read_text(encoding="utf-8"))
    return environment, umask, settings, done.stderr


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], int, list[Any], str]:
    """The same in a shell that exports nothing."""
    return seen(SHELLS[0], tmp_path_factory.mktemp("plain") / "home")


@pytest.mark.parametrize("shell", GATHERED, ids=lambda shell: shell.name)
def test_ansible_typed_by_hand_has_the_same_settings_and_environment_in_every_shell(
    shell: Shell, plain: tuple[dict[str, str], int, list[Any], str], tmp_path: Path
) -> None:
    environment, umask, settings, said = seen(shell, tmp_path / "home")
    passing = MAY_DIFFER | PROXIES | SHOWING | MAKES
    assert {name: value for name, value in environment.items() if name not in passing} == {
        name: value for name, value in plain[0].items() if name not in passing
    }
    assert umask == plain[1] == 0o022
    assert settings == plain[2]
    assert environment["HOME"]
    expected = SAID.get(shell.name.partition(" + ")[0])
    lines = [line for line in said.splitlines() if line.startswith("This shell's")]
    assert lines == ([f"This shell's {expected}"] if expected else [])


def test_the_deployments_addresses_go_past_a_proxy_and_everything_else_through_it() -> None:
    environment = {"https_proxy": "http://p:3128", "NO_PROXY": "example.org", "STOCK_MARKET_DEPLOYMENT": "stock-market"}
    operator_shell.settle_proxies(environment, "192.0.2.7")
    expected = "example.org,localhost,127.0.0.1,127.77.78.1,198.18.78.1,192.0.2.7"
    assert environment["no_proxy"] == environment["NO_PROXY"] == expected
    assert environment["https_proxy"] == "http://p:3128"
    # As inventory/local and its plugin derive them.
    assert "127.77.78.1" in operator_shell.addresses({})


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.parent.name)
def test_a_scenario_asks_the_local_cloud_of_its_own_deployment(file: Path) -> None:
    environment = yaml.safe_load(file.read_text(encoding="utf-8"))["ansible"]["env"]
    cloud, operator = operator_shell.addresses(environment)
    assert environment["AWS_ENDPOINT_URL"] == f"http://{cloud}:4566"
    assert environment["STOCK_MARKET_OPERATOR_CIDR"] == f"{operator}/32"


@pytest.mark.parametrize(
    ("given", "kept", "said"),
    [
        ({"AWS_DEFAULT_PROFILE": "me"}, {"AWS_PROFILE": "me"}, ""),
        ({"AWS_PROFILE": "me", "AWS_DEFAULT_PROFILE": "other"}, {"AWS_PROFILE": "me"}, ""),
        ({"AWS_PROFILE": "", "AWS_REGION": ""}, {}, ""),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}, ""),
        (
            {"AWS_ACCESS_KEY_ID": "k", "AWS_PROFILE": "me"},
            {"AWS_ACCESS_KEY_ID": "k"},
            "AWS keys are used and not its AWS_PROFILE",
        ),
        ({"AWS_ENDPOINT_URL": "http://x", "AWS_URL": "http://y"}, {"AWS_ENDPOINT_URL": "http://x"}, "at http://x."),
        (
            {"AWS_ENDPOINT_URL": "http://x", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "",
        ),
    ],
)
def test_settings_of_an_account_mean_one_thing_to_modules_and_plugins(
    given: dict[str, str], kept: dict[str, str], said: str
) -> None:
    environment = dict(given)
    sayings = operator_aws.settle_aws(environment, [str(ROOT / "inventory" / "aws")])
    assert environment == kept
    assert said in " ".join(sayings)
    assert bool(said) == bool(sayings)


def test_the_endpoint_of_a_stand_in_is_said_once() -> None:
    account = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    done = subprocess.run(
        [str(BIN / "ansible-inventory"), "-i", "inventory/aws", "--host", "localhost"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **account},
        capture_output=True,
        text=True,
        check=True,
    )
    line = "This shell's AWS_ENDPOINT_URL is used: inventory and modules ask the AWS API at http://127.0.0.1:9."
    assert done.stderr.count(line) == 1
    assert 'Could not connect to the endpoint URL: "http://127.0.0.1:9"' in done.stderr


def test_a_sourced_deployment_gives_back_the_operators_own_profile(tmp_path: Path) -> None:
    (tmp_path / "aws").mkdir()
    (tmp_path / "env.sh").touch()
    (tmp_path / "aws" / "credentials").write_text("[lab]\naws_access_key_id = local-cloud\n")
    sourced = {
        "AWS_CONFIG_FILE": str(tmp_path / "aws" / "config"),
        "AWS_PROFILE": "lab",
        "AWS_ENDPOINT_URL": "http://127.77.3.1:4566",
    }
    local = dict(sourced)
    assert operator_aws.settle_aws(local, [str(ROOT / "inventory" / "local")]) == []
    assert "AWS_PROFILE" not in local
    account = sourced | {"STOCK_MARKET_USER_AWS_PROFILE": "me"}
    assert operator_aws.settle_aws(account, ["inventory/aws"]) == []
    assert account == {"AWS_PROFILE": "me", "STOCK_MARKET_USER_AWS_PROFILE": "me"}


def test_the_program_is_known_however_it_is_started() -> None:
    assert operator_shell.program(["python", "/x/.venv/bin/ansible-playbook", "-i", "a"]) == ("ansible", ["-i", "a"])
    assert operator_shell.program(["python", "-W", "error", "-m", "ansible", "playbook"])[0] == "ansible"
    assert operator_shell.program(["python", "-m", "stock_market_ops.query", "-m", "ansible"])[0] == "own"
    assert operator_shell.program(["python", "-m", "tests.chaos", "--faults", "3"])[0] == "tests"
    assert operator_shell.program(["python", "-m", "tests.chaos.mutants.believer"])[0] == ""
    assert operator_shell.program(["python", "-c", "import ansible"])[0] == ""
    assert operator_shell.program(["python"])[0] == ""
    assert operator_shell.inventories(["-ia", "-i", "b", "--inventory=c", "--inv", "d", "play.yml"]) == [
        "a",
        "b",
        "c",
        "d",
    ]


def test_whoever_has_no_home_and_no_account_gets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert operator_shell.home("/etc/passwd", str(ROOT), "/") == str(ROOT)
    assert operator_shell.home("", "/nonexistent", "/etc/passwd", "here") == str(tmp_path / "home")
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    monkeypatch.setattr(os, "umask", lambda mode: mode)
    for given, name in (({}, "uid-54321"), ({"USER": "runner"}, "runner"), ({"LOGNAME": "ci"}, "ci")):
        environment = dict(given)
        operator_shell.settle_shell(environment)
        assert (environment["HOME"], environment["LOGNAME"]) == (str(tmp_path / "home"), name)


def test_ansible_of_another_project_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\nforks = 3\n")
    done = subprocess.run(
        [str(BIN / "ansible-config"), "dump", "--only-changed", "--format", "json"],
        cwd=tmp_path,
        env=os.environ | {"ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "ANSIBLE_TIMEOUT": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    settings = {item["name"]: item["value"] for item in json.loads(done.stdout) if "name" in item}
    assert (settings["DEFAULT_FORKS"], settings["DEFAULT_TIMEOUT"]) == (3, 7)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "de_DE.ISO-8859-1"])
def test_it_is_found_in_a_path_that_the_shells_locale_cannot_write(tmp_path: Path, locale: str) -> None:
    folder = tmp_path / "My Projects" / "x \u00e9\u4e2d"
    (folder / "scripts").mkdir(parents=True)
    for name in ("operator_aws.py", "operator_shell.py"):
        (folder / "scripts" / name).write_text((ROOT / "scripts" / name).read_text("utf-8"), "utf-8")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
    python = folder / ".venv" / "bin" / "python"
    subprocess.run([str(python), str(folder / "scripts" / "operator_shell.py")], check=True)
    (folder / "ansible-stand-in").write_text(
        "import os, sys; print(os.environ['LC_ALL'], sys.getfilesystemencoding())\n"
    )
    done = subprocess.run(
        [str(python), "ansible-stand-in"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("C.UTF-8 utf-8\n", "")
