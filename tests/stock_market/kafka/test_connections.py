"""What `connections` mends in kafka-python: that it is still needed, and that it works."""

from __future__ import annotations

import contextlib
import gc
import inspect
import runpy
import select
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError, KafkaError
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from tests.support.stock_market.broker import free_port

from stock_market.kafka import connections

UPSTREAM = Path(__file__).resolve().parents[3] / "docs" / "upstream"


@pytest.fixture(autouse=True)
def mended() -> None:
    connections.mend()


def left_alone(method: Any) -> Any:
    """What kafka-python itself has in the place of a mended method."""
    return inspect.unwrap(method)


WITHOUT_FOUR = """
import sys, time
from kafka.net import inet, manager, transport

del inet.KafkaNetSocket.sock_connect, transport.KafkaSSLTransport
manager.KafkaConnectionManager._connect = lambda self, node: None
from stock_market.kafka import connections

print(*connections.mend(), sep="\\n")
assert connections.mend() is connections.mend()
assert 0 <= time.monotonic() - connections.newest_connection(None) <= 10
assert manager.KafkaConnectionManager.least_loaded_node.__wrapped__
"""


def test_a_method_that_another_kafka_python_does_not_have_is_left_alone() -> None:
    found = subprocess.run([sys.executable, "-c", WITHOUT_FOUR], check=True, capture_output=True, text=True)
    assert [name.partition(".net.")[2] for name in found.stdout.split()] == [
        "manager.KafkaConnectionManager._connect",
        "inet.KafkaNetSocket.sock_connect",
        *(f"transport.KafkaSSLTransport.{method}" for method in ("handshake", "write", "_sock_recv")),
    ]
    assert found.stderr.count("kafka_python_not_patched") == 1


