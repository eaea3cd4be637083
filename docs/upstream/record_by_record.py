"""kafka-python 3.0.12: records are written and read one by one, in Python; a client has no way to whole batches."""

import time

from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

COUNT, VALUE = 100_000, b'{"symbol":"AAA","close":1.5}'
began = time.perf_counter()
builder = MemoryRecordsBuilder(2, 0, 1 << 30)
for _ in range(COUNT):
    builder.append(0, b"AAA", VALUE, [])
builder.close()
written = time.perf_counter()
batch = MemoryRecords(bytes(builder.buffer())).next_batch()
size = sum(len(record.value) for record in batch)
read = time.perf_counter()
rates = {"write": COUNT / (written - began), "read": COUNT / (read - written)}
print("records in a second:", {name: round(rate) for name, rate in rates.items()})
assert min(rates.values()) > 1e6, "Python makes an object of each record, and a program cannot take the whole batch"
