"""`make notebook` starts JupyterLab on loopback only, by its own settings, or says in a sentence what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from stock_market_ops.common.deployment import Deployment
from stock_market_ops.notebook import command

STARTED = "JupyterLab would have started."


def deployment(state: Path, **changes: str) -> Deployment:
    """A deployment's facts, in its folder."""
    given = {
        name: f"the-{name}"
        for name in (
            *("aws_profile", "data_bucket", "results_bucket", "workgroup", "database", "crawler", "topic"),
            *("consumer_group", "ssh_config", "bootstrap_servers"),
        )
    }
    facts = {"deployment": "lab", "region": "us-east-1", "endpoint_url": "http://127.0.0.1:9", "table": "quotes"}
    files = {f"aws_{kind}_file": str(state / "aws" / kind) for kind in ("config", "credentials")}
    more = {"consumers": 1, "flush_seconds": 30, "instances": [], "notebook_profile": "lab-notebook"}
    made = msgspec.convert(given | facts | files | more | changes, Deployment)
    state.mkdir(parents=True, exist_ok=True)
    (state / "deployment.json").write_bytes(msgspec.json.encode(made))
    return made


def main(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The program's exit code and what it says."""
    code = command.main([*arguments, "--deployment", "lab", "--state-root", str(root)])
    return code, capsys.readouterr().err


def test_it_listens_on_loopback_and_keeps_its_token_and_its_check_of_the_host() -> None:
    started = command.command()
    assert "--ServerApp.ip=127.0.0.1" in started
    assert "--ServerApp.allow_remote_access=False" in started
    assert not any("token" in word.lower() or "password" in word.lower() for word in started)
    assert f"--ServerApp.root_dir={command.NOTEBOOKS}" in started


def test_settings_of_jupyter_in_the_shell_and_in_the_home_are_not_read(tmp_path: Path) -> None:
    made = deployment(tmp_path / "lab")
    given = {
        "PATH": "/usr/bin",
        "JUPYTER_TOKEN": "known",
        "JUPYTER_CONFIG_PATH": "/home/me/open",
        "IPYTHONDIR": "/home/me/.ipython",
        "PYTHONPATH": "/home/me/lib",
        "MPLBACKEND": "TkAgg",
    }
    got = command.environment(given, made, tmp_path / "jupyter")
    assert got == {
        "PATH": "/usr/bin",
        "STOCK_MARKET_DEPLOYMENT": "lab",
        "IPYTHONDIR": str(tmp_path / "jupyter" / "ipython"),
        "MPLCONFIGDIR": str(tmp_path / "jupyter" / "matplotlib"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter" / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "jupyter" / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "jupyter" / "runtime"),
    }


def test_the_users_own_aws_files_stay_the_profiles_source(tmp_path: Path) -> None:
    made = deployment(tmp_path / "lab")
    got = command.environment({"AWS_CONFIG_FILE": "/home/me/aws"}, made, tmp_path)
    assert got["STOCK_MARKET_USER_AWS_CONFIG_FILE"] == "/home/me/aws"
    sourced = {"AWS_CONFIG_FILE": made.aws_config_file, "STOCK_MARKET_USER_AWS_CONFIG_FILE": "/home/me/aws"}
    (tmp_path / "lab" / "env.sh").touch()
    assert command.environment(sourced, made, tmp_path)["STOCK_MARKET_USER_AWS_CONFIG_FILE"] == "/home/me/aws"


def test_what_is_missing_is_said_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PYTHON", tmp_path / "python")
    with pytest.raises(SystemExit, match="3"):
        main(tmp_path, capsys, "--check")
    assert capsys.readouterr().err.startswith("There is no deployment 'lab'")
    deployment(tmp_path / "lab", notebook_profile="")
    for arguments in (["--check"], []):
        code, said = main(tmp_path, capsys, *arguments)
        assert (code, said) == (
            1,
            "The deployment 'lab' has no role for notebooks yet: run `make up`, which creates it.\n",
        )
    deployment(tmp_path / "lab")
    assert main(tmp_path, capsys, "--check") == (0, "")
    code, said = main(tmp_path, capsys)
    assert (code, said) == (1, "The notebooks have no Kafka user yet: run `make notebook`, which creates it.\n")
    (tmp_path / "lab" / "clients").mkdir()
    (tmp_path / "lab" / "clients" / "notebook.password").touch()
    code, said = main(tmp_path, capsys)
    assert (code, said) == (1, "The notebooks' environment is missing: run `make notebook`, which installs it.\n")


def test_jupyterlab_replaces_the_program_with_its_files_in_the_deployments_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = deployment(tmp_path / "lab")
    began: list[tuple[str, list[str], dict[str, str]]] = []

    def execve(path: str, words: list[str], environment: dict[str, str]) -> None:
        began.append((path, words, environment))
        raise SystemExit(STARTED)

    monkeypatch.setattr("os.execve", execve)
    with pytest.raises(SystemExit, match=STARTED):
        command.start(made, tmp_path / "lab" / "jupyter")
    [(path, words, environment)] = began
    assert (path, words) == (str(command.PYTHON), command.command())
    assert (tmp_path / "lab" / "jupyter").stat().st_mode & 0o777 == 0o700
    assert environment["JUPYTER_RUNTIME_DIR"].startswith(str(tmp_path / "lab" / "jupyter"))
    assert json.loads((tmp_path / "lab" / "deployment.json").read_text())["notebook_profile"] == "lab-notebook"
