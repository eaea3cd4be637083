"""What a Kafka cluster looks like at one moment, and what follows from that for a restart."""

from __future__ import annotations

import contextlib
import errno
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import READINESS_TOPIC

with contextlib.suppress(ImportError):
    from kafka.admin import ConfigResourceType
    from kafka.errors import (
        KafkaConnectionError,
        KafkaError,
        NodeNotReadyError,
        NoError,
        UnknownTopicOrPartitionError,
        for_code,
    )
    from kafka.protocol.admin import DescribeConfigsRequest, DescribeQuorumRequest
    from kafka.protocol.metadata import ApiVersionsRequest, MetadataRequest

MOST_NAMED = 5
# How often a controller is asked whether it is one; at most 5 requests are under way at once in kafka-python.
_TIMES_ASKED, _AT_ONCE = 12, 4
_TRIES = 3


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
            "brokers": [asdict(node) for node in sorted(self.nodes, key=lambda node: node.id)],
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
    """Return what the leader of KRaft's controllers knows of them and of the brokers that follow.

    None where no broker can ask them: with ZooKeeper, and in a migration before the first broker is in KRaft mode.

    Raises:
        NodeNotReadyError: no controller leads at the moment.
    """
    if not _offers_quorum(admin) and _zookeepers_controller(admin) is not None:
        return None
    for broker in sorted(_ids(_any(admin))):
        with contextlib.suppress(KafkaError):
            if _in_kraft_mode(admin, broker):
                return _quorum_by(admin, broker)
    if _offers_quorum(admin):
        raise NodeNotReadyError("no broker can ask the controllers")
    return None


def _in_kraft_mode(admin: Any, broker: int) -> bool:
    """Whether a broker can ask the controllers, which is also whether it knows all from their log."""
    versions = ask(admin, ApiVersionsRequest(version=0), broker)["api_keys"]
    return any(each["api_key"] == DescribeQuorumRequest.API_KEY for each in versions)


def _offers_quorum(admin: Any) -> bool:
    """Whether the broker that took the client in knows the controllers; in a migration, another may not."""
    return DescribeQuorumRequest.API_KEY in admin._manager.broker_version_data.api_versions


def _quorum_by(admin: Any, broker: int) -> dict[str, Any]:
    # With a version: kafka-python holds every broker for one of the kind that took the client in.
    topic = DescribeQuorumRequest.TopicData
    partition = topic.PartitionData(partition_index=0)
    wanted = [topic(topic_name="__cluster_metadata", partitions=[partition])]
    answer = ask(admin, DescribeQuorumRequest(version=1, topics=wanted), broker)
    if answer["error_code"]:
        raise for_code(answer["error_code"])("the controllers could not be asked")
    found: dict[str, Any] = answer["topics"][0]["partitions"][0]
    if found["leader_id"] < 0:
        raise NodeNotReadyError("no controller leads")
    return found


def _any(admin: Any) -> dict[str, Any]:
    """Return what any broker says of the brokers. In a migration, one that ended may be among those to be asked."""
    for left in reversed(range(_TRIES)):
        try:
            return ask(admin, MetadataRequest(topics=[], allow_auto_topic_creation=False))
        except KafkaConnectionError:
            if not left:
                raise
    raise AssertionError("the last try has returned or raised")


def _zookeepers_controller(admin: Any) -> int | None:
    """Return the broker that is the controller; None where brokers follow KRaft's controllers.

    Such brokers name one at random each time they are asked, also while they use ZooKeeper still. So the one that is
    named is asked for it several times: a real one always names itself.

    Raises:
        NodeNotReadyError: the cluster has no controller at the moment.
    """
    seen: set[int] = set()
    for left in reversed(range(_TRIES)):
        named: int = _any(admin)["controller_id"]
        if named < 0:
            raise NodeNotReadyError("the cluster has no controller")
        seen.add(named)
        try:
            told = _named_by(admin, named)
        except (KafkaConnectionError, NodeNotReadyError):
            # The one that is named has ended, which only a random name survives.
            if not left and len(seen) == 1:
                raise
            continue
        if told == {named}:
            return named
        seen |= told
    return None


