"""Which folders of a target become tables, and which objects a crawler passes over."""

from __future__ import annotations

import fnmatch
import re

from local_cloud.glue.objects import StoredObject

PARTITION = re.compile(r"([^=/]+)=([^/]*)")
"""A folder that is a partition: the key's name and its value."""


def is_excluded(path: str, patterns: list[str]) -> bool:
    """Whether one of a target's exclusion patterns matches a path below it."""
    # Glue's globs are relative to the target; * stays within a folder there, and ** does not.
    for pattern in patterns:
        expression = fnmatch.translate(pattern)
        if re.match(expression if "**" in pattern else expression.replace(".*", "[^/]*"), path):
            return True
    return False


def table_roots(prefix: str, objects: list[StoredObject]) -> dict[str, list[StoredObject]]:
    """The folders that become tables: the target itself, unless it has only folders that are no partitions."""
    if not objects:
        return {}
    groups: dict[str, list[StoredObject]] = {}
    for stored in objects:
        first, slash, _ = stored.key[len(prefix) :].partition("/")
        if not slash or PARTITION.fullmatch(first):
            return {prefix: objects}
        groups.setdefault(f"{prefix}{first}/", []).append(stored)
    roots: dict[str, list[StoredObject]] = {}
    for folder, members in groups.items():
        roots.update(table_roots(folder, members))
    return roots
