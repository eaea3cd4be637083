"""Asks KRaft's controllers about their quorum, and changes its members."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_encoding import (
    compact,
    unsigned,
    uuid_bytes,
)
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import (
    ERROR_NONE,
    Connection,
    KafkaError,
    MutualTls,
    Quorum,
)

API_ADD_VOTER, API_REMOVE_VOTER = 80, 81
ANSWER_SECONDS = 5.0
# How long the leader itself may take to change the members: until most of them have the change.
CHANGE_MS = 20_000
# A follower fetches twice a second at least.
FOLLOWED_MS = 1500


@dataclass(frozen=True)
class Controllers:
    """Every declared controller's `host:port` by its id, and what a client of them needs; None for no TLS."""

    servers: dict[int, str]
    security: MutualTls | None = None

    def look(self) -> tuple[dict[int, str], Quorum | None]:
        """Ask every controller; return why those that do not answer don't, and what the leader knows."""
        silent, known = {}, None
        for node, server in sorted(self.servers.items()):
            try:
                with self._connect(node, ANSWER_SECONDS) as controller:
                    known = controller.quorum() or known
            except (KafkaError, OSError) as error:
                silent[node] = f"controller {node} at {server} does not answer ({error})"
        return silent, known

    def add(self, leader: int, cluster: str, node: int, directory: str) -> None:
        """Make a controller a member, by the quorum's leader.

        Raises:
            KafkaError: the leader refuses it, or is none.
            OSError: it does not answer.
        """
        host, _, port = self.servers[node].rpartition(":")
        listener = compact("CONTROLLER") + compact(host) + struct.pack(">H", int(port)) + b"\0"
        body = struct.pack(">ii", CHANGE_MS, node) + uuid_bytes(directory) + unsigned(2) + listener
        self._change(leader, API_ADD_VOTER, compact(cluster) + body, f"adding controller {node}")

    def remove(self, leader: int, cluster: str, node: int, directory: str) -> None:
        """Take a controller with that directory out of the members. Raises what `add` does."""
        body = struct.pack(">i", node) + uuid_bytes(directory)
        self._change(leader, API_REMOVE_VOTER, compact(cluster) + body, f"removing controller {node}")

    def _change(self, leader: int, api: int, body: bytes, words: str) -> None:
        if leader not in self.servers:
            raise KafkaError(f"controller {leader}, the leader, is not declared")
        with self._connect(leader, CHANGE_MS / 1000 + ANSWER_SECONDS) as controller:
            answer = controller.request(api, 0, b"\0" + body + b"\0")
            answer.tags()
            answer.number("i")
            error = answer.number("h")
            if error != ERROR_NONE:
                raise KafkaError(f"{words} gave error {error}: {answer.compact()}")

    def _connect(self, node: int, timeout: float) -> Connection:
        host, _, port = self.servers[node].rpartition(":")
        return Connection(host, int(port), timeout, self.security)
