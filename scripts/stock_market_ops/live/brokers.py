"""The brokers and the topic, as a client outside sees them: who answers, who leads what."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import msgspec
from kafka import KafkaAdminClient

from stock_market.kafka import security
from stock_market.settings import Kafka
from stock_market_ops.common import quorum
from stock_market_ops.common.deployment import Deployment

PROBE_SECONDS: Final = 1.0
"""How long a broker may take to accept a connection."""
_REQUEST_MS: Final = 2000


class Partition(msgspec.Struct, frozen=True):
    """A partition of the topic; `leader` is a broker's id, -1 where none leads."""

    number: int
    leader: int
    replicas: list[int]
    in_sync: list[int]


class ClusterView(msgspec.Struct, frozen=True):
    """What the brokers say: their addresses by id, the controller (-1: none of them), and the topic's partitions."""

    brokers: dict[int, str]
    controller: int
    partitions: list[Partition]


class Cluster:
    """Asks the brokers through one client, which is made again after an error."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._admin: KafkaAdminClient | None = None

    def look(self) -> ClusterView:
        """Return the newest state.

        Raises:
            KafkaError: no broker answers, or none takes the user.
            SettingsError: the user's files cannot be used.
        """
        try:
            if self._admin is None:
                security.check(self._kafka)
                self._admin = KafkaAdminClient(
                    client_id="stock-market-live",
                    bootstrap_timeout_ms=_REQUEST_MS,
                    request_timeout_ms=_REQUEST_MS,
                    **security.options(self._kafka),
                )
            return self._asked(self._admin)
        except Exception:
            self.close()
            raise

    def _asked(self, admin: KafkaAdminClient) -> ClusterView:
        cluster = admin.describe_cluster()
        topics: list[dict[str, Any]] = admin.describe_topics([self._kafka.topic])
        return ClusterView(
            {broker["broker_id"]: f"{broker['host']}:{broker['port']}" for broker in cluster["brokers"]},
            -1 if quorum.is_kraft(admin) else cluster["controller_id"],
            sorted(
                (
                    Partition(
                        partition["partition_index"],
                        partition["leader_id"],
                        sorted(partition["replica_nodes"]),
                        sorted(partition["isr_nodes"]),
                    )
                    for topic in topics
                    for partition in topic["partitions"]
                ),
                key=lambda partition: partition.number,
            ),
        )

    def close(self) -> None:
        """Close the client."""
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()


def answering(addresses: list[str], seconds: float = PROBE_SECONDS) -> dict[str, bool]:
    """Return for each address, HOST:PORT, whether it accepts a connection within `seconds`; all are asked at once.

    A broker that was killed refuses at once, long before the others notice: ZooKeeper waits for its session to end.
    """
    with ThreadPoolExecutor(max(1, len(addresses))) as pool:
        return dict(zip(addresses, pool.map(partial(_accepts, seconds=seconds), addresses), strict=True))


def _accepts(address: str, seconds: float) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), seconds).close()
    except OSError:
        return False
    return True


def names(deployment: Deployment) -> dict[str, str]:
    """Return the names of the instances that carry a broker, by the broker's address."""
    found = {}
    for server in filter(None, deployment.bootstrap_servers.split(",")):
        host = server.rpartition(":")[0]
        for instance in deployment.instances:
            if host in {instance.public_address, instance.private_address}:
                found[server] = instance.name
    return found
