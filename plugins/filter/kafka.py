"""Filters of the roles java, zookeeper, kafka, kafka_controller, kafka_topics and kafka_users."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

_STEP_MB = 32
# Of each service: its share of the machine's memory, and the least and the most in MB.
_HEAPS = {"kafka": (0.25, 256, 6144), "zookeeper": (0.0625, 64, 1024), "kafka_controller": (0.0625, 96, 1024)}

_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
# Read when a broker starts and has none in milliseconds, which it takes while it runs; of two the later counts.
_COARSE = {
    "log.retention.hours": ("log.retention.ms", _HOUR_MS),
    "log.retention.minutes": ("log.retention.ms", _MINUTE_MS),
    "log.roll.hours": ("log.roll.ms", _HOUR_MS),
    "log.roll.jitter.hours": ("log.roll.jitter.ms", _HOUR_MS),
}


def jvm_heap_mb(memory_mb: float, service: str) -> int:
    """Return the heap of `service` (a key of _HEAPS) on a machine with that much memory: MB, a multiple of 32."""
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


def _finest(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides with every time in milliseconds; what is no number is left for Kafka to refuse."""
    found: dict[str, Any] = {}
    for name, (finer, factor) in _COARSE.items():
        if name in overrides:
            try:
                found[finer] = max(int(overrides[name]) * factor, -1)
            except (TypeError, ValueError):
                found[finer] = overrides[name]
    found |= {name: value for name, value in overrides.items() if name not in _COARSE}
    # A running broker that changes anything of its logs forgets that this one stands in for the other.
    if "log.flush.scheduler.interval.ms" in found:
        found.setdefault("log.flush.interval.ms", found["log.flush.scheduler.interval.ms"])
    return found


def placed_properties(
    overrides: Mapping[str, Any],
    everyones: Iterable[Mapping[str, Any]],
    defaults: Mapping[str, Any],
    cluster_wide: Collection[str],
) -> dict[str, dict[str, Any]]:
    """Tell a broker's own properties from those that are the cluster's.

    Args:
        overrides: the broker's, which stand before the defaults.
        everyones: the overrides of each broker of the cluster.
        defaults: what all brokers have where nothing is overridden.
        cluster_wide: names of what Kafka can set for all brokers while they run.

    Returns:
        `cluster`: what is cluster-wide and the same for all brokers. `broker`: the others, without those of null.
    """
    mine = {**defaults, **_finest(overrides)}
    theirs = [{**defaults, **_finest(each)} for each in everyones]
    shared = {
        name: value
        for name, value in mine.items()
        if name in cluster_wide and all(name in each and str(each[name]) == str(value) for each in theirs)
    }
    own = {name: value for name, value in mine.items() if name not in shared}
    return {"cluster": shared, "broker": {name: value for name, value in own.items() if value is not None}}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "jvm_heap_mb": jvm_heap_mb,
            "misspelt_options": misspelt_options,
            "granted_acls": granted_acls,
            "placed_properties": placed_properties,
        }