class Talker:
    """A socket that hands out these pieces, and notes how much it is asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = deque(pieces)
        self.asked: list[int] = []

    def recv(self, size: int) -> bytes:
        self.asked.append(size)
        if not self._pieces:
            raise BlockingIOError
        return self._pieces.popleft()


@pytest.mark.parametrize("kind", [KafkaTCPTransport, KafkaSSLTransport])
def test_what_comes_before_the_end_is_read_first(kind: type) -> None:
    transport: Any = object.__new__(kind)
    transport._sock = Talker(b"refused", b"", b"")
    data, error = transport._sock_recv()
    assert (data, error) == (b"refused", None)
    assert transport._sock_recv()[1] is not None
    transport._sock = Talker(b"refused", b"")
    data, error = left_alone(kind._sock_recv)(transport)  # type: ignore[attr-defined]  # no stub has private or made-up parts
    assert error is not None, "kafka-python hands over what comes with the end; this part of `connections` can go"


@pytest.mark.parametrize("kind", [KafkaTCPTransport, KafkaSSLTransport])
def test_a_socket_is_asked_for_large_pieces(kind: type) -> None:
    transport: Any = object.__new__(kind)
    transport._sock = Talker(b"data")
    assert transport._sock_recv() == (b"data", None)
    assert transport._sock.asked == [1 << 16] * 2


def test_a_request_is_not_copied_for_each_of_its_pieces() -> None:
    class Narrow:
        """Takes 16 KiB at a time, as TLS does."""

        def __init__(self) -> None:
            self.kinds: set[type] = set()
            self.taken = 0

        def send(self, data: Any) -> int:
            self.kinds.add(type(data))
            self.taken += min(len(data), 1 << 14)
            return min(len(data), 1 << 14)

    transport: Any = KafkaSSLTransport.__new__(KafkaSSLTransport)
    transport._sock, transport._write_buffer = Narrow(), deque()
    transport._write, transport._closed, transport._writing = True, False, True
    transport.write(bytes(100_000))
    transport._sock_send()
    assert transport._sock.kinds == {memoryview}
    assert transport._sock.taken == 100_000


@pytest.fixture
def curt_broker() -> Iterator[str]:
    """The address of somebody who takes every connection and closes it at the first request."""

    class Curt(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1 << 16)

    # A thread for each: a client that a test has left may hold a connection on which it never asks anything.
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Curt) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield "{}:{}".format(*server.server_address)
        server.shutdown()


def delays(address: str) -> list[float]:
    """Seconds that a client waits after each of three failures before it tries that broker again."""
    net = NetworkSelector()
    # So long that what is left of it still doubles when a busy machine has taken some seconds.
    backoff = {"reconnect_backoff_ms": 100_000, "reconnect_backoff_max_ms": 10_000_000}
    manager = KafkaConnectionManager(net, bootstrap_servers=address, **backoff)
    found = []

    async def attempt() -> None:
        await manager.get_connection("bootstrap-0")

    for _ in range(3):
        with pytest.raises(KafkaConnectionError):
            net.run(attempt)
        for _ in range(20):
            net.poll(timeout_ms=10)
        found.append(manager.connection_delay("bootstrap-0"))
        if "bootstrap-0" in manager._backoff:
            failures, _, timeout = manager._backoff["bootstrap-0"]
            manager._backoff["bootstrap-0"] = (failures, 0.0, timeout)
    manager.close()
    return found


def test_a_broker_that_does_not_take_a_client_is_asked_less_and_less_often(curt_broker: str) -> None:
    first, second, third = delays(curt_broker)
    assert 0 < first < second < third
    failure = connections.newest_failure(0)
    assert failure is not None
    assert failure.broker == curt_broker


def test_kafka_python_still_asks_such_a_broker_again_at_once(curt_broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KafkaConnectionManager, "_connect", left_alone(KafkaConnectionManager._connect))
    assert delays(curt_broker)[1:] == [0, 0], "kafka-python waits now; this part of `connections` can go"


class Late:
    """A TLS context that says when a connection is there, and begins when the other side has gone."""

    def __init__(self) -> None:
        self._context = ssl.create_default_context()
        self.connected = threading.Event()

    def wrap_socket(self, sock: socket.socket, **options: Any) -> ssl.SSLSocket:
        self.connected.set()
        assert select.select([sock], [], [], 60)[0]
        return self._context.wrap_socket(sock, **options)


def tls_client(server: socket.socket, **options: Any) -> tuple[NetworkSelector, KafkaConnectionManager]:
    net = NetworkSelector()
    address = f"127.0.0.1:{server.getsockname()[1]}"
    return net, KafkaConnectionManager(net, bootstrap_servers=address, security_protocol="SSL", **options)


def reset_before_tls() -> BaseException | None:
    """What a client says of a connection that is reset before the TLS handshake."""
    context = Late()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reset() -> None:
            connection, _ = server.accept()
            context.connected.wait(60)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        thread = threading.Thread(target=reset, daemon=True)
        thread.start()
        net, manager = tls_client(server, ssl_context=context)
        conn = manager.get_connection("bootstrap-0")
        net.poll(timeout_ms=60_000, future=conn.init_future)
        thread.join(60)
        manager.close()
    error: BaseException | None = conn.init_future.exception
    return error


def test_a_connection_reset_before_tls_is_a_fault_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(reset_before_tls(), KafkaConnectionError)
    plain = left_alone(KafkaConnectionManager._build_transport)
    monkeypatch.setattr(KafkaConnectionManager, "_build_transport", plain)
    error = reset_before_tls()
    assert not isinstance(error, KafkaError), "kafka-python says so itself; this part of `connections` can go"


def test_a_host_that_is_cut_off_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_TCP_SECONDS", 0.2)
    # Somebody who takes no connection beyond the first leaves others without an answer, as a host does that is cut off.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.create_connection(server.getsockname()):
        net, manager = tls_client(server)
        conn = manager.get_connection("bootstrap-0")
        net.poll(timeout_ms=5000, future=conn.init_future)
        manager.close()
    assert isinstance(conn.init_future.exception, KafkaConnectionError)
    assert "timed out" in str(conn.init_future.exception)


def silent_in_tls() -> bool:
    """Whether a client gives up a broker that does not answer in the TLS handshake."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        net, manager = tls_client(server, socket_connection_setup_timeout_ms=200)
        conn = manager.get_connection("bootstrap-0")
        until = time.monotonic() + 1.5
        while not conn.init_future.is_done and time.monotonic() < until:
            net.poll(timeout_ms=50)
        given_up: bool = conn.init_future.failed()
        manager.close()
    return given_up


def test_a_broker_that_is_silent_in_the_handshake_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_HANDSHAKE_SECONDS", 0.2)
    assert silent_in_tls()
    monkeypatch.setattr(KafkaSSLTransport, "handshake", left_alone(KafkaSSLTransport.handshake))
    assert not silent_in_tls(), "kafka-python gives it up, too; this part of `connections` can go"


def open_sockets(but_port: int) -> set[int]:
    """The id of every TCP socket of this process that is open, garbage included, but those that are bound to a port."""
    found = set()
    # By type(): isinstance() would ask what a proxy of another test stands for.
    for held in [held for held in gc.get_objects() if issubclass(type(held), socket.socket)]:
        # A thread of the test's own broker may close its socket meanwhile.
        with contextlib.suppress(OSError):
            if held.family == socket.AF_INET and held.getsockname()[1] != but_port:
                found.add(id(held))
    return found


