"""What is asked of the brokers beside a consumer's own requests goes out by the client's own thread."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.net.connection import KafkaConnection
from tests.support.stock_market.services import Workbench, quote

from stock_market.chain.partition import LastRecord
from stock_market.consumer.log_bounds import LogBounds


def test_where_a_log_was_cut_is_asked_by_the_clients_own_thread(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads that write to one connection take each other's bytes: `ValueError: Cant write empty data`."""
    workbench.create_topic(partitions=1)
    workbench.send([quote(number) for number in range(5)])
    consumer = KafkaConsumer(bootstrap_servers=workbench.broker.address, group_id=None)
    where = TopicPartition(workbench.topic, 0)
    consumer.assign([where])
    assert consumer.end_offsets([where]) == {where: 5}
    senders: set[threading.Thread] = set()
    send_request = KafkaConnection.send_request

    def noted(connection: KafkaConnection, *arguments: Any, **options: Any) -> Any:
        senders.add(threading.current_thread())
        return send_request(connection, *arguments, **options)

    monkeypatch.setattr(KafkaConnection, "send_request", noted)
    last = LastRecord(leader_epoch=0, offset=4, timestamp=int(time.time() * 1000))
    bounds = LogBounds(consumer, workbench.topic, lambda: consumer)
    assert bounds.cut(0, last) is None
    assert bounds.ends([where]) == {where: 5}
    assert senders
    assert threading.current_thread() not in senders
    consumer.close()
