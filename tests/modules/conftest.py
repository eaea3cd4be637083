"""Runs the project's Ansible modules in this process against an AWS API on a loopback address."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from moto.backends import get_backend
from tests.support.local_cloud.enforcing import enforcing_cloud
from tests.support.local_cloud.glue_lake import Lake

from local_cloud.glue import crawler as glue_crawler

MODULES = Path(__file__).parents[2] / "plugins" / "modules"
Run = Callable[..., dict[str, Any]]


def load(name: str) -> ModuleType:
    """A module's code, loaded once."""
    qualified = f"stock_market_modules.{name}"
    if qualified not in sys.modules:
        spec = importlib.util.spec_from_file_location(qualified, MODULES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[qualified] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[qualified])
    return sys.modules[qualified]


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the local cloud's AWS API, which refuses what AWS refuses."""
    with enforcing_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud.endpoint


@pytest.fixture
def lake(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """An account with an empty lake."""
    monkeypatch.setattr(glue_crawler, "STOPPING_SECONDS", 0.02)
    for service in ("s3", "iam", "glue", "athena"):
        get_backend(service).reset()
    built = Lake(endpoint)
    built.build()
    return built


@pytest.fixture
def run(endpoint: str) -> Run:
    """Runs a module: `run("glue_database", name="x", _check=True)` gives its result."""

    def run_module(_module: str, *, _check: bool = False, _diff: bool = True, **options: Any) -> dict[str, Any]:
        connection = {
            "region": "us-east-1",
            "endpoint_url": endpoint,
            "access_key": "local-cloud",
            "secret_key": "local-cloud",
        }
        arguments = {**connection, **options, "_ansible_check_mode": _check, "_ansible_diff": _diff}
        out = io.StringIO()
        with patch_module_args(arguments), redirect_stdout(out), pytest.raises(SystemExit):
            load(_module).main()
        result: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
        return result

    return run_module
