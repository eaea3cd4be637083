"""kafka-python 3.0.12: a connection that is reset before its TLS handshake does not count as a connection error."""

import select
import socket
import ssl
import struct
import threading
from typing import Any

from kafka.errors import KafkaConnectionError
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

server = socket.create_server(("127.0.0.1", 0))
connected = threading.Event()


class Late:
    """A TLS context that begins when the other side has gone."""

    def wrap_socket(self, sock: socket.socket, **options: Any) -> ssl.SSLSocket:
        connected.set()
        select.select([sock], [], [], 10)
        return ssl.create_default_context().wrap_socket(sock, **options)


def reset() -> None:
    connection, _ = server.accept()
    connected.wait(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


threading.Thread(target=reset, daemon=True).start()
net = NetworkSelector()
address = f"127.0.0.1:{server.getsockname()[1]}"
manager = KafkaConnectionManager(net, bootstrap_servers=address, security_protocol="SSL", ssl_context=Late())
connection = manager.get_connection("bootstrap-0")
net.poll(timeout_ms=10_000, future=connection.init_future)
error = connection.init_future.exception
print("the attempt failed with", repr(error))
assert isinstance(error, KafkaConnectionError), "an OSError: metadata is not refreshed, and the client stays stuck"
