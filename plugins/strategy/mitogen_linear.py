"""Ansible strategy: Mitogen's own `mitogen_linear`, found by the name of its package."""

from __future__ import annotations

from ansible_mitogen import affinity
from ansible_mitogen.plugins.strategy.mitogen_linear import StrategyModule

DOCUMENTATION = r"""
name: mitogen_linear
short_description: The linear strategy over Mitogen's connections
description:
  - Ansible looks for strategies in folders, and the folder of the installed package depends on Python's version.
    This file finds the package by its name, and changes nothing in it but where processes run.
author: stock-market
"""

__all__ = ["StrategyModule"]

# On fewer than four cores Mitogen runs all forks of Ansible, and what they start, on one of them.
affinity.policy = affinity.Policy()
