"""kafka-python 3.0.12: a partition that is paused while `poll` has handed out a part of it is never read again.

Usage: paused_partition.py BROKER TOPIC, where TOPIC has two partitions of 3000 records each.
"""

import sys

from kafka import KafkaConsumer, TopicPartition

broker, topic = sys.argv[1:]
consumer = KafkaConsumer(bootstrap_servers=broker, group_id=None, auto_offset_reset="earliest")
consumer.assign([TopicPartition(topic, partition) for partition in (0, 1)])
found: dict[TopicPartition, list[object]] = {}
while not found:
    found = consumer.poll(timeout_ms=200, max_records=100)
(partition,) = found
consumer.pause(partition)
for _ in range(20):
    consumer.poll(timeout_ms=200)  # The other partition, to its end.
consumer.resume(partition)
rest = sum(len(consumer.poll(timeout_ms=200).get(partition, [])) for _ in range(20))
print("records after resume:", rest)
assert rest == 2900, "the parked records are only taken up while _next_partition_records is None"
