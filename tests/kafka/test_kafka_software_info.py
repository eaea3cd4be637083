"""Promises of the module kafka_software_info."""

from __future__ import annotations

import pytest
from plugins.modules.kafka_software_info import protocol_in, version_in

UNIT = """[Unit]
Description=Apache Kafka broker 1
Documentation=https://kafka.apache.org/39/documentation.html
[Service]
ExecStart=/opt/kafka_2.13-3.8.1/bin/kafka-server-start.sh /etc/kafka/server.properties
"""
# Official scripts name each archive, ours the directory of all.
OFFICIAL = "java\0-Xmx256m\0-cp\0/opt/kafka_2.13-3.9.2/bin/../libs/a.jar:/opt/kafka_2.13-3.9.2/bin/../libs/b.jar"
OURS = "java\0-Dkafka.logs.dir=/var/log/kafka\0-cp\0/opt/kafka_2.13-3.10.0/libs/*\0kafka.Kafka\0/etc/server.properties"


@pytest.mark.parametrize(
    ("text", "version"), [(UNIT, "3.8.1"), (OFFICIAL, "3.9.2"), (OURS, "3.10.0"), ("", ""), ("/opt/kafka/bin", "")]
)
def test_the_version_is_that_of_the_directory(text: str, version: str) -> None:
    assert version_in(text) == version


@pytest.mark.parametrize(
    ("properties", "protocol"),
    [
        ("broker.id=1\n", "3.9"),
        ("broker.id=1\ninter.broker.protocol.version=3.8\nlog.dirs=/x\n", "3.8"),
        ("inter.broker.protocol.version = 3.8-IV0\n", "3.8"),
        ("inter.broker.protocol.version=3.7\ninter.broker.protocol.version=3.8\n", "3.8"),
        ("#inter.broker.protocol.version=3.7\n", "3.9"),
    ],
)
def test_the_protocol_is_what_is_named_else_the_versions_own(properties: str, protocol: str) -> None:
    assert protocol_in(properties, "3.9.2") == protocol
