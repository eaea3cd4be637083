"""What a migration has to keep, read from the cluster item by item: users, rights, offsets, settings, quotas."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_dynamic, kafka_state
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_cluster import ask
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, NoError
from kafka.protocol.admin import AlterClientQuotasRequest, DescribeClientQuotasRequest
from kafka.structs import OffsetAndMetadata
from tests.support.day.running import eventually, login

GROUP, RATE = "kept", "follower.replication.throttled.rate"
QUOTAS: dict[tuple[tuple[str, str | None], ...], dict[str, float]] = {
    (("user", "kept"),): {"producer_byte_rate": 1e6},
    (("client-id", "kept"), ("user", "kept")): {"consumer_byte_rate": 2e6, "request_percentage": 50.0},
    (("user", None),): {"producer_byte_rate": 1e9},
}
RIGHTS = [
    {"operation": "READ", "resource_type": "TOPIC", "resource_name": "kept-", "pattern": "PREFIXED", "host": "*"},
    {"operation": "ALL", "resource_type": "GROUP", "resource_name": "*", "pattern": "LITERAL", "host": "192.0.2.7"},
]


def prepare() -> None:
    """Makes what the bundle itself does not have: quotas, rights with a host or a prefix, a broker's own property."""
    with KafkaAdminClient(**login()) as admin:
        entry = AlterClientQuotasRequest.EntryData
        entries = [
            entry(
                entity=[entry.EntityData(entity_type=kind, entity_name=name) for kind, name in who],
                ops=[entry.OpData(key=key, value=value, remove=False) for key, value in limits.items()],
            )
            for who, limits in QUOTAS.items()
        ]
        made = ask(admin, AlterClientQuotasRequest(entries=entries, validate_only=False))
        assert not any(each["error_code"] for each in made["entries"]), made
        allowed = [each | {"principal": "User:kept", "permission": "DENY"} for each in RIGHTS]
        admin.create_acls([kafka_state.acl_of(each) for each in allowed])
        admin.alter_configs(
            [ConfigResource(ConfigResourceType.BROKER, "2", {RATE: ("SET", "900000000")})], raise_on_unknown=False
        )
        # In KRaft the broker hears of it from the controllers.
        eventually(lambda: RATE in kafka_dynamic.properties(admin, 2, [RATE]), 30, "broker 2 has its own property")
        offsets = {TopicPartition("stock-quotes", number): OffsetAndMetadata(7 + number, "", -1) for number in (0, 1)}

        def committed() -> bool:
            with suppress(KafkaError):
                return set(admin.alter_group_offsets(GROUP, offsets).values()) == {NoError}
            return False

        eventually(committed, 30, "offsets are committed")


def quotas(admin: Any) -> dict[tuple[tuple[str, str | None], ...], dict[str, float]]:
    """Every quota, by what it is for."""
    answer = ask(admin, DescribeClientQuotasRequest(components=[], strict=False))
    assert not answer["error_code"], answer
    return {
        tuple(sorted((each["entity_type"], each["entity_name"]) for each in entry["entity"])): {
            each["key"]: each["value"] for each in entry["values"]
        }
        for entry in answer["entries"] or []
    }


def kept() -> dict[str, Any]:
    """All of it; of the groups only the one that nobody moves."""
    with KafkaAdminClient(**login()) as admin:
        found = kafka_state.read_snapshot(admin)
        own = kafka_dynamic.properties(admin, 2, [RATE])[RATE]
        return found | {
            "groups": found["groups"][GROUP],
            "for all brokers": kafka_dynamic.declared(admin),
            "broker 2": (own.value, own.of_broker),
            "quotas": quotas(admin),
        }


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What is another now, by the name of the item: before and after."""
    return {name: (value, after[name]) for name, value in before.items() if value != after[name]}
