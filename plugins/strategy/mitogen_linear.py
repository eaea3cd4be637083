"""Ansible strategy: Mitogen's own `mitogen_linear`, found by the name of its package."""

from __future__ import annotations

import gc
from typing import Any

from ansible.collections.list import list_collection_dirs
from ansible.plugins.loader import filter_loader, lookup_loader, test_loader
from ansible_mitogen import affinity
from ansible_mitogen.plugins.strategy import mitogen_linear

import compiled_templates

DOCUMENTATION = r"""
name: mitogen_linear
short_description: The linear strategy over Mitogen's connections
description:
  - Ansible looks for strategies in folders, and the folder of the installed package depends on Python's version.
    This file finds the package by its name.
  - Each task is a fork of Ansible's process. What all forks would do again is done here, before the first.
author: stock-market
"""

# On fewer than four cores Mitogen runs all forks of Ansible, and what they start, on one of them.
affinity.policy = affinity.Policy()

# Mitogen looks for the collections in each fork, and the first who looks reads their metadata, 85 kB of YAML.
tuple(list_collection_dirs())
# A fork that uses a filter, a test or a lookup loads all of its kind, or reads its documentation, unless it is loaded.
filter_loader.get("ansible.builtin.default")
test_loader.get("ansible.builtin.defined")
for lookup in ("env", "file", "template"):
    lookup_loader.get(f"ansible.builtin.{lookup}")
# Inventory and plays are read. Without this, a fork's garbage collector goes through all of them, and copies each page.
gc.collect()
gc.freeze()

_OF_HOSTS = {"hostvars", "vars"}
"""All variables again, and those of all hosts."""

TEMPLATES = compiled_templates.install()


class StrategyModule(mitogen_linear.StrategyModule):  # type: ignore[misc]  # Mitogen ships no types
    """Mitogen's strategy, whose forks start with the templates of all variables compiled."""

    def _queue_task(self, host: Any, task: Any, task_vars: dict[str, Any], play_context: Any) -> None:
        TEMPLATES.add({name: value for name, value in task_vars.items() if name not in _OF_HOSTS})
        super()._queue_task(host, task, task_vars, play_context)
