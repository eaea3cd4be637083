"""Which log of which cluster offsets count."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Which log the offsets count: a topic that was deleted and created again, or another cluster, counts from 0 again.

    Attributes:
        cluster_id: the cluster's id.
        topic_id: the topic's id as Kafka's tools show it: 16 bytes as base64url without padding, 22 characters.
    """

    cluster_id: str
    topic_id: str


def topic_id_text(topic_id: uuid.UUID) -> str:
    """A topic's id as Kafka's own tools show it (org.apache.kafka.common.Uuid.toString)."""
    return base64.urlsafe_b64encode(topic_id.bytes).rstrip(b"=").decode()
