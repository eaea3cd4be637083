"""The consumer service: from Kafka to S3."""