def sockets_left_open(address: str, **options: Any) -> int:
    """How many sockets a client still holds after six failed attempts, once its own further attempts have ended."""
    net = NetworkSelector()
    manager = KafkaConnectionManager(net, bootstrap_servers=address, reconnect_backoff_ms=0, **options)
    # The test's own broker is in this process, too: its ends of the connections are not the client's.
    server_port = int(address.rpartition(":")[2])
    gc.disable()
    try:
        before = open_sockets(server_port)
        for _ in range(6):
            conn = manager.get_connection("bootstrap-0")
            net.poll(timeout_ms=60_000, future=conn.init_future)
            assert conn.init_future.failed()
            manager._backoff.clear()
            manager._conns.clear()
        lowest = len(open_sockets(server_port) - before)
        for _ in range(50):
            if lowest <= 1:
                break
            net.poll(timeout_ms=20)
            lowest = min(lowest, len(open_sockets(server_port) - before))
        return lowest
    finally:
        gc.enable()
        manager.close()


@pytest.mark.parametrize("tls", [False, True])
def test_an_attempt_that_fails_leaves_no_socket_open(
    curt_broker: str, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    if tls:
        kind, method, address, options = KafkaSSLTransport, "handshake", curt_broker, {"security_protocol": "SSL"}
    else:
        kind, method, address, options = KafkaNetSocket, "sock_connect", f"127.0.0.1:{free_port()}", {}
    assert sockets_left_open(address, **options) <= 1, "more than an attempt that may be under way"
    monkeypatch.setattr(kind, method, left_alone(getattr(kind, method)))
    assert sockets_left_open(address, **options) >= 4, "kafka-python closes it; this part of `connections` can go"


WITHOUT_BROKER = """
import sys, threading
from pathlib import Path
import kafka
from kafka.errors import KafkaError
from stock_market.kafka import connections

connections.mend()
for _ in range(3):
    try:
        getattr(kafka, sys.argv[1])(bootstrap_servers=sys.argv[2], bootstrap_timeout_ms=300)
    except KafkaError:
        print(threading.active_count(), len(list(Path("/proc/self/fd").iterdir())))
"""


@pytest.mark.parametrize("kind", ["KafkaConsumer", "KafkaAdminClient"])
def test_a_client_that_finds_no_broker_leaves_no_thread_and_no_file(kind: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", WITHOUT_BROKER, kind, f"127.0.0.1:{free_port()}"]
    held = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(held) == 3
    assert held == held[:1] * 3, "threads and open files after each attempt"
    assert held[0].startswith("1 ")


def test_a_producers_thread_waits_for_news_of_a_broker_that_takes_no_request() -> None:
    """The reproducer for upstream, with the patch: it looks every 0.1 s, for half a second."""
    found = runpy.run_path(str(UPSTREAM / "sender_spins.py"))
    assert found["times"] <= 10
    client = found["client"]
    assert client.connection_delay(1) == 100
    client._manager.update_backoff(1)
    assert client.connection_delay(1) == pytest.approx(client._manager.connection_delay(1) * 1000, rel=0.1)
    del client._manager._conns[1]
    client.close()


class Broker:
    """A broker that a manager knows, with so many requests in flight; None: it has not answered yet."""

    def __init__(self, node_id: int, in_flight: int | None = None, *, paused: bool = False, known: bool = True) -> None:
        self.node_id = node_id
        self.connected = in_flight is not None
        self.in_flight_requests = [None] * (in_flight or 0)
        self.paused = paused
        self.known = known


def least_loaded(*brokers: Broker, failed: int | None = None) -> int | None:
    manager: Any = KafkaConnectionManager(NetworkSelector())
    manager.cluster.brokers = lambda: brokers
    manager._conns = {broker.node_id: broker for broker in brokers if broker.known}
    if failed is not None:
        manager.update_backoff(failed)
    found: int | None = manager.least_loaded_node()
    return found


def test_the_broker_is_asked_that_answers_soonest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert least_loaded(Broker(1, 2), Broker(2), Broker(3, 1)) == 3
    assert least_loaded(Broker(1, 0, paused=True), Broker(2), Broker(3, 3)) == 3
    assert least_loaded(Broker(1, 0, paused=True), Broker(2), Broker(3, known=False)) == 3
    assert least_loaded(Broker(1, 0, paused=True), Broker(3, known=False), failed=3) is None, "1 will have room soon"
    assert least_loaded(Broker(2), Broker(3, known=False), Broker(4, known=False), failed=4) == 3
    assert least_loaded(Broker(2), Broker(3, known=False), failed=3) is None, "3 may be tried soon"
    assert least_loaded(Broker(2)) == 2
    assert least_loaded() is None
    plain = left_alone(KafkaConnectionManager.least_loaded_node)
    monkeypatch.setattr(KafkaConnectionManager, "least_loaded_node", plain)
    assert least_loaded(Broker(1, 2), Broker(2), Broker(3, 1)) == 2, "this part of `connections` can go"
