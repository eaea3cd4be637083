"""Runs the module kafka_reassignment again and again, and shows the progress in between."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()

_POLL_SECONDS = 5.0
_DEFAULT_TIMEOUT = 3600
_STEP_TIMEOUT = 60
_LATEST = ("done", "ongoing", "bytes_left", "progress", "remaining")


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible ships no types
    """The module's action."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the first run's result, with what the last one says of the progress."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        timeout = int(arguments.pop("timeout", _DEFAULT_TIMEOUT))
        arguments["timeout"] = min(timeout, _STEP_TIMEOUT)
        began = time.monotonic()

        def once() -> dict[str, Any]:
            found: dict[str, Any] = self._execute_module(
                module_name="stock_market.streaming.kafka_reassignment", module_args=arguments, task_vars=task_vars
            )
            return found

        result = once()
        if self._task.check_mode:
            return result
        while not result.get("failed") and not result["done"]:
            waited = time.monotonic() - began
            display.display(f"{waited:6.0f} s  {result['progress']}")
            if waited > timeout:
                return result | {
                    "failed": True,
                    "msg": f"After {timeout} s: {result['progress']} The copying goes on, throttled; run this again to "
                    "wait for its end, which takes the throttle away.",
                }
            time.sleep(_POLL_SECONDS)
            later = once()
            if later.get("failed"):
                return later
            result |= {name: later[name] for name in _LATEST}
        return result
