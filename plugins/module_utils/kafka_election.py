"""Giving each partition's leadership to its preferred replica, the first of its list."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_cluster
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_cluster import Cluster, Partition

_PREFERRED = 0
_POLL_SECONDS = 0.3


def to_elect(cluster: Cluster, topics: Collection[str] = ()) -> list[Partition]:
    """Return the partitions, of all topics or of these, whose preferred replica could lead and does not."""
    return [
        each
        for each in cluster.partitions
        if each.leader != each.replicas[0]
        and each.replicas[0] in each.isr
        and each.replicas[0] in cluster.ids
        and (not topics or each.topic in topics)
    ]


def elect(admin: Any, seconds: float, topics: Collection[str] = ()) -> tuple[list[Partition], list[Partition]]:
    """Elect the preferred leaders, and wait until they lead, for at most `seconds`.

    Returns:
        the partitions as they were of which the preferred replica did not lead, and those of which it still does not.
    """
    deadline = time.monotonic() + seconds
    first = waiting = to_elect(kafka_cluster.read(admin), topics)
    while waiting:
        wanted: defaultdict[str, list[int]] = defaultdict(list)
        for each in waiting:
            wanted[each.topic].append(each.number)
        admin.elect_leaders(_PREFERRED, dict(wanted), raise_errors=False)
        waiting = to_elect(kafka_cluster.read(admin), topics)
        if time.monotonic() > deadline:
            break
        if waiting:
            time.sleep(_POLL_SECONDS)
    return first, waiting
