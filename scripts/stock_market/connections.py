"""Mends how kafka-python 3.0.12 connects, beneath its public interface, and notes why a broker was not to be had.

- What comes together with the end of a connection is thrown away unread, so that a broker's refusal of a password,
  after which it closes the connection, is taken for a fault of the network, about every other time.
- After such a refusal the next attempt is made at once, for ever, as if there had been none.
- Over TLS, a request is copied anew for each 16 KiB of it that are sent.
- A socket is asked for 4 KiB at a time, which costs a tenth of a consumer's time.
- A connection that is reset just before its TLS handshake ends with an OSError, which nothing takes for a fault of the
  network: the client never again asks who leads, so that it is stuck as soon as a leader changes.
- A TLS handshake has no time limit: a host that is cut off during it is waited for, for ever.
- A host that is cut off is waited for until a TCP connection has failed for 10 s; the consumer has no option for that.
- The socket of an attempt that fails stays open until Python's garbage collector finds it: while a broker is away, a
  client that has little else to do holds more and more of them.
- Who leads is asked of a broker that has not answered yet, and may be cut off, while others would answer at once.

`test_connections` finds out when another version needs this no more, or does not take it any more.
"""

from __future__ import annotations

import logging
import random
import socket
import ssl
import time
from functools import wraps
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from kafka.errors import KafkaConnectionError
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

_PIECE, _LARGE_PIECE = 4096, 1 << 16
# A kernel that is there takes a connection at once, or after it was asked once more, which is a second later.
_TCP_SECONDS = 3.0
# As long as kafka-python gives the rest of a connection.
_HANDSHAKE_SECONDS = 10.0


class Failure(NamedTuple):
    """An attempt to connect that came to nothing.

    Attributes:
        broker: host:port.
        error: why.
        moment: when, in seconds of the steady clock.
    """

    broker: str
    error: BaseException
    moment: float


_failures: list[Failure] = []
_made: WeakKeyDictionary[KafkaConnectionManager, float] = WeakKeyDictionary()
_mended: list[bool] = []


def newest_failure(since: float) -> Failure | None:
    """The newest attempt of any client of this process that came to nothing, if it is not older than `since`."""
    return _failures[-1] if _failures and _failures[-1].moment >= since else None


def newest_connection(manager: KafkaConnectionManager) -> float:
    """When this client last connected to a broker, in seconds of the steady clock; 0 before the first time."""
    return _made.get(manager, 0.0)


_plain_connect = KafkaConnectionManager._connect
_plain_build_transport = KafkaConnectionManager._build_transport
_plain_least_loaded_node = KafkaConnectionManager.least_loaded_node
_plain_handshake = KafkaSSLTransport.handshake
_plain_sock_connect = KafkaNetSocket.sock_connect


@wraps(_plain_connect)
async def _connect(
    manager: KafkaConnectionManager, node: Any, conn: Any, reset_backoff_on_connect: bool = True, timeout_at: Any = None
) -> None:
    """In place of KafkaConnectionManager._connect."""
    before = manager._backoff.get(node.node_id)
    await _plain_connect(manager, node, conn, reset_backoff_on_connect, timeout_at)
    if not conn.init_future.failed():
        _made[manager] = time.monotonic()
        return
    _failures[:] = [Failure(f"{node.host}:{node.port}", conn.init_future.exception, time.monotonic())]
    if reset_backoff_on_connect and node.node_id not in manager._backoff:
        if before is not None:
            manager._backoff[node.node_id] = before
        manager.update_backoff(node.node_id)


@wraps(_plain_build_transport)
async def _build_transport(manager: KafkaConnectionManager, node: Any, timeout_at: float | None = None) -> Any:
    """In place of KafkaConnectionManager._build_transport."""
    soon = time.monotonic() + _TCP_SECONDS
    try:
        return await _plain_build_transport(manager, node, soon if timeout_at is None else min(timeout_at, soon))
    except OSError as error:
        raise KafkaConnectionError(str(error)) from error


@wraps(_plain_sock_connect)
async def _sock_connect(
    factory: KafkaNetSocket, net: Any, sock: socket.socket, address: Any, timeout_at: float | None = None
) -> Any:
    """In place of KafkaNetSocket.sock_connect: closes the socket where it does not connect."""
    try:
        return await _plain_sock_connect(factory, net, sock, address, timeout_at)
    except BaseException:
        sock.close()
        raise


@wraps(_plain_handshake)
async def _handshake(transport: KafkaSSLTransport) -> None:
    """In place of KafkaSSLTransport.handshake: has a time limit, and closes the socket where it fails."""
    try:
        await _shake_hands(transport)
    except BaseException:
        transport._sock.close()
        raise


async def _shake_hands(transport: KafkaSSLTransport) -> None:
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


@wraps(_plain_least_loaded_node)
def _least_loaded_node(manager: KafkaConnectionManager) -> Any:
    """In place of KafkaConnectionManager.least_loaded_node.

    Returns:
        a broker that is connected and has room; else one to which no attempt to connect has failed lately; else, where
        none is connected, one that may be tried again. None makes the caller ask again soon: a connected broker will
        have room, or one may be tried again, in a moment.
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
    # Else the next question would wait for longer each time.
    manager.reset_backoff("metadata")
    return None


def _receiving(transport: type) -> Any:
    """The transport's way to receive, in large pieces, which keeps what came before the end."""
    plain: Any = transport._sock_recv  # type: ignore[attr-defined]
    code = plain.__code__
    constants = tuple(_LARGE_PIECE if each == _PIECE else each for each in code.co_consts)
    plain.__code__ = code.replace(co_consts=constants)

    @wraps(plain)
    def receive(self: Any) -> tuple[bytes, Exception | None]:
        data, error = plain(self)
        # The end is still there to be found when what came before it has been dealt with.
        return data, None if data else error

    return receive


def _write(self: KafkaSSLTransport, data: Any) -> None:
    """In place of KafkaSSLTransport.write: what is left of a view is a view, and no copy."""
    KafkaTCPTransport.write(self, memoryview(data))


def mend() -> None:
    """Mends kafka-python in this process; its own lines about connections are kept out of the log, for whoever calls
    this tells what `newest_failure` says."""
    if _mended:
        return
    _mended.append(True)
    KafkaConnectionManager._connect = _connect
    KafkaConnectionManager._build_transport = _build_transport
    KafkaConnectionManager.least_loaded_node = _least_loaded_node
    KafkaSSLTransport.handshake = _handshake
    KafkaNetSocket.sock_connect = _sock_connect
    for transport in (KafkaTCPTransport, KafkaSSLTransport):
        transport._sock_recv = _receiving(transport)
    KafkaSSLTransport.write = _write
    for name in ("kafka.net", "kafka.cluster"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
