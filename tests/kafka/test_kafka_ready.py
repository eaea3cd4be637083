"""Promises of the readiness probe: it speaks the protocol as others do, and passes only after a record's round trip."""

from __future__ import annotations

import importlib
import socket
import struct
import zlib
from contextlib import closing
from dataclasses import replace
from typing import Any

import crc32c
import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_encoding, kafka_wire
from ansible_collections.stock_market.streaming.plugins.module_utils.service_wait import wait_until
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from tests.support.stock_market.broker import Broker, free_port


@pytest.fixture
def probe() -> Any:
    return importlib.import_module("plugins.modules.kafka_ready")


@pytest.mark.parametrize("data", [b"", b"123456789", bytes(range(256)) * 3])
def test_the_checksum_is_crc_32c(data: bytes) -> None:
    assert kafka_encoding.crc32c(data) == crc32c.crc32c(data)
    assert not data or kafka_encoding.crc32c(data) != zlib.crc32(data)


@pytest.mark.parametrize("number", [0, -1, 1, 63, 64, -64, -65, 300, 2**31 - 1, -(2**31)])
def test_a_varint_reads_back(number: int) -> None:
    assert kafka_wire.Reader(kafka_encoding.varint(number)).varint() == number


def test_a_value_is_found_by_its_offset_among_batches() -> None:
    def at(offset: int, value: bytes) -> bytes:
        return struct.pack(">q", offset) + kafka_wire.encode_batch(value, 1_700_000_000_000)[8:]

    records = at(7, b"seven") + at(8, b"") + at(9, b"nine")
    assert kafka_wire.decode_value(records, 9) == b"nine"
    assert kafka_wire.decode_value(records, 8) == b""
    assert kafka_wire.decode_value(records, 10) is None
    assert kafka_wire.decode_value(records[:30], 7) is None


def test_an_answer_that_ends_too_early_is_an_error() -> None:
    with pytest.raises(kafka_wire.KafkaError, match="ends too early"):
        kafka_wire.Reader(b"\x00\x05ab").string()


def test_a_record_goes_round_and_others_can_read_it(kafka: Broker, probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.Connection, "delete_topic", lambda *_: None)
    probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    partition = TopicPartition("__readiness-1", 0)
    with closing(KafkaConsumer(bootstrap_servers=kafka.address, check_crcs=True)) as consumer:
        consumer.assign([partition])
        consumer.seek_to_beginning()
        (seen,) = (record for records in consumer.poll(timeout_ms=60_000).values() for record in records)
    assert len(seen.value) == 16


def topics(kafka: Broker) -> set[str]:
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        return set(admin.list_topics())


def test_its_topic_is_gone_afterwards(kafka: Broker, probe: Any) -> None:
    """It would be offline whenever the broker is down, and Kafka 4 would count an unclean election after a kill."""
    for _ in range(3):
        probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
        assert "__readiness-1" not in topics(kafka)


def test_a_broker_is_ready_where_kafka_deletes_no_topics(
    kafka: Broker, probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise kafka_wire.KafkaError("deleting the topic __readiness-1 gave error 73")

    with monkeypatch.context() as patch:
        patch.setattr(probe.Connection, "delete_topic", refused)
        for _ in range(2):
            probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    assert "__readiness-1" not in topics(kafka)


def test_a_topic_that_has_no_leader_is_created_again(
    kafka: Broker, probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, delete = probe.Connection.metadata, probe.Connection.delete_topic
    deleted: list[str] = []

    def metadata(self: Any, topic: str) -> Any:
        return known(self, topic) if deleted else replace(known(self, topic), leader=-1)

    def delete_topic(self: Any, topic: str, timeout_ms: int) -> None:
        delete(self, topic, timeout_ms)
        deleted.append(topic)

    with monkeypatch.context() as patch:
        patch.setattr(probe.Connection, "delete_topic", lambda *_: None)
        probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    monkeypatch.setattr(probe.Connection, "metadata", metadata)
    monkeypatch.setattr(probe.Connection, "delete_topic", delete_topic)
    with pytest.raises(probe.NotReadyError, match="had no leader"):
        probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    assert deleted == ["__readiness-1"]
    wait_until(lambda: probe.round_trip("127.0.0.1", kafka.port, 1, write=True), 90)


def test_check_mode_writes_nothing(kafka: Broker, probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.Connection, "create_topic", None)
    monkeypatch.setattr(probe.Connection, "produce", None)
    monkeypatch.setattr(probe.Connection, "delete_topic", None)
    probe.round_trip("127.0.0.1", kafka.port, 1, write=False)


def test_another_brokers_answer_is_not_enough(kafka: Broker, probe: Any) -> None:
    with pytest.raises(probe.NotReadyError, match="broker 2 has not joined the cluster; its members are \\[1\\]"):
        probe.round_trip("127.0.0.1", kafka.port, 2, write=True)


def test_an_open_port_is_not_enough(probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "REQUEST_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", free_port())) as silent, pytest.raises(OSError, match="timed out"):
        probe.round_trip(*silent.getsockname(), 1, write=True)
