"""kafka-python 3.0.12: over TLS a request is copied again for each 16 KiB that is sent."""

from collections import deque
from typing import ClassVar

from kafka.net.transport import KafkaSSLTransport


class Socket:
    """Takes 16 KiB at a time, as TLS does."""

    kinds: ClassVar[set[type]] = set()

    def send(self, data: bytes) -> int:
        self.kinds.add(type(data))
        return min(len(data), 1 << 14)


transport = KafkaSSLTransport.__new__(KafkaSSLTransport)
transport._sock, transport._write_buffer = Socket(), deque()
transport._write, transport._closed, transport._writing = True, False, True
transport.write(bytes(4 << 20))
transport._sock_send()
print("handed to the socket:", Socket.kinds)
assert Socket.kinds == {memoryview}, "4 MiB are copied 256 times: half a GiB for one request"
