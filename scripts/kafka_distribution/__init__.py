"""Builds Kafka's distribution for the local cloud from pinned Maven Central artifacts."""
