"""The brokers as seen from outside: a killed one refuses at once, one that is cut off is given up after a second."""

from __future__ import annotations

import socket
import time

import msgspec
from tests.stock_market_ops.live.test_live_program import deployment

from stock_market_ops.common.deployment import Instance
from stock_market_ops.live import brokers


def test_who_listens_answers_and_who_does_not_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as up, socket.create_server(("127.0.0.1", 0)) as gone:
        there, killed = (f"127.0.0.1:{each.getsockname()[1]}" for each in (up, gone))
        gone.close()
        begun = time.monotonic()
        assert brokers.answering([there, killed, "no.such.host.invalid:1"]) == {
            there: True,
            killed: False,
            "no.such.host.invalid:1": False,
        }
        assert time.monotonic() - begun < 5


def test_a_broker_that_says_nothing_is_given_up() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        # Nobody accepts, and the queue is full: further connections hang.
        waiting = [socket.create_connection(deaf.getsockname()) for _ in range(1)]
        begun = time.monotonic()
        assert brokers.answering([address], 0.3) == {address: False}
        assert 0.2 < time.monotonic() - begun < 2
        for each in waiting:
            each.close()


def test_no_broker_is_no_answer() -> None:
    assert brokers.answering([]) == {}


def test_brokers_have_the_names_of_their_instances() -> None:
    instances = [Instance("kafka-1", "i-1", "198.51.100.1", "10.0.0.1", ["kafka"])]
    known = msgspec.structs.replace(deployment(), bootstrap_servers="198.51.100.1:9092", instances=instances)
    assert brokers.names(known) == {"198.51.100.1:9092": "kafka-1"}
