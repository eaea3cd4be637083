"""kafka-python 3.0.12: a consumer thrown out of its group claims the partitions that it has given up.

Usage: claim_after_expulsion.py BROKER TOPIC
"""

import sys
from typing import Any

from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

broker, topic = sys.argv[1:]
consumer = KafkaConsumer(
    bootstrap_servers=broker,
    group_id=f"claim-{topic}",
    partition_assignment_strategy=[CooperativeStickyAssignor],
)
consumer.subscribe([topic])
while not consumer.assignment():
    consumer.poll(timeout_ms=100)
coordinator = consumer._coordinator
coordinator.reset_generation()  # What it does when the group's coordinator does not know it any more.
ask = coordinator.group_protocols
claims: list[Any] = []


def listen() -> Any:
    claims.append(ask())
    return claims[-1]


coordinator.group_protocols = listen
while not claims:
    consumer.poll(timeout_ms=100)
owned = [part.partitions for _, metadata in claims[0] for part in metadata.owned_partitions]
print("claimed:", owned, "assigned:", consumer.assignment())
assert owned == [], "the leader holds back a partition until the claimant gives it up, which was long ago"
