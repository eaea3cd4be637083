"""kafka-python 3.0.12: while a broker takes no request, a producer's thread asks itself over and over."""

import time
from types import SimpleNamespace

from kafka.net.compat import KafkaNetClient
from kafka.producer.sender import Sender

client = KafkaNetClient(bootstrap_servers="127.0.0.1:1")
# Has as many requests as it may have, and has answered none yet. One that is being connected to has the same effect.
client._manager._conns[1] = SimpleNamespace(connected=True, paused={"max_in_flight"})
accumulator = SimpleNamespace(
    ready=lambda *_, **__: ({1}, 9999.0, False),
    drain=lambda *_, **__: {},
    reset_next_batch_expiry_time=lambda: None,
    expired_batches=lambda **__: [],
    next_expiry_time_ms=float("inf"),
)
sender = Sender(client, None, accumulator)
times, end = 0, time.monotonic() + 0.5
while time.monotonic() < end:
    sender.run_once()
    times += 1
print("asked", times, "times in half a second")
assert times < 50, "the thread does not wait"
