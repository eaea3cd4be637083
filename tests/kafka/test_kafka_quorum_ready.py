"""Promises of the module kafka_quorum_ready: a controller works if it answers, and leads or follows the leader."""

from __future__ import annotations

import importlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import Connection, Quorum
from ansible_collections.stock_market.streaming.plugins.module_utils.service_wait import NotReadyError

GOOD = Quorum(1001, {1001: 50_000, 1002: 49_600, 1003: 49_900})


@pytest.fixture
def ready() -> Any:
    return importlib.import_module("plugins.modules.kafka_quorum_ready")


def test_all_that_lead_or_follow_work(ready: Any) -> None:
    assert ready.judge({1001, 1002, 1003}, {}, GOOD) is GOOD


@pytest.mark.parametrize(
    ("wanted", "silent", "known", "words"),
    [
        ({1002}, {1002: "controller 1002 does not answer"}, GOOD, "controller 1002 does not answer"),
        ({1002}, {}, None, "no controller is the leader"),
        ({1004}, {}, GOOD, "controller 1004 is no member of the quorum [1001, 1002, 1003]"),
        ({1002}, {}, Quorum(1001, {1001: 50_000, 1002: 40_000}), "controller 1002 does not follow the leader 1001"),
        ({1002}, {}, Quorum(1001, {1001: 50_000, 1002: -1}), "controller 1002 does not follow the leader 1001"),
    ],
)
def test_one_that_does_not_is_named(
    ready: Any, wanted: set[int], silent: dict[int, str], known: Quorum | None, words: str
) -> None:
    with pytest.raises(NotReadyError) as refused:
        ready.judge(wanted, silent, known)
    assert str(refused.value) == words


def test_another_controllers_silence_does_not_keep_this_one(ready: Any) -> None:
    assert ready.judge({1001}, {1003: "controller 1003 does not answer"}, GOOD) is GOOD


def described(error: int, leader: int, voters: dict[int, int]) -> bytes:
    """An answer of DescribeQuorum, version 1, without its length and correlation id."""
    replicas = b"".join(struct.pack(">iqqq", node, 7, last, last) + b"\0" for node, last in voters.items())
    partition = struct.pack(">ihiiq", 0, error, leader, 3, 7) + bytes([len(voters) + 1]) + replicas
    partition += b"\x02" + struct.pack(">iqqq", 1, 7, 9, 9) + b"\0" + b"\0"
    name = b"__cluster_metadata"
    return b"\0" + struct.pack(">h", 0) + b"\x02" + bytes([len(name) + 1]) + name + b"\x02" + partition + b"\0\0"


@pytest.fixture
def controller(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server that gives one answer, of the test's parameters; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            (size,) = struct.unpack(">i", connection.recv(4))
            asked = connection.recv(size)
            assert struct.unpack(">hh", asked[:4]) == (55, 1)
            body = asked[4:8] + request.param
            connection.sendall(struct.pack(">i", len(body)) + body)

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    thread.join(timeout=5)
    server.close()


@pytest.mark.parametrize("controller", [described(0, 1001, dict(GOOD.voters))], indirect=True)
def test_the_leader_tells_of_all(controller: int) -> None:
    with Connection("127.0.0.1", controller, 5) as connection:
        assert connection.quorum() == GOOD


@pytest.mark.parametrize("controller", [described(6, -1, {})], indirect=True)
def test_another_one_does_not_know(controller: int) -> None:
    with Connection("127.0.0.1", controller, 5) as connection:
        assert connection.quorum() is None
