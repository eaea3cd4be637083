"""kafka-python 3.0.12: a consumer never gets past a batch that it cannot unpack, nor learns its offsets."""

import struct

from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.record.util import calc_crc32c

builder = MemoryRecordsBuilder(2, 0, 1 << 20)
builder.append(0, None, b"value", [])
builder.close()
data = builder.buffer()
data[61:] = b"x" * len(data[61:])  # As a faulty producer would pack it: the checksum holds.
struct.pack_into(">h", data, 21, 1)  # gzip
struct.pack_into(">I", data, 17, calc_crc32c(memoryview(data)[21:]))
batch = MemoryRecords(bytes(data)).next_batch()
assert batch.validate_crc()
found: object
try:
    found = list(batch)
except Exception as error:
    found = error
print("instead of records:", repr(found))
offset = getattr(found, "offset", None)
assert offset is not None, "the error does not say which offsets to skip"
