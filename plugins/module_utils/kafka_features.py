"""The features of a cluster without ZooKeeper: which level of each a release of Kafka has, and which levels are in use.

A level that is in use is known to every broker and controller that may join, and there is no way back from it.
`kafka-features.sh version-mapping --release-version 4.3` prints a release's levels.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_encoding import compact
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import Connection, Reader

METADATA = "metadata.version"
_API_VERSIONS = 18
_FINALIZED = 2

_3_9 = {METADATA: 21, "kraft.version": 1}
_4_0 = _3_9 | {METADATA: 25, "transaction.version": 2, "group.version": 1}
_4_1 = _4_0 | {METADATA: 27, "eligible.leader.replicas.version": 1}
_4_2 = _4_1 | {METADATA: 29, "share.version": 1, "streams.version": 1}
_4_3 = _4_2 | {METADATA: 30}
RELEASES = {"3.9": _3_9, "4.0": _4_0, "4.1": _4_1, "4.2": _4_2, "4.3": _4_3}
"""Of each release, oldest first, the level of each feature that it has."""


def release_of(levels: Mapping[str, int]) -> str:
    """Return the oldest release, such as 4.3, that knows these levels.

    Only the metadata's level counts: the others can't be higher than it allows. Without it, or with one that no release
    here has, nothing is returned.
    """
    level = levels.get(METADATA, 0)
    known = [release for release, has in RELEASES.items() if level and has[METADATA] >= level]
    return known[0] if known else ""


def finalized(connection: Connection) -> dict[str, int]:
    """Ask a controller or broker for the levels in use; before a login, too.

    Raises:
        KafkaError: it answers with an error.
        OSError: it does not answer.
    """
    answer = connection.request(_API_VERSIONS, 3, b"\0" + compact("ansible") + compact("1") + b"\0")
    answer.number("h")
    for _ in range(answer.unsigned() - 1):
        answer.take(struct.calcsize(">hhh"))
        answer.tags()
    answer.number("i")
    for _ in range(answer.unsigned()):
        tag, length = answer.unsigned(), answer.unsigned()
        if tag == _FINALIZED:
            return _levels(answer)
        answer.take(length)
    return {}


def _levels(answer: Reader) -> dict[str, int]:
    found = {}
    for _ in range(answer.unsigned() - 1):
        name, level = answer.compact(), answer.number("h")
        answer.number("h")
        answer.tags()
        found[name] = level
    return found
