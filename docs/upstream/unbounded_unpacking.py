"""kafka-python 3.0.12: a fetched batch takes as much memory as its compression allows, a thousand times its size."""

import tracemalloc

from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

builder = MemoryRecordsBuilder(2, 1, 1 << 30)  # Format 2, gzip.
builder.append(0, None, bytes(256 << 20), [])
builder.close()
data = bytes(builder.buffer())
tracemalloc.start()
for batch in iter(MemoryRecords(data).next_batch, None):
    size = sum(len(record.value) for record in batch)
peak = tracemalloc.get_traced_memory()[1]
print(f"{len(data)} bytes fetched, {size} unpacked, {peak} at the peak")
assert peak < 64 << 20, "one batch that the broker accepts can end a consumer, and no option bounds it"
