"""Promises of the module kafka_quorum_ready: a controller works if it answers, and leads or follows the leader."""

from __future__ import annotations

import importlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_encoding import compact, uuid_bytes
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import Connection, Quorum
from ansible_collections.stock_market.streaming.plugins.module_utils.service_wait import NotReadyError

DIRECTORIES = {1001: "AAAAAAAAAAAAAAAAAAAAAQ", 1002: "AAAAAAAAAAAAAAAAAAAAAg", 1003: "AAAAAAAAAAAAAAAAAAAAAw"}
NEW = (1003, "AAAAAAAAAAAAAAAAAAAAMw")
GOOD = Quorum(1001, {1001: 50_000, 1002: 49_600, 1003: 49_900}, DIRECTORIES, {NEW: 49_800})


@pytest.fixture
def ready() -> Any:
    return importlib.import_module("plugins.modules.kafka_quorum_ready")


def test_all_that_lead_or_follow_work(ready: Any) -> None:
    assert ready.judge({1001, 1002, 1003}, {}, GOOD) is GOOD


@pytest.mark.parametrize(
    ("wanted", "silent", "known", "words"),
    [
        ({1002}, {1002: "controller 1002 does not answer"}, GOOD, "controller 1002 does not answer"),
        ({1002}, {}, None, "no controller is the leader, which more than half of the quorum's members elect"),
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


def test_one_that_follows_with_a_new_directory_works_without_being_a_member(ready: Any) -> None:
    assert ready.judge({1003}, {}, GOOD, NEW) is GOOD
    assert ready.role(GOOD, *NEW) == "observer"
    assert ready.role(GOOD, 1003, DIRECTORIES[1003]) == "follower"
    assert ready.role(GOOD, 1001, DIRECTORIES[1001]) == "leader"


@pytest.mark.parametrize("observers", [{}, {NEW: 40_000}, {(1003, "AAAAAAAAAAAAAAAAAAAAMQ"): 49_900}])
def test_one_with_a_new_directory_is_waited_for_until_it_follows(
    ready: Any, observers: dict[tuple[int, str], int]
) -> None:
    known = Quorum(GOOD.leader, GOOD.voters, DIRECTORIES, observers)
    with pytest.raises(NotReadyError, match="controller 1003 does not follow the leader 1001"):
        ready.judge({1003}, {}, known, NEW)


def described(error: int, known: Quorum) -> bytes:
    """An answer of DescribeQuorum, version 2, without its length and correlation id."""

    def replica(node: int, directory: str, last: int) -> bytes:
        return struct.pack(">i", node) + uuid_bytes(directory) + struct.pack(">qqq", 7, last, last) + b"\0"

    voters = [replica(node, known.directories[node], last) for node, last in known.voters.items()]
    observers = [replica(*who, last) for who, last in known.observers.items()]
    lists = b"".join(bytes([len(each) + 1]) + b"".join(each) for each in (voters, observers))
    partition = struct.pack(">ih", 0, error) + b"\0" + struct.pack(">iiq", known.leader, 3, 7) + lists + b"\0"
    topics = b"\x02" + compact("__cluster_metadata") + b"\x02" + partition + b"\0"
    return b"\0" + struct.pack(">h", 0) + b"\0" + topics + b"\x01\0"


@pytest.fixture
def controller(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server that gives one answer, of the test's parameters; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            (size,) = struct.unpack(">i", connection.recv(4))
            asked = connection.recv(size)
            assert struct.unpack(">hh", asked[:4]) == (55, 2)
            body = asked[4:8] + request.param
            connection.sendall(struct.pack(">i", len(body)) + body)

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    thread.join(timeout=5)
    server.close()


@pytest.mark.parametrize("controller", [described(0, GOOD)], indirect=True)
def test_the_leader_tells_of_all(controller: int) -> None:
    with Connection("127.0.0.1", controller, 5) as connection:
        assert connection.quorum() == GOOD


@pytest.mark.parametrize("controller", [described(6, Quorum(-1, {}))], indirect=True)
def test_another_one_does_not_know(controller: int) -> None:
    with Connection("127.0.0.1", controller, 5) as connection:
        assert connection.quorum() is None
