"""kafka-python 3.0.12: a TLS handshake has no time limit."""

import socket
import time

from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

server = socket.create_server(("127.0.0.1", 0))  # Accepts connections, and says nothing.
net = NetworkSelector()
manager = KafkaConnectionManager(
    net,
    bootstrap_servers=f"127.0.0.1:{server.getsockname()[1]}",
    security_protocol="SSL",
    socket_connection_setup_timeout_ms=200,
    request_timeout_ms=200,
)
connection = manager.get_connection("bootstrap-0")
end = time.monotonic() + 1.5
while not connection.init_future.is_done and time.monotonic() < end:
    net.poll(timeout_ms=50)
print("given up:", connection.init_future.is_done)
assert connection.init_future.is_done, "the client waits for ever for a host that is cut off during the handshake"
