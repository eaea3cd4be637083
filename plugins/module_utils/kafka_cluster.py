"""What a Kafka cluster looks like at one moment, and what follows from that for a restart."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import READINESS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

with contextlib.suppress(ImportError):
    from kafka.admin import ConfigResourceType
    from kafka.errors import NodeNotReadyError, NoError, UnknownTopicOrPartitionError, for_code
    from kafka.protocol.admin import DescribeConfigsRequest, DescribeQuorumRequest
    from kafka.protocol.metadata import MetadataRequest

MOST_NAMED = 5


@dataclass(frozen=True)
class Node:
    """A broker that is registered; `rack` is None where it has none."""

    id: int
    host: str
    port: int
    rack: str | None = None


@dataclass(frozen=True)
class Partition:
    """A partition and its replicas' brokers, the preferred leader first; `leader` is -1 where it is offline."""

    topic: str
    number: int
    leader: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    min_insync: int = 1

    @property
    def name(self) -> str:
        """`topic-number`, as Kafka writes it."""
        return f"{self.topic}-{self.number}"

    @property
    def offline(self) -> bool:
        """Whether nobody can read or write it."""
        return self.leader < 0

    @property
    def missing(self) -> set[int]:
        """The brokers whose replicas are not in sync."""
        return set(self.replicas) - set(self.isr)

    @property
    def margin(self) -> int:
        """How many in-sync replicas may go before a write with acks=all is refused; less than 0 where it is already."""
        return len(self.isr) - self.min_insync


@dataclass(frozen=True)
class Cluster:
    """The registered brokers, the controller's id, and all partitions but those of the brokers' readiness topics.

    Under KRaft the controller is none of the brokers.
    """

    nodes: tuple[Node, ...]
    controller: int
    partitions: tuple[Partition, ...] = field(default=())
    # The broker that told all of this: with ZooKeeper the controller itself.
    teller: int = -1

    @property
    def ids(self) -> set[int]:
        """The registered brokers."""
        return {node.id for node in self.nodes}

    @property
    def members(self) -> set[int]:
        """The registered brokers, and those that have replicas and are away."""
        return self.ids.union(*(partition.replicas for partition in self.partitions))

    def facts(self) -> dict[str, Any]:
        """Return what modules tell of the cluster."""
        return {
            "brokers": [
                {"id": node.id, "rack": node.rack, "host": node.host, "port": node.port}
                for node in sorted(self.nodes, key=lambda node: node.id)
            ],
            "controller": self.controller,
            "offline": [each.name for each in self.partitions if each.offline],
            "under_replicated": [each.name for each in self.partitions if each.missing],
            "below_min_isr": [each.name for each in self.partitions if each.margin < 0],
        }

    def loads(self) -> list[dict[str, Any]]:
        """Return for each member how many replicas it has, how many partitions it leads, and should lead."""
        replicas = Counter(broker for each in self.partitions for broker in each.replicas)
        leaders = Counter(each.leader for each in self.partitions)
        preferred = Counter(each.replicas[0] for each in self.partitions)
        return [
            {
                "id": member,
                "alive": member in self.ids,
                "partitions": replicas[member],
                "leaders": leaders[member],
                "preferred_leaders": preferred[member],
            }
            for member in sorted(self.members)
        ]


NOBODY = Cluster(nodes=(), controller=-1)


