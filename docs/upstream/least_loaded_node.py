"""kafka-python 3.0.12: metadata is asked of a broker that has not answered yet, while others would answer at once."""

from types import SimpleNamespace

from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

manager = KafkaConnectionManager(NetworkSelector(), bootstrap_servers="127.0.0.1:1")
brokers = [
    SimpleNamespace(node_id=1, connected=True, paused=False, in_flight_requests=[None, None]),
    SimpleNamespace(node_id=2, connected=False, paused=False, in_flight_requests=[]),  # Is being connected to.
]
manager.cluster.brokers = lambda: brokers
manager._conns = {broker.node_id: broker for broker in brokers}
found = manager.least_loaded_node()
print("asked:", found)
assert found == 1, "a broker that may be cut off is asked who leads, until the connection's time limit"
