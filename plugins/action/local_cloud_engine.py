"""Waits until Trino, which answers for Athena in the local cloud, is in this machine's cache; shows the progress.

    - name: Wait for Trino
      stock_market.streaming.local_cloud_engine:
        scripts_dir: "{{ stock_market_root }}/scripts"

`scripts_dir` is the repository's scripts/. Returns `directory`, where Trino lies. In check mode nothing is fetched.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible ships no types
    """The action; it runs on the machine of the playbook, which is the local cloud's."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset({"scripts_dir"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return whether it was fetched (`changed`) and its `directory`, or `failed` with the program's sentence."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        command = [sys.executable, "-m", "local_cloud", "engine"]
        environment = {**os.environ, "PYTHONPATH": str(self._task.args["scripts_dir"])}
        cached = subprocess.run([*command, "--check"], env=environment, capture_output=True, text=True, check=False)
        if cached.returncode == 0:
            return result | {"changed": False, "directory": cached.stdout.strip()}
        if self._task.check_mode:
            return result | {"changed": True}
        last = ""
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            for line in process.stderr or ():
                if last:
                    display.display(last)
                last = line.strip()
            directory = (process.stdout.read() if process.stdout else "").strip()
        if process.returncode:
            return result | {"failed": True, "msg": last or f"The engine's program ended with {process.returncode}."}
        if last:
            display.display(last)
        return result | {"changed": True, "directory": directory}
