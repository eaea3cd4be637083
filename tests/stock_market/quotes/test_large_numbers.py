"""Numbers that a stream reaches after years: past 2^31 in Kafka's numbering, in offsets, in sequences and volumes."""

from __future__ import annotations

import json
import secrets
from functools import partial
from typing import Any

from kafka import TopicPartition
from tests.stock_market.producer.test_publisher import WRITERS, complete_and_in_order, numbered, publisher
from tests.support.stock_market.services import Workbench, eventually, quote

from stock_market.producer.publisher import Publisher
from stock_market.producer.source import SimulatedSource
from stock_market.settings import ProducerKafka, ProducerSettings, Simulation

_WRAP = 2**31
_FAR = 3_000_000_000


@WRITERS
def test_kafkas_numbering_of_a_producer_continues_with_0_after_its_31_bits(workbench: Workbench, writer: str) -> None:
    workbench.create_topic(partitions=2)
    sender = publisher(workbench, writer)
    manager = sender._producer._transaction_manager  # type: ignore[union-attr]  # the publisher is open
    places = [TopicPartition(workbench.topic, number) for number in range(2)]
    for place in places:
        manager.set_sequence_number(place, _WRAP - 120)
    for first in range(0, 600, 50):
        sender.send(numbered(first, first + 50))
        eventually(partial(_settled, sender), "the records are acknowledged")
    assert sender.recoveries == 0
    records = workbench.records_in_topic()
    complete_and_in_order(records, 600)
    numbers = [manager.sequence_number(place) for place in places]
    assert sum(numbers) == 600 - 2 * 120
    assert max(numbers) < 600
    assert sender.close() == 0


def test_a_log_that_begins_beyond_2_to_the_31_is_stored_under_its_own_offsets(workbench: Workbench) -> None:
    workbench.create_topic()
    _move_log(workbench, _FAR)
    workbench.send([quote(number) for number in range(3000)])
    consumer = workbench.consumer(records=1000)
    eventually(lambda: workbench.bucket.check_chain().get(0) == _FAR + 3000, "the records in the bucket")
    assert consumer.finish() == 0
    first, *others = workbench.bucket.objects()
    # The chain begins at 0; what Kafka never had, or has no more, is told.
    assert (first.start, first.metadata["gap-end-offset"]) == (0, str(_FAR))
    assert others[0].key.rpartition("+")[2] == f"{first.end:020d}.json.gz"
    assert first.end > _FAR
    assert workbench.bucket.check_exactly_once(3000) == 3000
    assert workbench.committed() == _FAR + 3000
    workbench.reader = "records"
    again = workbench.consumer()
    workbench.send([quote(number) for number in range(3000, 3010)])
    eventually(lambda: workbench.bucket.check_chain().get(0) == _FAR + 3010, "what followed a new start")
    assert again.finish() == 0


def _settled(sender: Publisher) -> bool:
    sender.settle()
    return not sender.in_flight_records


def _move_log(bench: Workbench, offset: int) -> None:
    """Lets the topic's empty log begin at an offset, as if retention had removed what was before."""
    folder = bench.broker.folder / "data" / f"{bench.topic}-0"
    bench.broker.kill()
    for file in folder.glob("00000000000000000000.*"):
        if file.suffix == ".log":
            file.rename(file.with_name(f"{offset:020d}.log"))
        else:
            file.unlink()
    bench.broker.start()


def test_sequences_and_volumes_pass_2_to_the_31_digit_by_digit() -> None:
    settings = ProducerSettings(
        kafka=ProducerKafka(bootstrap_servers=["127.0.0.1:9"], topic="t"),
        simulate=Simulation(symbols=40, interval_seconds=86_400.0),  # a day's volumes
    )
    source = SimulatedSource(settings, secrets.token_hex(8))
    source.produced = _WRAP - 100
    found: list[dict[str, Any]] = []
    while len(found) < 4000:
        for records in source.take(500, 3):
            found += [json.loads(value) for _, value in records.split()]
    assert sorted(each["sequence"] for each in found) == list(range(_WRAP - 100, _WRAP - 100 + len(found)))
    assert max(each["volume"] for each in found) > _WRAP
