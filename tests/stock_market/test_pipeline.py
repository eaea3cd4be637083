"""From a producer through a real broker to S3: what must hold whatever happens on the way."""

from __future__ import annotations

from tests.stock_market.services import Workbench, eventually


def test_every_record_of_a_producer_is_in_the_bucket_once(workbench: Workbench) -> None:
    workbench.create_topic(partitions=3)
    consumer = workbench.consumer()
    producer = workbench.producer(rate=5000)
    eventually(lambda: len(workbench.bucket.keys()) >= 6, "two objects a partition")
    assert producer.finish() == 0
    eventually(lambda: sum(workbench.bucket.check_chain().values()) == len(workbench.records_in_topic()), "the rest")
    assert consumer.finish() == 0
    assert workbench.bucket.check_exactly_once() == len(workbench.records_in_topic())
