#!/usr/bin/python
"""Ansible module: give a Kafka cluster what a snapshot has and it lacks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import (
    RefusedError,
    admin_client,
    diff,
    make_module,
    wait_for,
)
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_state import (
    acl_of,
    acl_words,
    read_acls,
    read_offsets,
    read_topics,
    read_users,
)

with contextlib.suppress(ImportError):
    from kafka import TopicPartition
    from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
    from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NoError, NotCoordinatorError
    from kafka.structs import OffsetAndMetadata

DOCUMENTATION = r"""
module: kafka_restore
short_description: Create in a Kafka cluster what a snapshot has and it lacks
description:
  - Creates missing topics, adds missing partitions, sets the topics' own configuration, creates missing ACLs and sets
    the offsets of consumer groups that have none. Deletes nothing, shrinks nothing, and moves no committed offset.
  - An offset is set only in a group without members, and only where the partition's log has that offset; in a new
    topic, whose log begins at 0, it has not. What is not restored is told, a sentence each, and does not fail the
    module.
  - Users need passwords, which a snapshot has not; C(users_missing) names those that are to be made with M(kafka_user).
options:
  snapshot: {description: "What M(kafka_snapshot) has read.", type: dict, required: true}
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Create what is missing
  stock_market.streaming.kafka_restore:
    snapshot: "{{ backup.document.kafka }}"
    bootstrap_servers: [203.0.113.7:9092]
"""

RETURN = r"""
restored: {description: "What was made, a line each.", type: list, elements: str, returned: success}
not_restored: {description: "What was not, and why, a sentence each.", type: list, elements: str, returned: success}
users_missing:
  description: Users of the snapshot that the cluster does not have.
  type: list
  elements: str
  returned: success
