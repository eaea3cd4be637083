"""The state of a Kafka cluster that a backup keeps, as plain data: topics, ACLs, users, committed offsets."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import RefusedError
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import READINESS_TOPIC

with contextlib.suppress(ImportError):
    from kafka.admin import (
        ACL,
        ACLFilter,
        ACLOperation,
        ACLPermissionType,
        ACLResourcePatternType,
        ConfigResource,
        ConfigResourceType,
        ResourcePattern,
        ResourcePatternFilter,
        ResourceType,
    )
    from kafka.errors import SecurityDisabledError, UnsupportedVersionError

ACL_FIELDS = ("principal", "host", "operation", "permission", "resource_type", "resource_name", "pattern")
INTERNAL = ("__consumer_offsets", "__transaction_state")


def is_internal(topic: str) -> bool:
    """Whether a topic is made by Kafka or the bundle where it is needed, and is in no backup."""
    return topic in INTERNAL or topic.startswith(READINESS_TOPIC)


def read_topics(admin: Any, names: list[str]) -> dict[str, dict[str, Any]]:
    """Each topic's `partitions`, `replication_factor` and own `config`; a name without a topic is left out."""
    described = [topic for topic in admin.describe_topics(names) if not topic["error_code"]] if names else []
    configs = read_configs(admin, [topic["name"] for topic in described])
    return {
        topic["name"]: {
            "partitions": len(topic["partitions"]),
            "replication_factor": len(topic["partitions"][0]["replica_nodes"]),
            "config": configs[topic["name"]],
        }
        for topic in described
    }


def read_configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """What each topic has of its own, beside the brokers' defaults."""
    if not names:
        return {}
    found = admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name) for name in names], config_filter="all"
    )["topic"]
    return {
        name: {
            key: str(told["value"])
            for key, told in sorted(found[name].items())
            if told["config_source"] == "DYNAMIC_TOPIC_CONFIG" and told["value"] is not None
        }
        for name in names
    }


def read_acls(admin: Any) -> list[dict[str, str]] | None:
    """All bindings, sorted; None where the brokers have no authorizer."""
    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    try:
        found = admin.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything))[0]
    except SecurityDisabledError:
        return None
    plain = [
        {
            "principal": acl.principal,
            "host": acl.host,
            "operation": acl.operation.name,
            "permission": acl.permission_type.name,
            "resource_type": acl.resource_pattern.resource_type.name,
            "resource_name": acl.resource_pattern.resource_name,
            "pattern": acl.resource_pattern.pattern_type.name,
        }
        for acl in found
    ]
    return sorted(plain, key=lambda acl: tuple(acl[field] for field in ACL_FIELDS))


def acl_of(plain: Mapping[str, str]) -> Any:
    """Return kafka-python's binding of a plain one.

    Raises:
        RefusedError: it is none.
    """
    try:
        resource = ResourcePattern(
            ResourceType[plain["resource_type"]], plain["resource_name"], ACLResourcePatternType[plain["pattern"]]
        )
        return ACL(
            plain["principal"],
            plain["host"],
            ACLOperation[plain["operation"]],
            ACLPermissionType[plain["permission"]],
            resource,
        )
    except (KeyError, ValueError) as error:
        raise RefusedError(f"The backup has an ACL that Kafka does not know: {dict(plain)}.") from error


def acl_words(plain: Mapping[str, str]) -> str:
    """Return a binding as a person writes it."""
    name = plain["resource_name"] + ("*" if plain["pattern"] == "PREFIXED" else "")
    host = "" if plain["host"] == "*" else f" from {plain['host']}"
    kind = f"{plain['permission']} {plain['operation']} on {plain['resource_type']}".lower()
    return f"{plain['principal']}: {kind} {name}{host}"


def read_users(admin: Any) -> dict[str, list[dict[str, Any]]]:
    """Each user's mechanisms and their iterations; there is no password to be read."""
    try:
        found = admin.describe_user_scram_credentials()
    except UnsupportedVersionError:
        return {}
    return {
        name: [
            {"mechanism": info["mechanism"].name.replace("_", "-"), "iterations": int(info["iterations"])}
            for info in told["credential_infos"]
        ]
        for name, told in sorted(found.items())
        if told["credential_infos"]
    }


def read_offsets(admin: Any, groups: list[str]) -> dict[str, list[dict[str, Any]]]:
    """What each group has committed, in order of topic and partition."""
    if not groups:
        return {}
    found = admin.list_group_offsets(groups)
    return {
        name: [
            {"topic": partition.topic, "partition": partition.partition, "offset": told.offset}
            for partition, told in sorted(found[name].items())
            if told.offset >= 0 and not is_internal(partition.topic)
        ]
        for name in groups
    }


def read_snapshot(admin: Any) -> dict[str, Any]:
    """All that a backup keeps of a cluster."""
    topics = sorted(name for name in admin.list_topics() if not is_internal(name))
    groups = sorted(group["group_id"] for group in admin.list_groups())
    return {
        "cluster_id": admin.describe_cluster()["cluster_id"],
        "topics": read_topics(admin, topics),
        "acls": read_acls(admin),
        "users": read_users(admin),
        "groups": read_offsets(admin, groups),
    }
