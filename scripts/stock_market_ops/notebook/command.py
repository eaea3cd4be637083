"""`make notebook`: JupyterLab on loopback, with the project's notebooks, for a deployment.

JupyterLab replaces this process. It gets the environment that scripts/operator_shell.py has settled, and keeps its own
files under `.state/<deployment>/jupyter`: the user's own settings of Jupyter and IPython, which could open it to others
or switch its token off, are not read. Exit codes before that: 1 something is missing, with one sentence on standard
error; 2 the command line is wrong; 3 there is no deployment.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import operator_aws
from stock_market_ops.common import aws, partitions
from stock_market_ops.common.deployment import ROOT, Deployment, add_options, deployment_of

EXIT_MISSING = 1
NOTEBOOKS = ROOT / "notebooks"
PYTHON = ROOT / ".venv" / "notebook" / "bin" / "python"
"""Of the environment that requirements/notebook.txt locks."""
# Jupyter's and IPython's settings, and what would put other modules before the locked ones.
_ASIDE = ("JUPYTER", "IPYTHON", "MPL", "PYTHONPATH", "VIRTUAL_ENV")


def parser() -> argparse.ArgumentParser:
    """Return the command line's definition."""
    result = argparse.ArgumentParser(prog="stock_market_ops.notebook", description="Start JupyterLab on loopback.")
    result.add_argument("--check", action="store_true", help="only say whether the deployment can serve notebooks")
    add_options(result)
    return result


def command(python: Path = PYTHON) -> list[str]:
    """Return how JupyterLab is started. It generates a token and prints its address with it.

    The options win over the system's own files under /etc/jupyter. Only loopback is listened on; the bundle runs as
    root with the local cloud, which JupyterLab refuses without `--allow-root`.
    """
    return [
        *(str(python), "-m", "jupyterlab", "--no-browser", "--allow-root", "--log-level=WARN"),
        f"--ServerApp.root_dir={NOTEBOOKS}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.allow_remote_access=False",
        # Kernels listen on loopback, too, where other accounts of this machine could read a notebook's outputs.
        "--KernelManager.transport_encryption=required",
        # The environment is locked and works offline: nothing asks for news, newer versions or extensions.
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]


def environment(given: Mapping[str, str], deployment: Deployment, folder: Path) -> dict[str, str]:
    """Return JupyterLab's environment: `given`, without settings of Jupyter, and with its files in `folder`."""
    result = {name: value for name, value in given.items() if not name.startswith(_ASIDE)}
    result |= {"STOCK_MARKET_DEPLOYMENT": deployment.deployment, "IPYTHONDIR": str(folder / "ipython")}
    result |= {"MPLCONFIGDIR": str(folder / "matplotlib")}
    result |= {f"JUPYTER_{kind.upper()}_DIR": str(folder / kind) for kind in ("config", "data", "runtime")}
    if not operator_aws.is_sourced(result):
        # The notebooks name the deployment's files; its profile asks for the user's own credentials by these.
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            if name in result:
                result[f"STOCK_MARKET_USER_{name}"] = result[name]
    return result


def missing(deployment: Deployment, state: Path) -> str:
    """Return what the notebooks need and do not have, as a sentence; "" if they have all."""
    if not deployment.notebook_profile:
        return (
            f"The deployment {deployment.deployment!r} has no role for notebooks yet: run `make up`, which creates it."
        )
    if not (state / "clients" / "notebook.password").exists():
        return "The notebooks have no Kafka user yet: run `make notebook`, which creates it."
    if not PYTHON.exists():
        return "The notebooks' environment is missing: run `make notebook`, which installs it."
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Start JupyterLab in place of this process, or return an exit code."""
    options = parser().parse_args(arguments)
    state = options.state_root / options.deployment
    deployment = deployment_of(options)
    if options.check:
        return _say("" if deployment.notebook_profile else missing(deployment, state))
    sentence = missing(deployment, state) or _show_new_hours(deployment)
    if not sentence:
        start(deployment, state / "jupyter")
    return _say(sentence)


def start(deployment: Deployment, folder: Path) -> NoReturn:
    """Replace this process by JupyterLab, whose own files are in `folder`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    started = command()
    os.execve(started[0], started, environment(os.environ, deployment, folder))


def _show_new_hours(deployment: Deployment) -> str:
    """Add the hours to Athena's table that it does not have, which the notebooks' role may not; return what fails."""
    session = aws.session(deployment)
    s3, glue = session.client("s3", config=aws.config()), session.client("glue", config=aws.config())
    try:
        partitions.synchronize(s3, glue, deployment)
    except partitions.MissingTableError as error:
        # Producer and consumer work without it.
        _say(str(error))
    except partitions.PartitionError as error:
        return str(error)
    except aws.AWS_ERRORS as error:
        return aws.sentence(error, deployment)
    return ""


def _say(sentence: str) -> int:
    if sentence:
        sys.stderr.write(f"{sentence}\n")
    return EXIT_MISSING if sentence else 0
