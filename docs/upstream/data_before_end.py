"""kafka-python 3.0.12: what a broker sends just before it closes the connection is thrown away unread."""

import select
import socket

from kafka.net.transport import KafkaTCPTransport

ours, brokers = socket.socketpair()
ours.setblocking(False)
brokers.sendall(b"SASL authentication failed")
brokers.close()
select.select([ours], [], [], 5)

transport = KafkaTCPTransport(None, ours)
data, error = transport._sock_recv()
print("data:", data, "error:", error)
assert error is None, "the broker's last answer is lost: the caller drops data that comes with an error"
