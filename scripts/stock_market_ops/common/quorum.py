"""KRaft's controllers, as brokers tell of them: under KRaft Metadata names any broker as the controller."""

from __future__ import annotations

from typing import Any

from kafka import KafkaAdminClient
from kafka.protocol.admin import DescribeQuorumRequest


def is_kraft(admin: KafkaAdminClient) -> bool:
    """Whether the cluster keeps its metadata in controllers; with ZooKeeper, brokers offer no request about them."""
    return DescribeQuorumRequest.API_KEY in admin._manager.broker_version_data.api_versions


def look(admin: KafkaAdminClient) -> dict[str, Any] | None:
    """Return what the leader of the controllers knows of them, in the form of DescribeQuorum; None with ZooKeeper.

    Raises:
        KafkaError: no broker reaches it, or the user may not ask.
    """
    if not is_kraft(admin):
        return None
    found: dict[str, Any] = admin.describe_metadata_quorum()["topics"][0]["partitions"][0]
    return found
