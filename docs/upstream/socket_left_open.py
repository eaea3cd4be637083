"""kafka-python 3.0.12: the socket of a failed attempt stays open until the garbage collector finds it."""

import gc
import socket
from pathlib import Path

from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

with socket.create_server(("127.0.0.1", 0)) as server:
    address = f"127.0.0.1:{server.getsockname()[1]}"  # Nobody listens there afterwards.
net = NetworkSelector()
manager = KafkaConnectionManager(net, bootstrap_servers=address, reconnect_backoff_ms=0)
gc.disable()
before = len(list(Path("/proc/self/fd").iterdir()))
for _ in range(6):
    connection = manager.get_connection("bootstrap-0")
    net.poll(timeout_ms=5000, future=connection.init_future)
    manager._backoff.clear()
    manager._conns.clear()
opened = len(list(Path("/proc/self/fd").iterdir())) - before
print("file descriptors that six failed attempts have left:", opened)
assert opened <= 2, "while a broker is away, an idle client holds more and more sockets"
