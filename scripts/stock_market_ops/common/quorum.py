"""KRaft's controllers, as brokers tell of them: under KRaft Metadata names any broker as the controller."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, NodeNotReadyError, for_code
from kafka.protocol.admin import DescribeQuorumRequest
from kafka.protocol.metadata import ApiVersionsRequest


def is_kraft(admin: KafkaAdminClient) -> bool:
    """Whether the broker that took the client in keeps its metadata in controllers.

    With ZooKeeper, brokers offer no request about them. In a migration, some brokers may and others may not.
    """
    return DescribeQuorumRequest.API_KEY in admin._manager.broker_version_data.api_versions


def look(admin: KafkaAdminClient) -> dict[str, Any] | None:
    """Return what the leader of the controllers knows of them, in the form of DescribeQuorum.

    None where no broker can ask them: with ZooKeeper, and in a migration before the first broker is in KRaft mode.

    Raises:
        KafkaError: no broker reaches the leader, or the user may not ask.
    """
    for broker in sorted(each["broker_id"] for each in admin.describe_cluster()["brokers"]):
        with suppress(KafkaError):
            versions = _ask(admin, ApiVersionsRequest(version=0), broker)["api_keys"]
            if any(each["api_key"] == DescribeQuorumRequest.API_KEY for each in versions):
                break
    else:
        if is_kraft(admin):
            raise NodeNotReadyError("no broker can ask the controllers")
        return None
    topic = DescribeQuorumRequest.TopicData
    wanted = [topic(topic_name="__cluster_metadata", partitions=[topic.PartitionData(partition_index=0)])]
    # With a version: kafka-python holds every broker for one of the kind that took the client in.
    answer = _ask(admin, DescribeQuorumRequest(version=1, topics=wanted), broker)
    if answer["error_code"]:
        raise for_code(answer["error_code"])("the controllers could not be asked")
    found: dict[str, Any] = answer["topics"][0]["partitions"][0]
    return found


def _ask(admin: KafkaAdminClient, request: Any, broker: int) -> dict[str, Any]:
    answer: dict[str, Any] = admin._manager.run(admin._manager.send, request, broker).to_dict()
    return answer
