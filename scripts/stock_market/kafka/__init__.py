"""Kafka's client: connections, record batches and blocks of records, on top of kafka-python."""
