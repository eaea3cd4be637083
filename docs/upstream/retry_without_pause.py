"""kafka-python 3.0.12: a broker that takes a connection, and closes it at the first request, is asked again at once."""

import socket
import threading
import time

from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

server = socket.create_server(("127.0.0.1", 0))
attempts: list[float] = []


def refuse() -> None:
    while True:
        connection, _ = server.accept()
        attempts.append(time.monotonic())
        connection.recv(4096)
        connection.close()


threading.Thread(target=refuse, daemon=True).start()
net = NetworkSelector()
address = f"127.0.0.1:{server.getsockname()[1]}"
manager = KafkaConnectionManager(net, bootstrap_servers=address, reconnect_backoff_ms=1000)
end = time.monotonic() + 5
while time.monotonic() < end:
    if not manager.connection_delay("bootstrap-0"):
        connection = manager.get_connection("bootstrap-0")
        net.poll(timeout_ms=1000, future=connection.init_future)
    net.poll(timeout_ms=10)
print("attempts in five seconds, with reconnect_backoff_ms=1000:", len(attempts))
assert len(attempts) <= 4, "a request that is refused resets the pause that the attempt before has earned"