def _named_by(admin: Any, broker: int) -> set[int]:
    """Return the controllers that a broker names in up to _TIMES_ASKED answers; a second name ends the questions."""
    named: set[int] = set()

    async def several() -> set[int]:
        requests = [MetadataRequest(topics=[], allow_auto_topic_creation=False) for _ in range(_AT_ONCE)]
        futures = [admin._manager.send(request, broker) for request in requests]
        return {(await future).controller_id for future in futures}

    for _ in range(_TIMES_ASKED // _AT_ONCE):
        named |= admin._manager.run(several)
        if len(named) > 1:
            break
    return named


def metadata(admin: Any) -> dict[str, Any]:
    """Return what the controller knows of brokers and topics.

    Another broker may be behind: one that has just started does not know the topics yet, and one that is cut off
    knows the past. Under KRaft clients can't ask the controllers, and Metadata names any broker as the controller: so
    the broker is asked that has read most of the controllers' log, and `controller_id` is that of their leader. In a
    migration, while all brokers use ZooKeeper still and the controllers tell them what happens, nobody knows most: then
    all are asked, and `controller_id` is -1.

    Raises:
        NodeNotReadyError: the cluster has no controller at the moment, or brokers know different ones of them.
    """
    request = MetadataRequest(topics=None, allow_auto_topic_creation=False)
    for _ in range(3):
        controller = None if _offers_quorum(admin) else _zookeepers_controller(admin)
        if controller is None:
            break
        answer = ask(admin, request, controller)
        if answer["controller_id"] == controller:
            return answer | {"answered_by": controller}
    else:
        raise NodeNotReadyError("the cluster has no controller")
    leading = quorum(admin)
    if leading is None:
        return _by_all(admin)
    alive = _ids(_any(admin))
    newest = sorted(
        (each for each in leading["observers"] if each["replica_id"] in alive),
        key=lambda each: (each["log_end_offset"], each["last_fetch_timestamp"]),
        reverse=True,
    )
    # In a migration, brokers with ZooKeeper follow the log, too, and tell what they are told besides it.
    for broker in (each["replica_id"] for each in newest):
        if _in_kraft_mode(admin, broker):
            return ask(admin, request, broker) | {"controller_id": leading["leader_id"], "answered_by": broker}
    raise NodeNotReadyError("no broker follows the controllers")


def _by_all(admin: Any) -> dict[str, Any]:
    """Return what all brokers know together.

    They are not told of one that ended: where nobody listens any more, it is not alive, and its replicas not in sync.

    Raises:
        NodeNotReadyError: they know different brokers, or one does not answer.
    """
    request = {"topics": None, "allow_auto_topic_creation": False}
    known = _ids(_any(admin))
    answers: dict[int, dict[str, Any]] = {}
    for broker in sorted(known):
        # It may have refused a connection just now, after which kafka-python pauses.
        time.sleep(admin._manager.connection_delay(broker))
        try:
            answers[broker] = ask(admin, MetadataRequest(**request), broker)
        except KafkaConnectionError as error:
            if errno.errorcode[errno.ECONNREFUSED] not in str(error):
                raise
    ended = known - answers.keys()
    if not answers or any(_ids(answer) - ended != answers.keys() for answer in answers.values()):
        raise NodeNotReadyError("the brokers do not know the same brokers yet")
    topics: dict[str, dict[str, Any]] = {}
    for topic in (topic for answer in answers.values() for topic in answer["topics"]):
        together = topics.setdefault(topic["name"], topic | {"partitions": []})
        together["partitions"] = agreed([*together["partitions"], *topic["partitions"]])
    for each in (each for topic in topics.values() for each in topic["partitions"]):
        each["isr_nodes"] = [broker for broker in each["isr_nodes"] if broker not in ended]
        each["leader_id"] = -1 if each["leader_id"] in ended else each["leader_id"]
    first = min(answers)
    brokers = [each for each in answers[first]["brokers"] if each["node_id"] in answers]
    return {"brokers": brokers, "topics": list(topics.values()), "controller_id": -1, "answered_by": first}


def _ids(answer: dict[str, Any]) -> set[int]:
    return {each["node_id"] for each in answer["brokers"]}


def agreed(partitions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return of several answers each partition once: its newest leader, and the replicas in sync by all of them."""
    found: dict[int, dict[str, Any]] = {}
    for each in partitions:
        other = found.setdefault(each["partition_index"], each)
        if each["leader_epoch"] > other["leader_epoch"]:
            found[each["partition_index"]] = each
        elif each["leader_epoch"] == other["leader_epoch"]:
            in_sync = [broker for broker in other["isr_nodes"] if broker in each["isr_nodes"]]
            found[each["partition_index"]] = other | {"isr_nodes": in_sync}
    return list(found.values())


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
