"""Filters of the roles java, zookeeper, kafka and kafka_topics."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_STEP_MB = 32


def jvm_heap_mb(memory_mb: float, share: float, least: int, most: int) -> int:
    """Return `share` of the machine's memory in MB, a multiple of 32, not below `least` and not above `most`."""
    return int(min(max(float(memory_mb) * share // _STEP_MB * _STEP_MB, least), most))


def misspelt_options(names: Iterable[str], options: Iterable[str]) -> list[str]:
    """Return a phrase for every one of `names` that is no option, with the options that look like it."""
    known = sorted(options)
    phrases = []
    for name in sorted(set(names) - set(known)):
        close = difflib.get_close_matches(name, known, n=2, cutoff=0.75)
        phrases.append(f"{name} (did you mean {' or '.join(close)}?)" if close else name)
    return phrases


class FilterModule:
    """What Ansible asks for the filters' names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"jvm_heap_mb": jvm_heap_mb, "misspelt_options": misspelt_options}
