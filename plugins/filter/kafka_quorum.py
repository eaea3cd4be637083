"""The filters kafka_quorum and controller_id: to which cluster data belong, and how a new quorum begins."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_encoding import uuid_bytes, uuid_text
from ansible_collections.stock_market.streaming.plugins.module_utils.words import listed

_FIRST_CONTROLLER = 1000


def kafka_quorum(
    controllers: Mapping[str, Mapping[str, Any]],
    brokers: Mapping[str, Mapping[str, Any]],
    servers: Mapping[Any, str],
    *,
    migrating: bool = False,
) -> dict[str, Any]:
    """Say which cluster this is, and which controllers a new one begins with.

    Args:
        controllers: of every controller, by its host's name, what the module kafka_storage found; an empty mapping for
            one that was not asked.
        brokers: the same of every broker.
        servers: every controller's address and port, by its id.
        migrating: whether the brokers' cluster leaves ZooKeeper, so that new controllers take up its id.

    Returns:
        `obstacle`, the sentence that refuses it, or nothing; `cluster_id`, that of the data, else a new one;
        `initial_controllers`, each as `id@host:port:directory id`, the same at each call for one cluster: so an
        interrupted format goes on where it was; `joins`, whether controllers without metadata join a quorum that
        has begun, with directories of ids that it does not know.
    """
    cluster_id = next((each["cluster_id"] for each in [*controllers.values(), *brokers.values()] if _has(each)), "")
    obstacle = _obstacle(controllers, brokers, migrating=migrating)
    cluster_id = cluster_id or _new_id()
    namespace = uuid.UUID(bytes=uuid_bytes(cluster_id))
    return {
        "obstacle": obstacle,
        "cluster_id": cluster_id,
        "joins": any(each and each["started"] for each in controllers.values()),
        "initial_controllers": [
            f"{node}@{servers[node]}:{uuid_text(uuid.uuid5(namespace, f'controller {node}').bytes)}"
            for node in sorted(servers, key=int)
        ],
    }


def controller_id(broker_id: int) -> int:
    """Return the id of an instance's controller: one that no broker has, as all nodes of a cluster share the ids."""
    return _FIRST_CONTROLLER + int(broker_id)


def _obstacle(
    controllers: Mapping[str, Mapping[str, Any]], brokers: Mapping[str, Mapping[str, Any]], *, migrating: bool
) -> str:
    everything = [*controllers.items(), *brokers.items()]
    silent = sorted({name for name, each in everything if not each})
    old = sorted({name for name, each in everything if each and each["zookeeper"]})
    clusters = sorted({each["cluster_id"] for _, each in everything if _has(each)})
    empty = [name for name, each in controllers.items() if each and not each["formatted"]]
    if silent:
        return f"What data {listed(silent)} have is not known: run the playbook without --limit."
    if old and not migrating:
        return (
            f"The data of {listed(old)} are of brokers that keep their metadata in ZooKeeper: set "
            "stock_market_metadata to zookeeper, as when the deployment was made."
        )
    if len(clusters) > 1:
        return (
            f"The data belong to different clusters, {listed(clusters)}: move those away that are not needed; nothing "
            "was written."
        )
    if migrating and not clusters:
        return "No broker has data yet, so there is nothing to migrate: run make up first."
    if not migrating and len(empty) == len(controllers) and any(_has(each) for each in brokers.values()):
        return (
            f"The brokers' data belong to the cluster {clusters[0]}, and no controller has that cluster's metadata: "
            "bring the controllers' data back, or make down and make up for a new cluster."
        )
    return ""


def _has(found: Mapping[str, Any]) -> bool:
    return bool(found and found["cluster_id"])


def _new_id() -> str:
    """Return a new id; like Kafka's own, none begins with a hyphen, which a command line would take for an option."""
    while (text := uuid_text(uuid.uuid4().bytes)).startswith("-"):
        pass
    return text


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"kafka_quorum": kafka_quorum, "controller_id": controller_id}
