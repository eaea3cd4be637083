"""Patches kafka-python's connections, beneath its public API, and records connection errors.

Each row of `_PATCHES` replaces one method of kafka-python 3.0.12. A method that this kafka-python does not have, or
that takes other parameters, stays as it is, and one warning names it. docs/upstream has a reproducer of each.

- Data that arrives together with the end of a connection is thrown away unread. A broker closes a connection after it
  refused a password, so about every second refusal looks like a network error.
- After such a refusal the next attempt is made at once, without a pause and without an end.
- Over TLS, a request is copied again for each 16 KiB that is sent.
- A socket is read 4 KiB at a time, which costs a tenth of a consumer's time.
- A connection that is reset just before its TLS handshake ends with an OSError, which kafka-python does not treat as a
  network error: the client never asks for the leaders again, and is stuck as soon as a leader changes.
- A TLS handshake has no time limit: the client waits for ever for a host that is cut off during it.
- A client waits 10 s for a TCP connection to a host that is cut off; the consumer has no option for it.
- The socket of a failed attempt stays open until Python's garbage collector finds it: while a broker is away, an idle
  client holds more and more of them.
- Metadata is asked of a broker that has not answered yet, and may be cut off, while others would answer at once.
- A consumer or admin client that finds no broker when it is made leaves its thread and three files open: a service that
  waited some hours for Kafka had no file left.
- A producer's thread asks itself over and over, with a whole core, whether a broker takes requests that is being
  connected to, or has as many as it may have: it takes seconds for milliseconds, and a missing pause for none.

`test_upstream` fails when a later version of kafka-python no longer needs a patch, and `test_connections` when one no
longer fits.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import random
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from kafka.errors import KafkaConnectionError, SaslAuthenticationFailedError

from stock_market.logs import Log

_log = Log("kafka")
_READ_BYTES = 1 << 16
# A kernel that is reachable accepts a connection at once, or at the first retransmission, one second later.
_TCP_SECONDS = 3.0
# The time limit that kafka-python has for the other steps of a connection.
_HANDSHAKE_SECONDS = 10.0
_UNKNOWN_SECONDS = 10.0
# An answer or a connection ends the wait at once.
_NEWS_SECONDS = 0.1


class Failure(NamedTuple):
    """A failed attempt to connect to a broker, `host:port`, at a moment of the monotonic clock, in seconds."""

    broker: str
    error: BaseException
    moment: float


_failures: list[Failure] = []
_failed = [0, 0]
_made: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
_unfit: list[str] = []


def newest_failure(since: float) -> Failure | None:
    """The newest failed attempt of any client of this process, if it is not older than `since`."""
    return _failures[-1] if _failures and _failures[-1].moment >= since else None


def failed_attempts() -> tuple[int, int]:
    """How many attempts of all clients of this process to connect have failed: without a login, and at the login."""
    return _failed[0], _failed[1]


def newest_connection(manager: Any) -> float:
    """When this client last connected to a broker, in seconds of the monotonic clock; 0 before the first time.

    Where the patch of `_connect` does not fit, nobody knows: every 10 s count as a new connection, so that whoever
    checks a log after a reconnection checks it that often.
    """
    if _CONNECT in _unfit:
        return time.monotonic() // _UNKNOWN_SECONDS * _UNKNOWN_SECONDS
    return _made.get(manager, 0.0)


def _connect(plain: Any) -> Any:
    @wraps(plain)
    async def connect(
        manager: Any, node: Any, conn: Any, reset_backoff_on_connect: bool = True, timeout_at: Any = None
    ) -> None:
        before = manager._backoff.get(node.node_id)
        await plain(manager, node, conn, reset_backoff_on_connect, timeout_at)
        if not conn.init_future.failed():
            _made[manager] = time.monotonic()
            return
        _failures[:] = [Failure(f"{node.host}:{node.port}", conn.init_future.exception, time.monotonic())]
        _failed[isinstance(conn.init_future.exception, SaslAuthenticationFailedError)] += 1
        if reset_backoff_on_connect and node.node_id not in manager._backoff:
            if before is not None:
                manager._backoff[node.node_id] = before
            manager.update_backoff(node.node_id)

    return connect


def _build_transport(plain: Any) -> Any:
    @wraps(plain)
    async def build_transport(manager: Any, node: Any, timeout_at: float | None = None) -> Any:
        soon = time.monotonic() + _TCP_SECONDS
        try:
            return await plain(manager, node, soon if timeout_at is None else min(timeout_at, soon))
        except OSError as error:
            raise KafkaConnectionError(str(error)) from error

    return build_transport


def _sock_connect(plain: Any) -> Any:
    """Closes the socket of a failed attempt."""

    @wraps(plain)
    async def sock_connect(
        factory: Any, net: Any, sock: socket.socket, sockaddr: Any, timeout_at: float | None = None
    ) -> Any:
        try:
            return await plain(factory, net, sock, sockaddr, timeout_at)
        except BaseException:
            sock.close()
            raise

    return sock_connect


def _handshake(plain: Any) -> Any:
    """Gives the handshake a time limit, and closes the socket where it fails."""

    @wraps(plain)
    async def handshake(transport: Any) -> None:
        try:
            await _shake_hands(transport)
        except BaseException:
            transport._sock.close()
            raise

    return handshake


async def _shake_hands(transport: Any) -> None:
    until = time.monotonic() + _HANDSHAKE_SECONDS
    while True:
        try:
            transport._sock.do_handshake()
        except ssl.SSLWantReadError:
            await transport._net.wait_read(transport._sock, timeout_at=until)
        except ssl.SSLWantWriteError:
            await transport._net.wait_write(transport._sock, timeout_at=until)
        else:
            return


def _least_loaded_node(plain: Any) -> Any:
    @wraps(plain)
    def least_loaded_node(manager: Any) -> Any:
        """Choose the broker to ask for metadata.

        Returns:
            a broker that is connected and has room; else one without a recent connection error; else, where none is
            connected, one that may be tried again. None makes the caller ask again soon: a connected broker will have
            room, or one may be tried again, in a moment.
        """
        nodes = {broker.node_id: manager._conns.get(broker.node_id) for broker in manager.cluster.brokers()}
        connected = {node: conn for node, conn in nodes.items() if conn is not None and conn.connected}
        ready = [node for node, conn in connected.items() if not conn.paused]
        if ready:
            return min(ready, key=lambda node: (len(connected[node].in_flight_requests), random.random()))
        idle = [node for node, conn in nodes.items() if conn is None]
        good = [node for node in idle if node not in manager._backoff]
        if not good and not connected:
            # Where all are being connected to, one of them has to do.
            good = [node for node in idle if manager.connection_delay(node) == 0] if idle else list(nodes)
        if good:
            return random.choice(good)
        # Else the pause before the next question would grow each time.
        manager.reset_backoff("metadata")
        return None

    return least_loaded_node


def _sock_recv(plain: Any) -> Any:
    """Reads large pieces, and reports the end of the connection only after the data that came before it was handled."""

    @wraps(plain)
    def sock_recv(transport: Any) -> tuple[bytes, Exception | None]:
        received: list[bytes] = []
        error: Exception | None = None
        while error is None:
            try:
                data = transport._sock.recv(_READ_BYTES)
            except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except Exception as reason:
                error = KafkaConnectionError(str(reason))
            else:
                if data:
                    received.append(data)
                else:
                    error = KafkaConnectionError("socket disconnected")
        # The next read meets the end of the connection again.
        return b"".join(received), None if received else error

    return sock_recv


def _write(plain: Any) -> Any:
    """A slice of a memoryview is a view, not a copy."""

    @wraps(plain)
    def write(transport: Any, data: Any) -> None:
        plain(transport, memoryview(data))

    return write


def _sender(plain: Any) -> Any:
    """Has the thread wait for news of a broker that takes no request now."""

    @wraps(plain)
    def init(sender: Any, client: Any, metadata: Any, accumulator: Any, **configs: Any) -> None:
        plain(sender, client, metadata, accumulator, **configs)
        # The client of this thread alone; the methods that it shares with a consumer's mean seconds.
        seconds = client.connection_delay
        client.connection_delay = lambda node: (seconds(node) or _NEWS_SECONDS) * 1000

    return init


def _closed_if_it_fails(plain: Any) -> Any:
    @wraps(plain)
    def init(client: Any, *topics: Any, **configs: Any) -> None:
        try:
            plain(client, *topics, **configs)
        except BaseException:
            if hasattr(client, "_net"):
                client._net.close()
            raise

    return init


class _Patch(NamedTuple):
    """A method of kafka-python that is replaced if it takes these parameters."""

    module: str
    owner: str
    method: str
    parameters: tuple[str, ...]
    make: Callable[[Any], Any]

    @property
    def name(self) -> str:
        return f"{self.module}.{self.owner}.{self.method}"

    def target(self) -> tuple[type, Any]:
        """The class and its method.

        Raises:
            ImportError, AttributeError, TypeError, ValueError: this kafka-python has another one, or none.
        """
        owner = getattr(importlib.import_module(self.module), self.owner)
        method = getattr(owner, self.method)
        if tuple(inspect.signature(method).parameters) != self.parameters:
            raise TypeError(f"{self.name} takes other parameters")
        return owner, method


_MANAGER, _TRANSPORT, _SOCKET = "kafka.net.manager", "kafka.net.transport", "kafka.net.inet"
_ATTEMPT = ("self", "node", "conn", "reset_backoff_on_connect", "timeout_at")
_THREAD = ("self", "client", "metadata", "accumulator", "configs")
_PATCHES = (
    _Patch(_MANAGER, "KafkaConnectionManager", "_connect", _ATTEMPT, _connect),
    _Patch(_MANAGER, "KafkaConnectionManager", "_build_transport", ("self", "node", "timeout_at"), _build_transport),
    _Patch(_MANAGER, "KafkaConnectionManager", "least_loaded_node", ("self",), _least_loaded_node),
    _Patch(_SOCKET, "KafkaNetSocket", "sock_connect", ("self", "net", "sock", "sockaddr", "timeout_at"), _sock_connect),
    _Patch(_TRANSPORT, "KafkaSSLTransport", "handshake", ("self",), _handshake),
    _Patch(_TRANSPORT, "KafkaSSLTransport", "write", ("self", "data"), _write),
    _Patch(_TRANSPORT, "KafkaSSLTransport", "_sock_recv", ("self",), _sock_recv),
    _Patch(_TRANSPORT, "KafkaTCPTransport", "_sock_recv", ("self",), _sock_recv),
    _Patch("kafka.consumer.group", "KafkaConsumer", "__init__", ("self", "topics", "configs"), _closed_if_it_fails),
    _Patch("kafka.admin.client", "KafkaAdminClient", "__init__", ("self", "configs"), _closed_if_it_fails),
    _Patch("kafka.producer.sender", "Sender", "__init__", _THREAD, _sender),
)
_CONNECT = _PATCHES[0].name


@cache
def mend() -> Sequence[str]:
    """Apply the patches in this process, once, and silence kafka-python's own log lines about connections.

    Whoever calls this reports what `newest_failure` says.

    Returns:
        the methods that are left as they are because this kafka-python has others; a warning has named them.
    """
    for patch in _PATCHES:
        try:
            owner, plain = patch.target()
        except (ImportError, AttributeError, TypeError, ValueError):
            _unfit.append(patch.name)
        else:
            setattr(owner, patch.method, patch.make(plain))
    if _unfit:
        _log.warning("kafka_python_not_patched", methods=",".join(_unfit), advice="this kafka-python is another one")
    for name in ("kafka.net", "kafka.cluster"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return _unfit
