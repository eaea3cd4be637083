"""Ansible strategy: Mitogen's own `mitogen_linear`, found by the name of its package."""

from __future__ import annotations

import gc

from ansible.collections.list import list_collection_dirs
from ansible_mitogen import affinity
from ansible_mitogen.plugins.strategy.mitogen_linear import StrategyModule

DOCUMENTATION = r"""
name: mitogen_linear
short_description: The linear strategy over Mitogen's connections
description:
  - Ansible looks for strategies in folders, and the folder of the installed package depends on Python's version.
    This file finds the package by its name, and changes nothing in it but where processes run.
  - Each task is a fork of Ansible's process. What all forks would do again is done here, before the first.
author: stock-market
"""

__all__ = ["StrategyModule"]

# On fewer than four cores Mitogen runs all forks of Ansible, and what they start, on one of them.
affinity.policy = affinity.Policy()

# Mitogen looks for the collections in each fork, and the first who looks reads their metadata, 85 kB of YAML.
tuple(list_collection_dirs())
# Inventory and plays are read. Without this, a fork's garbage collector goes through all of them, and copies each page.
gc.collect()
gc.freeze()
