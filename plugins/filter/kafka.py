"""Filters of the roles java, zookeeper, kafka, kafka_topics and kafka_users."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_STEP_MB = 32
# Of each service: its share of the machine's memory, and the least and the most in MB.
_HEAPS = {"kafka": (0.25, 256, 6144), "zookeeper": (0.0625, 64, 1024)}


def jvm_heap_mb(memory_mb: float, service: str) -> int:
    """Return the heap of `service` (kafka, zookeeper) on a machine with that much memory: MB, a multiple of 32."""
    share, least, most = _HEAPS[service]
    return int(min(max(float(memory_mb) * share // _STEP_MB * _STEP_MB, least), most))


def misspelt_options(names: Iterable[str], options: Iterable[str]) -> list[str]:
    """Return a phrase for every one of `names` that is no option, with the options that look like it."""
    known = sorted(options)
    phrases = []
    for name in sorted(set(names) - set(known)):
        close = difflib.get_close_matches(name, known, n=2, cutoff=0.75)
        phrases.append(f"{name} (did you mean {' or '.join(close)}?)" if close else name)
    return phrases


def granted_acls(user: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what module kafka_acl is to allow `user`, who has a name and lists of topics, `read` and `write`."""
    read, write = user.get("read") or [], user.get("write") or []
    acls = [
        {
            "resource_type": "topic",
            "resource_name": topic,
            "operations": ["describe", *["read"] * (topic in read), *["write"] * (topic in write)],
        }
        for topic in sorted({*read, *write})
    ]
    if read:
        acls.append(
            {"resource_type": "group", "resource_name": user["name"], "pattern": "prefixed", "operations": ["read"]}
        )
    return acls


class FilterModule:
    """What Ansible asks for the filters' names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"jvm_heap_mb": jvm_heap_mb, "misspelt_options": misspelt_options, "granted_acls": granted_acls}
