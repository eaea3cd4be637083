"""kafka-python 3.0.12: a socket is read 4 KiB at a time, a thousand calls for a fetch of 4 MiB."""

from kafka.net.transport import KafkaTCPTransport


class Socket:
    """Has 4 MiB to read."""

    left, calls = 4 << 20, 0

    def recv(self, size: int) -> bytes:
        if not self.left:
            raise BlockingIOError
        self.calls += 1
        data = bytes(min(size, self.left))
        self.left -= len(data)
        return data


sock = Socket()
KafkaTCPTransport(None, sock)._sock_recv()
print("calls of recv for 4 MiB:", sock.calls)
assert sock.calls <= 128, "recv(4096) costs a consumer a tenth of its time; 64 KiB is the usual size of a read"
