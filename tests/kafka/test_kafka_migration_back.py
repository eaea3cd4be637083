"""Promises of kafka_migration_back and of its client: the cluster goes back to its brokers, and no more is touched."""

from __future__ import annotations

import importlib
import json
import socket
import struct
import threading
from typing import Any

import pytest
from plugins.module_utils import zookeeper_wire

KRAFT = {"version": 2, "brokerid": 1001, "timestamp": "1", "kraftControllerEpoch": 7}
MIGRATION = {"version": 0, "kraft_controller_id": 1001, "kraft_controller_epoch": 7, "kraft_metadata_offset": 90}


class Server:
    """One session of a ZooKeeper whose nodes are a dictionary; a node of None may not be changed."""

    def __init__(self, nodes: dict[str, bytes | None]) -> None:
        self.nodes = nodes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rwb") as stream:
            first = True
            while head := stream.read(4):
                message = stream.read(struct.unpack(">i", head)[0])
                answer = struct.pack(">iiqi16sb", 0, 10000, 1, 16, b"", 0) if first else self._answer(message)
                first = False
                stream.write(struct.pack(">i", len(answer)) + answer)
                stream.flush()

    def _answer(self, message: bytes) -> bytes:
        number, kind = struct.unpack_from(">ii", message)
        error, body = 0, b""
        if kind in (2, 4, 5):
            (length,) = struct.unpack_from(">i", message, 8)
            path, rest = message[12 : 12 + length].decode(), message[12 + length :]
            if path not in self.nodes:
                error = -101
            elif kind == 4:
                value = self.nodes[path] or b""
                body = struct.pack(">i", len(value)) + value
            elif self.nodes[path] is None:
                error = -102
            elif kind == 5:
                self.nodes[path] = rest[4 : 4 + struct.unpack_from(">i", rest)[0]]
            else:
                del self.nodes[path]
        return struct.pack(">iqi", number, 1, error) + body


def run(nodes: dict[str, bytes | None], *, check: bool = False) -> tuple[list[str], dict[str, Any]]:
    module = importlib.import_module("plugins.modules.kafka_migration_back")
    with zookeeper_wire.connect(Server(nodes).address, 5.0) as session:
        found: tuple[list[str], dict[str, Any]] = module.back(session, check=check)
        return found


def nodes(**changes: Any) -> dict[str, bytes | None]:
    documents = {"controller": KRAFT, "migration": MIGRATION, "controller_epoch": 4} | changes
    return {f"/{name}": json.dumps(value).encode() for name, value in documents.items() if value is not None}


def test_brokers_get_their_controller_back_and_a_later_migration_begins_from_nothing() -> None:
    found = nodes()
    done, migration = run(found)
    assert found == {"/controller_epoch": b"7"}
    assert migration == MIGRATION
    assert done == [
        "/controller_epoch was raised from 4 to 7.",
        "/controller, which named the controller 1001, was deleted.",
        "/migration was deleted.",
    ]
    assert run(found) == ([], {})


def test_the_controller_of_a_broker_and_a_higher_epoch_stay() -> None:
    found = nodes(
        controller={"version": 2, "brokerid": 1, "timestamp": "1", "kraftControllerEpoch": -1}, controller_epoch=9
    )
    before = dict(found)
    done, _ = run(found)
    assert done == ["/migration was deleted."]
    del before["/migration"]
    assert found == before


def test_check_mode_only_says_it() -> None:
    found = nodes()
    before = dict(found)
    assert len(run(found, check=True)[0]) == 3
    assert found == before


def test_a_refusal_and_an_absent_server_are_told_in_words() -> None:
    refused = pytest.raises(zookeeper_wire.ZooKeeperError, match="/controller_epoch: the user may not do that")
    with refused, zookeeper_wire.connect(Server({"/controller_epoch": None}).address, 5.0) as session:
        session.write("/controller_epoch", b"7")
    with pytest.raises(zookeeper_wire.ZooKeeperError, match="No ZooKeeper server gives a session"):
        zookeeper_wire.connect("127.0.0.1:1", 1.0)
