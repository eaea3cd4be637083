"""The parts of the documentation that all modules share which ask AWS."""

from __future__ import annotations

import yaml
from ansible_collections.amazon.aws.plugins.doc_fragments import boto3, common, region


class ModuleDocFragment:
    """The fragment `aws` adds what all modules of amazon.aws share; `reads` and `manages` say what a module changes."""

    READS = r"""
attributes:
  check_mode: {description: Only reads., support: full}
  diff_mode: {description: Has nothing to show., support: none}
"""

    MANAGES = r"""
attributes:
  check_mode: {description: Says what would change and changes nothing., support: full}
  diff_mode: {description: Shows what changes as it is before and after., support: full}
"""

    def __init__(self) -> None:
        connection = yaml.safe_load(common.ModuleDocFragment.MODULES)
        connection["options"] |= yaml.safe_load(region.ModuleDocFragment.MODULES)["options"]
        connection["requirements"] = yaml.safe_load(boto3.ModuleDocFragment().MODULES)["requirements"]
        self.DOCUMENTATION = yaml.safe_dump({**connection, "author": "stock-market"})
