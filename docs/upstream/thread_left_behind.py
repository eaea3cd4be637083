"""kafka-python 3.0.12: a consumer that finds no broker when it is made leaves its thread and three files open."""

import threading
from pathlib import Path

from kafka import KafkaConsumer
from kafka.errors import KafkaError

for _ in range(3):
    try:
        KafkaConsumer(bootstrap_servers="127.0.0.1:1", bootstrap_timeout_ms=300)
    except KafkaError as error:
        print(repr(error))
print(threading.active_count(), "threads,", len(list(Path("/proc/self/fd").iterdir())), "files")
assert threading.active_count() == 1, "each attempt leaves a thread"