"""

RUNNING = ("STABLE", "PREPARINGREBALANCE", "COMPLETINGREBALANCE")


class Restore:
    """A snapshot, the cluster that is to have what it has, and what has come of it."""

    def __init__(self, admin: Any, snapshot: Mapping[str, Any], timeout: float, check_mode: bool) -> None:
        """Use the connected client `admin`; `timeout` is in seconds."""
        self.admin = admin
        self.snapshot = snapshot
        self.timeout = timeout
        self.check_mode = check_mode
        self.before: list[str] = []
        self.after: list[str] = []
        self.not_restored: list[str] = []
        self.planned: set[str] = set()

    def note(self, now: str, wanted: str) -> None:
        """Keep a difference: a line of what is, or nothing, and one of what it becomes."""
        self.before += [now] if now else []
        self.after.append(wanted)

    def topics(self) -> None:
        """Create missing topics and partitions, and set configuration."""
        wanted = self.snapshot["topics"]
        brokers = len(self.admin.describe_cluster()["brokers"])
        there = read_topics(self.admin, sorted(wanted))
        for name, topic in sorted(wanted.items()):
            if name not in there:
                self.create(name, topic, brokers)
            else:
                self.extend(name, topic, there[name])
                self.configure(name, topic["config"], there[name])

    def create(self, name: str, topic: Mapping[str, Any], brokers: int) -> None:
        """Create a topic, with as many replicas as there are brokers to hold them."""
        replicas, config = min(topic["replication_factor"], brokers), dict(topic["config"])
        if replicas < topic["replication_factor"]:
            self.not_restored.append(
                f"The topic {name} had {topic['replication_factor']} replicas and gets {replicas}, as there are no "
                "more brokers: add brokers and move its partitions."
            )
        config = self.config_that_fits(name, config, replicas)
        shape = {"num_partitions": topic["partitions"], "replication_factor": replicas, "configs": config}
        self.admin.create_topics({name: shape}, timeout_ms=int(self.timeout * 1000), validate_only=self.check_mode)
        if self.check_mode:
            self.planned.add(name)
        else:
            self.admin.wait_for_topics([name], timeout_ms=int(self.timeout * 1000))
        self.note("", f"topic {name}: {topic['partitions']} partitions, {replicas} replicas")
        for key, value in config.items():
            self.note("", f"topic {name}: {key}={value}")

    def config_that_fits(self, name: str, config: dict[str, str], replicas: int) -> dict[str, str]:
        """Leave out what would make the topic refuse every write."""
        least = config.get("min.insync.replicas")
        if least is None or int(least) <= replicas:
            return config
        self.not_restored.append(
            f"The topic {name} keeps the brokers' min.insync.replicas, as it has {replicas} replicas and the backup's "
            f"value is {least}: set it when it has more."
        )
        return {key: value for key, value in config.items() if key != "min.insync.replicas"}

    def extend(self, name: str, topic: Mapping[str, Any], there: Mapping[str, Any]) -> None:
        """Add missing partitions; more than the backup has stay."""
        has, wanted = there["partitions"], topic["partitions"]
        if has > wanted:
            self.not_restored.append(
                f"The topic {name} has {has} partitions, the backup {wanted}: Kafka takes no partition away, they stay."
            )
        elif has < wanted:
            self.admin.create_partitions(
                {name: wanted}, timeout_ms=int(self.timeout * 1000), validate_only=self.check_mode
            )
            self.note(f"topic {name}: {has} partitions", f"topic {name}: {wanted} partitions")

    def configure(self, name: str, config: Mapping[str, str], there: Mapping[str, Any]) -> None:
        """Set what differs; what the topic has beside the backup stays."""
        config = self.config_that_fits(name, dict(config), there["replication_factor"])
        changes = {key: value for key, value in config.items() if there["config"].get(key) != value}
        if not changes:
            return
        operations = {key: ("SET", value) for key, value in changes.items()}
        resource = ConfigResource(ConfigResourceType.TOPIC, name, operations)
        answer = self.admin.alter_configs([resource], validate_only=self.check_mode)["topic"][name]
        if answer != "OK":
            raise RefusedError(f"Kafka did not take the topic {name}'s configuration: {answer}")
        for key, value in sorted(changes.items()):
            now = there["config"].get(key)
            self.note("" if now is None else f"topic {name}: {key}={now}", f"topic {name}: {key}={value}")

    def acls(self) -> None:
        """Create missing bindings."""
        wanted = self.snapshot["acls"] or []
        there = read_acls(self.admin)
        if there is None:
            if wanted:
                self.not_restored.append(
                    f"The backup's {len(wanted)} ACLs: the brokers have no authorizer (stock_market_security is plain)."
                )
            return
        missing = [acl for acl in wanted if acl not in there]
        if missing and not self.check_mode:
            failed = self.admin.create_acls([acl_of(acl) for acl in missing])["failed"]
            if failed:
                raise RefusedError(f"Kafka did not create {len(failed)} of the backup's ACLs: {failed[0].__name__}.")
            wait_for(
                lambda: all(acl in (read_acls(self.admin) or []) for acl in missing),
                self.timeout,
                f"The brokers do not show the new ACLs within {self.timeout:.0f} s.",
            )
        for acl in missing:
            self.note("", f"acl {acl_words(acl)}")

    def users_missing(self) -> list[str]:
        """The users that are still to be made."""
        return sorted(set(self.snapshot["users"]) - set(read_users(self.admin)))

    def groups(self) -> None:
        """Set offsets where a group has none and the log has them."""
        wanted = {name: offsets for name, offsets in self.snapshot["groups"].items() if offsets}
        known = {group["group_id"] for group in self.admin.list_groups()}
        committed = read_offsets(self.admin, sorted(set(wanted) & known))
        ranges = self.ranges({(each["topic"], each["partition"]) for offsets in wanted.values() for each in offsets})
        for name, offsets in sorted(wanted.items()):
            has = {(each["topic"], each["partition"]): each["offset"] for each in committed.get(name, [])}
            missing = [each for each in offsets if (each["topic"], each["partition"]) not in has]
            self.kept(name, offsets, has)
            if not missing:
                continue
            state = str(self.admin.describe_groups([name])[name]["group_state"]).upper() if name in known else "DEAD"
            if state in RUNNING:
                self.not_restored.append(
                    f"The offsets of the group {name}: it is running ({state.lower()}); stop its consumers first."
                )
                continue
            self.commit(name, [each for each in missing if self.fits(name, each, ranges)])

    def kept(self, name: str, offsets: list[dict[str, Any]], has: Mapping[tuple[str, int], int]) -> None:
        """Tell of the offsets that the group has committed otherwise."""
        other = [
            each for each in offsets if has.get((each["topic"], each["partition"]), each["offset"]) != each["offset"]
        ]
        if other:
            self.not_restored.append(
                f"{len(other)} offsets of the group {name}: it has committed other ones, which stay; "
                "kafka-consumer-groups.sh --reset-offsets moves them."
            )

    def ranges(self, partitions: set[tuple[str, int]]) -> dict[tuple[str, int], tuple[int, int]]:
        """First and end offset of those of the partitions that are there."""
        there = read_topics(self.admin, sorted({topic for topic, _ in partitions}))
        found = [
            TopicPartition(topic, number)
            for topic, number in sorted(partitions)
            if topic in there and number < there[topic]["partitions"]
        ]
        if not found:
            return {}
        first = self.admin.list_partition_offsets(dict.fromkeys(found, OffsetSpec.EARLIEST))
        end = self.admin.list_partition_offsets(dict.fromkeys(found, OffsetSpec.LATEST))
        return {(each.topic, each.partition): (first[each].offset, end[each].offset) for each in found}

    def fits(self, group: str, wanted: Mapping[str, Any], ranges: Mapping[tuple[str, int], tuple[int, int]]) -> bool:
        """Whether the partition's log has the offset; tells where it has not."""
        where = f"The offset {wanted['offset']} of the group {group} in {wanted['topic']}-{wanted['partition']}"
        known = ranges.get((wanted["topic"], wanted["partition"]))
        if known is None:
            if wanted["topic"] not in self.planned:
                self.not_restored.append(f"{where}: there is no such partition.")
                return False
            known = (0, 0)
        first, end = known
        if first <= wanted["offset"] <= end:
            return True
        self.not_restored.append(
            f"{where}: the log has {first} to {end} only, so it is another log or was cut; the group begins as its "
            "auto.offset.reset says."
        )
        return False

    def commit(self, group: str, offsets: list[dict[str, Any]]) -> None:
        """Set offsets; on a new cluster the topic that keeps them has to be made first."""
        if not offsets:
            return
        wanted = {
            TopicPartition(each["topic"], each["partition"]): OffsetAndMetadata(each["offset"], "", -1)
            for each in offsets
        }

        def committed() -> bool:
            try:
                answers = self.admin.alter_group_offsets(group, wanted)
            except (CoordinatorNotAvailableError, NotCoordinatorError, CoordinatorLoadInProgressError):
                return False
            failed = {str(error.__name__) for error in answers.values() if error is not NoError}
            if failed:
                raise RefusedError(f"Kafka did not take the offsets of the group {group}: {', '.join(sorted(failed))}.")
            return True

        if not self.check_mode:
            otherwise = f"No broker takes the offsets of the group {group} within {self.timeout:.0f} s."
            wait_for(committed, self.timeout, otherwise)
        for each in offsets:
            self.note("", f"group {group}: {each['topic']}-{each['partition']} at {each['offset']}")

    def result(self) -> dict[str, Any]:
        """Restore all of it and return the module's result."""
        self.topics()
        self.acls()
        self.groups()
        before, after = ("".join(f"{line}\n" for line in lines) for lines in (self.before, self.after))
        return {
            "changed": bool(self.after),
            "restored": self.after,
            "not_restored": self.not_restored,
            "users_missing": self.users_missing(),
            "diff": diff("cluster", before, after),
        }


def main() -> None:
    module = make_module(DOCUMENTATION)
    options = module.params
    with admin_client(module, "the restored state") as admin:
        result = Restore(admin, options["snapshot"], options["timeout"], module.check_mode).result()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
