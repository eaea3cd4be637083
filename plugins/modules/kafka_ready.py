#!/usr/bin/python
"""Ansible module: proves a Kafka broker ready by the round trip of a record."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stock_market.streaming.plugins.module_utils import tls
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import (
    READINESS_TOPIC,
    Connection,
    KafkaError,
    Metadata,
    Security,
)
from ansible_collections.stock_market.streaming.plugins.module_utils.service_wait import NotReadyError, wait_or_fail

DOCUMENTATION = r"""
module: kafka_ready
short_description: Wait until a Kafka broker takes a record and gives it back
description:
  - Writes one record to a small topic of the broker's own (C(__readiness-<broker id>), one replica), acknowledged by
    the broker, and reads it back. An open port proves nothing; this does.
  - Creates the topic, and deletes it at the end. If it stayed, it would be offline whenever the broker is down, and
    Kafka 4 counts an unclean election when a broker that was killed leads its only replica again. If Kafka does not
    delete it, it stays, and the next time it is used.
  - A topic that has no leader for ten seconds, although the broker is there, is created again. With KRaft that
    happens to a broker that has lost its disk, for minutes.
  - Runs on the broker's host and needs no Kafka client there.
  - With C(security_protocol=SASL_SSL) the record goes through TLS, with the broker's certificate and the address in it
    checked, and the user logs in by SCRAM-SHA-512. The user has to be allowed to create and delete the topic,
    and to write and read it.
  - In check mode it only asks the broker for its metadata, and writes nothing.
options:
  host: {description: Address of the listener., type: str, required: true}
  port: {description: Port of the listener., type: int, required: true}
  broker_id: {description: The broker that must answer., type: int, required: true}
  timeout: {description: "How long to wait, in seconds.", type: int, default: 120}
extends_documentation_fragment: [stock_market.streaming.kafka.login]
author: Stock market streaming
"""

EXAMPLES = r"""
- name: Wait for a record's round trip
  stock_market.streaming.kafka_ready:
    host: 10.0.1.5
    port: 9093
    broker_id: 1
    security_protocol: SASL_SSL
    ca_file: /etc/kafka/ca.pem
    sasl_username: broker
    sasl_password: "{{ broker_password }}"
"""

RETURN = r"""
seconds: {description: How long it took., type: float, returned: always}
"""

REQUEST_SECONDS = 10.0
REQUEST_MS = 5000  # within which a broker ends a request, before its client gives up
# If it stays, its records do not. One replica is all there is, so it must suffice, whatever the brokers' default.
TOPIC_CONFIGURATION = {
    "cleanup.policy": "delete",
    "min.insync.replicas": "1",
    "retention.ms": "3600000",
    "segment.bytes": "1048576",
    "segment.ms": "3600000",
}


def round_trip(host: str, port: int, broker_id: int, *, write: bool, security: Security | None = None) -> None:
    """Do it once.

    Raises:
        NotReadyError: something is missing still; the message says what.
    """
    topic = f"{READINESS_TOPIC}{broker_id}"
    with Connection(host, port, REQUEST_SECONDS, security) as broker:
        metadata = broker.metadata(topic)
        if broker_id not in metadata.brokers:
            raise NotReadyError(
                f"broker {broker_id} has not joined the cluster; its members are {sorted(metadata.brokers)}"
            )
        if not write:
            return
        if metadata.controller not in metadata.brokers:
            raise NotReadyError("the cluster has no controller")
        with Connection(*metadata.brokers[metadata.controller], REQUEST_SECONDS, security) as controller:
            if metadata.leader < 0:
                metadata = _create(topic, broker_id, broker, controller)
            if metadata.leader != broker_id:
                raise NotReadyError(f"the topic {topic} is led by {metadata.leader}, not by broker {broker_id}")
            value = uuid.uuid4().bytes
            offset = broker.produce(topic, value, time.time_ns() // 1_000_000, REQUEST_MS)
            if broker.fetch(topic, offset, REQUEST_MS) != value:
                raise NotReadyError(f"the record written to {topic} at offset {offset} did not come back")
            with suppress(KafkaError):  # Kafka may be told to delete nothing, and the broker is ready.
                controller.delete_topic(topic, REQUEST_MS)


def _create(topic: str, broker_id: int, broker: Connection, controller: Connection) -> Metadata:
    created, deadline = False, time.monotonic() + REQUEST_SECONDS
    while True:
        # With ZooKeeper a topic that is being deleted is there for a moment longer.
        created = created or controller.create_topic(topic, broker_id, TOPIC_CONFIGURATION, REQUEST_MS)
        metadata = broker.metadata(topic)
        if metadata.leader >= 0:
            return metadata
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if not created:
        # Where the broker has lost its disk, KRaft may elect no leader on the new one for minutes.
        controller.delete_topic(topic, REQUEST_MS)
        raise NotReadyError(f"the topic {topic} had no leader, and was deleted to be created again")
    return metadata


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "broker_id": {"type": "int", "required": True},
            "security_protocol": {"type": "str", "choices": ["PLAINTEXT", "SASL_SSL"], "default": "PLAINTEXT"},
            "ca_file": {"type": "path"},
            "sasl_username": {"type": "str"},
            "sasl_password": {"type": "str", "no_log": True},
            "timeout": {"type": "int", "default": 120},
        },
        required_if=[("security_protocol", "SASL_SSL", ("ca_file", "sasl_username", "sasl_password"))],
        supports_check_mode=True,
    )
    options = module.params
    security = None
    if options["security_protocol"] == "SASL_SSL":
        security = Security(options["ca_file"], options["sasl_username"], options["sasl_password"])
        try:
            tls.client_context(security.ca_file)
        except OSError as error:
            module.fail_json(msg=f"The CA's certificates in {security.ca_file} can't be used: {error}.")

    def attempt() -> None:
        try:
            round_trip(
                options["host"], options["port"], options["broker_id"], write=not module.check_mode, security=security
            )
        except KafkaError as error:
            raise NotReadyError(str(error)) from error

    began = time.monotonic()
    failure = f"Broker {options['broker_id']} gave no record back through {options['host']}:{options['port']}"
    wait_or_fail(module, attempt, failure, "kafka.service")
    module.exit_json(changed=False, seconds=round(time.monotonic() - began, 3))


if __name__ == "__main__":
    main()
