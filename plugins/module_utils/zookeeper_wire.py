"""The few requests of ZooKeeper's protocol that a migration to KRaft needs, with nothing but the standard library.

Format: jute, https://github.com/apache/zookeeper/blob/release-3.8.4/zookeeper-jute/src/main/resources/zookeeper.jute
"""

from __future__ import annotations

import socket
import ssl
import struct

from ansible_collections.stock_market.streaming.plugins.module_utils import tls

_DELETE, _GET_DATA, _SET_DATA, _CLOSE = 2, 4, 5, -11
_NO_NODE = -101
_EVENT = -1
_SESSION_MS = 10000
_WORDS = {-102: "the user may not do that", -103: "it was changed meanwhile", -111: "it has children"}


class ZooKeeperError(Exception):
    """ZooKeeper refused a request, or gave no answer; in words."""


class ZooKeeper:
    """A session with one server of the ensemble, one request at a time."""

    def __init__(self, host: str, port: int, timeout: float, context: ssl.SSLContext | None = None) -> None:
        """Begin a session within `timeout` seconds, which is also the limit of every answer.

        Raises:
            ZooKeeperError: the server gives no TLS, or no session.
            OSError: nobody is there, or does not answer in time.
        """
        self._number = 0
        self._socket: socket.socket = socket.create_connection((host, port), timeout=timeout)
        try:
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
            self._send(struct.pack(">iqiq", 0, 0, _SESSION_MS, 0) + _data(bytes(16)))
            self._frame()
        except (ssl.SSLError, ConnectionResetError) as error:
            self._socket.close()
            raise ZooKeeperError(tls.sentence(error)) from error
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> ZooKeeper:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if error is None:
                self._request(_CLOSE, b"", "the session")
        finally:
            self._socket.close()

    def read(self, path: str) -> bytes | None:
        """Return a node's data; None if there is no such node."""
        answer = self._request(_GET_DATA, _text(path) + b"\x00", path)
        if answer is None:
            return None
        (length,) = struct.unpack_from(">i", answer)
        return answer[4 : 4 + max(length, 0)]

    def write(self, path: str, value: bytes) -> None:
        """Replace a node's data, whatever its version."""
        if self._request(_SET_DATA, _text(path) + _data(value) + struct.pack(">i", -1), path) is None:
            raise ZooKeeperError(f"{path} is not there")

    def delete(self, path: str) -> bool:
        """Delete a node without children; False if there is none."""
        return self._request(_DELETE, _text(path) + struct.pack(">i", -1), path) is not None

    def _request(self, kind: int, body: bytes, path: str) -> bytes | None:
        self._number += 1
        self._send(struct.pack(">ii", self._number, kind) + body)
        while True:
            answer = self._frame()
            number, _, error = struct.unpack_from(">iqi", answer)
            if number != _EVENT:
                break
        if error == _NO_NODE:
            return None
        if error:
            raise ZooKeeperError(f"{path}: {_WORDS.get(error, f'ZooKeeper gave error {error}')}")
        return answer[16:]

    def _send(self, message: bytes) -> None:
        self._socket.sendall(struct.pack(">i", len(message)) + message)

    def _frame(self) -> bytes:
        (length,) = struct.unpack(">i", self._receive(4))
        return self._receive(length)

    def _receive(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            if not part:
                raise ZooKeeperError("ZooKeeper closed the connection")
            data += part
        return bytes(data)


def connect(servers: str, timeout: float, context: ssl.SSLContext | None = None) -> ZooKeeper:
    """Begin a session with the first of the servers, `host:port` separated by commas, that gives one.

    Raises:
        ZooKeeperError: none does; the words of the last one.
    """
    words = "no server is named"
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            return ZooKeeper(host, int(port), timeout, context)
        except (ZooKeeperError, OSError) as error:
            words = f"{server}: {error}"
    raise ZooKeeperError(f"No ZooKeeper server gives a session ({words}).")


def _text(value: str) -> bytes:
    return _data(value.encode())


def _data(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value
