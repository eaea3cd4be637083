"""The consumer of the hand-made tutorials: json.loads on each message, json.dumps into an object of its own."""

from __future__ import annotations

import json
import sys

import boto3
from kafka import KafkaConsumer


def main(address: str, topic: str, records: str, bucket: str, prefix: str) -> None:
    """Reads so many records from the topic's beginning and stores each."""
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=[address],
        auto_offset_reset="earliest",
        value_deserializer=lambda value: json.loads(value.decode("utf-8")),
    )
    client = boto3.client("s3")
    print("reading", flush=True)
    for number, message in zip(range(int(records)), consumer, strict=False):
        client.put_object(Bucket=bucket, Key=f"{prefix}stock_market_{number}.json", Body=json.dumps(message.value))
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
