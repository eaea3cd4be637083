"""Promises of the readiness probe: it speaks the protocol as others do, and passes only after a record's round trip."""

from __future__ import annotations

import importlib
import socket
import struct
import zlib
from dataclasses import replace
from typing import Any

import crc32c
import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_encoding, kafka_wire
from ansible_collections.stock_market.streaming.plugins.module_utils.service_wait import wait_until
from kafka import KafkaConsumer, TopicPartition
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


def test_a_record_goes_round_and_others_can_read_it(kafka: Broker, probe: Any) -> None:
    created, first = probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    again, second = probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    assert (created, again) == (True, False)
    assert second == first + 1
    consumer = KafkaConsumer(bootstrap_servers=kafka.address, check_crcs=True)
    partition = TopicPartition("__readiness-1", 0)
    consumer.assign([partition])
    consumer.seek(partition, first)
    seen = [record for records in consumer.poll(timeout_ms=60_000).values() for record in records]
    consumer.close()
    assert [record.offset for record in seen][:1] == [first]
    assert len(seen[0].value) == 16


def test_a_topic_that_has_no_leader_is_created_again(
    kafka: Broker, probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    known, delete = probe.Connection.metadata, probe.Connection.delete_topic
    deleted: list[str] = []

    def metadata(self: Any, topic: str) -> Any:
        return known(self, topic) if deleted else replace(known(self, topic), leader=-1)

    def delete_topic(self: Any, topic: str, timeout_ms: int) -> None:
        delete(self, topic, timeout_ms)
        deleted.append(topic)

    monkeypatch.setattr(probe.Connection, "metadata", metadata)
    monkeypatch.setattr(probe.Connection, "delete_topic", delete_topic)
    with pytest.raises(probe.NotReadyError, match="had no leader"):
        probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    assert deleted == ["__readiness-1"]
    assert wait_until(lambda: probe.round_trip("127.0.0.1", kafka.port, 1, write=True), 90)[1] == 0


def test_check_mode_writes_nothing(kafka: Broker, probe: Any) -> None:
    _, before = probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    assert probe.round_trip("127.0.0.1", kafka.port, 1, write=False) == (False, None)
    _, after = probe.round_trip("127.0.0.1", kafka.port, 1, write=True)
    assert after == before + 1


def test_another_brokers_answer_is_not_enough(kafka: Broker, probe: Any) -> None:
    with pytest.raises(probe.NotReadyError, match="broker 2 has not joined the cluster; its members are \\[1\\]"):
        probe.round_trip("127.0.0.1", kafka.port, 2, write=True)


def test_an_open_port_is_not_enough(probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "REQUEST_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", free_port())) as silent, pytest.raises(OSError, match="timed out"):
        probe.round_trip(*silent.getsockname(), 1, write=True)