def names(items: Iterable[str]) -> str:
    """Return the first few names, and how many more there are."""
    found = list(items)
    more = len(found) - MOST_NAMED
    return ", ".join(found[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def described(partition: Partition) -> str:
    """Return a partition's name and the state of its replicas."""
    return f"{partition.name} (in sync {sorted(partition.isr)} of {sorted(partition.replicas)})"


def ask(admin: Any, request: Any, node: int | None = None) -> dict[str, Any]:
    """Send one request of kafka-python's to a broker, or to any; return its answer.

    kafka-python's own methods send to whichever broker is least busy.
    """
    answer: dict[str, Any] = admin._manager.run(admin._manager.send, request, node).to_dict()
    return answer


def quorum(admin: Any) -> dict[str, Any] | None:
    """Return what the leader of KRaft's controllers knows of them and of the brokers that follow; None with ZooKeeper.

    Raises:
        NodeNotReadyError: no controller leads at the moment.
    """
    if DescribeQuorumRequest.API_KEY not in admin._manager.broker_version_data.api_versions:
        return None
    found: dict[str, Any] = admin.describe_metadata_quorum()["topics"][0]["partitions"][0]
    if found["leader_id"] < 0:
        raise NodeNotReadyError("no controller leads")
    return found


def metadata(admin: Any) -> dict[str, Any]:
    """Return what the controller knows of brokers and topics.

    Another broker may be behind: one that has just started does not know the topics yet, and one that is cut off
    knows the past. Under KRaft clients can't ask the controllers, and Metadata names any broker as the controller: so
    the broker is asked that has read most of the controllers' log, and `controller_id` is that of their leader.

    Raises:
        NodeNotReadyError: the cluster has no controller at the moment.
    """
    request = MetadataRequest(topics=None, allow_auto_topic_creation=False)
    leading = quorum(admin)
    if leading is not None:
        now = ask(admin, MetadataRequest(topics=[], allow_auto_topic_creation=False))
        alive = {each["node_id"] for each in now["brokers"]}
        newest = max(
            (each for each in leading["observers"] if each["replica_id"] in alive),
            key=lambda each: (each["log_end_offset"], each["last_fetch_timestamp"]),
            default=None,
        )
        if newest is None:
            raise NodeNotReadyError("no broker follows the controllers")
        return ask(admin, request, newest["replica_id"]) | {
            "controller_id": leading["leader_id"],
            "answered_by": newest["replica_id"],
        }
    for _ in range(3):
        controller = ask(admin, MetadataRequest(topics=[], allow_auto_topic_creation=False))["controller_id"]
        if controller < 0:
            break
        answer = ask(admin, request, controller)
        if answer["controller_id"] == controller:
            return answer | {"answered_by": controller}
    raise NodeNotReadyError("the cluster has no controller")


def read(admin: Any) -> Cluster:
    """Return the cluster as the controller knows it."""
    answer = metadata(admin)
    topics = sorted(topic["name"] for topic in answer["topics"] if not topic["name"].startswith(READINESS_TOPIC))
    min_insync = _min_insync(admin, answer["answered_by"], topics)
    return Cluster(
        nodes=tuple(
            Node(broker["node_id"], broker["host"], broker["port"], broker["rack"] or None)
            for broker in answer["brokers"]
        ),
        controller=answer["controller_id"],
        teller=answer["answered_by"],
        partitions=tuple(sorted(_partitions(answer, min_insync), key=lambda each: (each.topic, each.number))),
    )


def _partitions(answer: dict[str, Any], min_insync: dict[str, int]) -> Iterator[Partition]:
    for topic in answer["topics"]:
        if topic["name"] in min_insync:
            for each in topic["partitions"]:
                yield Partition(
                    topic["name"],
                    each["partition_index"],
                    each["leader_id"],
                    tuple(each["replica_nodes"]),
                    tuple(each["isr_nodes"]),
                    min_insync[topic["name"]],
                )


def _min_insync(admin: Any, broker: int, topics: list[str]) -> dict[str, int]:
    """Return the effective min.insync.replicas of each topic that is still there."""
    if not topics:
        return {}
    wanted = [(ConfigResourceType.TOPIC, topic, ["min.insync.replicas"]) for topic in topics]
    found = {}
    for result in ask(admin, DescribeConfigsRequest(resources=wanted), broker)["results"]:
        error = for_code(result["error_code"])
        if error is NoError:
            found[result["resource_name"]] = int(result["configs"][0]["value"])
        elif error is not UnknownTopicOrPartitionError:
            raise error(f"{result['resource_name']}: {result['error_message']}")
    return found
