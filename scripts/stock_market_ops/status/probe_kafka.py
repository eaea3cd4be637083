"""The brokers, the topic and the consumer group, seen through the EXTERNAL listener."""

from __future__ import annotations

import time
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError
from kafka.structs import OffsetAndTimestamp

from stock_market.errors import SettingsError
from stock_market.kafka import connections, security
from stock_market.settings import Kafka
from stock_market_ops.common import quorum
from stock_market_ops.common.deployment import Deployment
from stock_market_ops.status import log_dirs
from stock_market_ops.status.report import GroupView, KafkaView, TopicView

# Over which the topic's rate is counted, back from its newest record.
_RATE_SECONDS = 10.0
_BOOTSTRAP_MS = 3000
_REQUEST_MS = 3000
# A controller that follows asks its leader twice a second at least.
_FOLLOWED_MS = 5000
# Kafka's error code of a topic that does not exist.
_UNKNOWN_TOPIC = 3


class KafkaProbeError(Exception):
    """The brokers did not answer; the message is one sentence."""


def look(deployment: Deployment) -> KafkaView:
    """Ask the brokers; takes some round trips.

    Raises:
        KafkaProbeError: no broker is known, none answers, or none takes this user.
    """
    servers = [server for server in deployment.bootstrap_servers.split(",") if server]
    if not servers:
        raise KafkaProbeError("No running instance carried a broker when `make up` last ran.")
    kafka = Kafka(bootstrap_servers=servers, topic=deployment.topic, security=deployment.kafka_security)
    connections.mend()
    began = time.monotonic()
    admin = None
    try:
        security.check(kafka)
        admin = KafkaAdminClient(
            client_id="stock-market-status",
            bootstrap_timeout_ms=_BOOTSTRAP_MS,
            request_timeout_ms=_REQUEST_MS,
            **security.options(kafka),
        )
        return _view(admin, deployment)
    except SettingsError as error:
        raise KafkaProbeError(f"The brokers cannot be asked: {error}; run `make up`, which writes it again.") from error
    except KafkaError as error:
        reason = security.explain(error, kafka, began)
        public = any(instance.public_address for instance in deployment.instances)
        see = "the security group" if public else "the security group, and this machine's way into the VPC"
        raise KafkaProbeError(
            f"No full answer from the brokers at {deployment.bootstrap_servers}: {reason}; see kafka.service and {see}."
        ) from error
    finally:
        if admin is not None:
            admin.close()


def _view(admin: KafkaAdminClient, deployment: Deployment) -> KafkaView:
    cluster = admin.describe_cluster()
    leading = quorum.look(admin)
    topics = admin.describe_topics()
    partitions = [(topic["name"], partition) for topic in topics for partition in topic["partitions"]]
    own = next((topic for topic in topics if topic["name"] == deployment.topic), None)
    topic = None if own is None else _topic(admin, own)
    return KafkaView(
        cluster_id=cluster["cluster_id"],
        controller_id=cluster["controller_id"] if leading is None else leading["leader_id"],
        controllers=_controllers(leading),
        brokers={broker["broker_id"]: f"{broker['host']}:{broker['port']}" for broker in cluster["brokers"]},
        partitions=len(partitions),
        under_replicated=[
            f"{name}-{partition['partition_index']}"
            for name, partition in partitions
            if len(partition["isr_nodes"]) < len(partition["replica_nodes"])
        ],
        offline=[
            f"{name}-{partition['partition_index']}" for name, partition in partitions if partition["leader_id"] < 0
        ],
        topic=topic,
        group=_group(admin, deployment),
        log_dirs=log_dirs.look(admin, deployment.topic, topic),
    )


def _controllers(leading: dict[str, Any] | None) -> dict[int, bool]:
    """Return of each controller whether it leads, or was just level with the leader, by the leader's clock."""
    if leading is None:
        return {}
    seen = {voter["replica_id"]: voter["last_caught_up_timestamp"] for voter in leading["current_voters"]}
    now = seen.get(leading["leader_id"], 0)
    return {voter: now - last <= _FOLLOWED_MS for voter, last in seen.items()}


def _topic(admin: KafkaAdminClient, topic: dict[str, Any]) -> TopicView | None:
    if topic["error_code"] == _UNKNOWN_TOPIC:
        return None
    reachable = [
        TopicPartition(topic["name"], partition["partition_index"])
        for partition in topic["partitions"]
        if partition["leader_id"] >= 0
    ]
    ends = {partition: found.offset for partition, found in _offsets(admin, reachable, OffsetSpec.LATEST).items()}
    newest = _offsets(admin, reachable, OffsetSpec.MAX_TIMESTAMP)
    newest_ms = max((found.timestamp for found in newest.values()), default=-1)
    age = None if newest_ms < 0 else max(0.0, time.time() - newest_ms / 1000)
    rate = 0.0
    if age is not None and age <= _RATE_SECONDS:
        # Brokers stamp records, so their clock alone counts.
        first = _offsets(admin, reachable, newest_ms - round(_RATE_SECONDS * 1000) + 1)
        rate = sum(max(0, ends[number] - found.offset) for number, found in first.items() if found.offset >= 0)
        rate /= _RATE_SECONDS
    return TopicView(end_offsets=ends, records_per_second=rate, newest_record_age_seconds=age)


def _offsets(
    admin: KafkaAdminClient, partitions: list[TopicPartition], spec: OffsetSpec | int
) -> dict[int, OffsetAndTimestamp]:
    """Ask for an offset of each partition: the end, or of the first record from a time on (ms); none there is -1."""
    found = admin.list_partition_offsets(dict.fromkeys(partitions, spec))
    return {partition.partition: answer for partition, answer in found.items()}


def _group(admin: KafkaAdminClient, deployment: Deployment) -> GroupView | None:
    name = deployment.consumer_group
    described = admin.describe_groups([name]).get(name)
    if described is None or described["error"]:
        return None
    committed = {
        partition.partition: found.offset
        for partition, found in admin.list_group_offsets([name])[name].items()
        if partition.topic == deployment.topic and found.offset >= 0
    }
    return GroupView(state=described["group_state"], members=len(described["members"]), committed=committed)
