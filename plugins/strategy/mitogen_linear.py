"""Ansible strategy: `linear` over mitogen's connections, which keep the modules' interpreters from task to task.

Ansible forks for every task, which costs more than a task does that only computes: such a one runs in the controller's
own process.
"""

from __future__ import annotations

import functools
from typing import Any
from unittest import mock

from ansible._internal import _task
from ansible.collections.list import list_collection_dirs
from ansible.executor import task_executor, task_result
from ansible.executor.process import worker
from ansible.plugins import strategy as base
from ansible_mitogen import affinity, loaders, module_finder, planner, strategy

DOCUMENTATION = r"""
name: mitogen_linear
short_description: The linear strategy over mitogen's connections
description:
  - Ansible looks for strategies in folders, and the folder of the installed package depends on Python's version.
    So this one, which finds the package by its name, stands in ansible.cfg.
  - Actions that touch no host, such as assert and set_fact, run without a fork.
author: stock-market
"""

# Actions that compute on the controller and neither connect nor wait.
COMPUTING = frozenset(
    f"ansible.builtin.{action}"
    for action in ("assert", "debug", "fail", "include_role", "include_tasks", "set_fact", "validate_argument_spec")
)

# On a small machine mitogen would keep all its children, so also the local cloud and its hosts, off the first core.
affinity.policy = affinity.Policy()

# Mitogen looks for what each module imports by compiling all of it; most of that is the same from module to module.
module_finder.compile = functools.cache(compile)


@functools.cache
def collection_dirs() -> tuple[str, ...]:
    """Return where the collections are."""
    return tuple(path.decode() for path in list_collection_dirs())


# Mitogen's own looks for them in each fork anew.
planner._load_collections = lambda invocation: invocation._extra_sys_paths.update(collection_dirs())


class InProcessWorker(worker.WorkerProcess):  # type: ignore[misc]  # Ansible ships no types
    """Does in the controller's process what ansible-core's worker does in a fork of it."""

    def start(self) -> None:
        """Run the task on copies, as a fork has them, and queue its result."""
        task = self._task.copy(exclude_tasks=True)
        with _task.TaskContext(task):
            done = task_executor.TaskExecutor(
                self._host,
                task,
                dict(self._task_vars),
                self._play_context,
                self._loader,
                self._shared_loader_obj,
                self._final_q,
                self._variable_manager,
            ).run()
        self._final_q.send_task_result(
            task_result._RawTaskResult(host=self._host, task=task, return_data=done, task_fields=task.dump_attrs())
        )

    def is_alive(self) -> bool:
        """Return that the task is over."""
        return False


Linear: type = loaders.strategy_loader.get("linear", class_only=True)


class StrategyModule(strategy.StrategyMixin, Linear):  # type: ignore[misc]  # neither Ansible nor Mitogen ships types
    """Task after task on all hosts, as `linear` does."""

    def _queue_task(self, host: Any, task: Any, task_vars: dict[str, Any], play_context: Any) -> None:
        """Queue the task for a worker of the kind that it needs."""
        computes = task.action in COMPUTING
        if not computes:
            collection_dirs()
        with mock.patch.object(base, "WorkerProcess", InProcessWorker if computes else worker.WorkerProcess):
            super()._queue_task(host, task, task_vars, play_context)
