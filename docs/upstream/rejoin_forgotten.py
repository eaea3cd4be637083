"""kafka-python 3.0.12: a round of joining that has begun is forgotten when the topics' partitions are back in time.

Usage: rejoin_forgotten.py BROKER TOPIC
"""

import sys
import time

from kafka import KafkaConsumer
from kafka.structs import MemberState

broker, topic = sys.argv[1:]
consumer = KafkaConsumer(bootstrap_servers=broker, group_id=f"round-{topic}", session_timeout_ms=6000)
consumer.subscribe([topic])
while not consumer.assignment():
    consumer.poll(timeout_ms=100)
coordinator = consumer._coordinator
# A broker that starts does not know the topics for a moment.
coordinator._metadata_snapshot = {topic: set()}
while consumer.group_metadata().state == MemberState.STABLE:
    consumer.poll(timeout_ms=0)
coordinator._metadata_snapshot = coordinator._assignment_snapshot
end = time.monotonic() + 5
while time.monotonic() < end and consumer.group_metadata().state != MemberState.STABLE:
    consumer.poll(timeout_ms=100)
print("state five seconds later:", consumer.group_metadata().state)
assert consumer.group_metadata().state == MemberState.STABLE, "no heartbeat and no commit is sent any more"
