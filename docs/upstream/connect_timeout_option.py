"""kafka-python 3.0.12: the time limit for a TCP connection is an option of no client."""

from kafka import KafkaConsumer, KafkaProducer

OPTION = "socket_connection_setup_timeout_ms"
print({kind.__name__: OPTION in kind.DEFAULT_CONFIG for kind in (KafkaConsumer, KafkaProducer)})
assert OPTION in KafkaConsumer.DEFAULT_CONFIG, "10 s for a host that is cut off, and nobody can say less"
