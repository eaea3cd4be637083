#!/usr/bin/python
"""Ansible module: what Kafka's brokers have in common and change while they run."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_admin, kafka_cluster
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import RefusedError, config_text
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_cluster import names
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_dynamic import (
    Property,
    declared,
    properties,
    refusal,
    same,
)

DOCUMENTATION = r"""
module: kafka_broker_config
short_description: Set the configuration that all brokers have in common, without a restart
description:
  - Sets properties whose update mode is C(cluster-wide) in Kafka's documentation, for all brokers at once, and returns
    when every broker that is registered has them. A broker that is away reads them when it starts.
  - Of the properties in O(managed), those that O(config) does not have are taken away, whoever has set them; the
    brokers' own files or Kafka's defaults count again. Any other is left as it is.
  - All changes are one request, which Kafka takes whole or not at all. Kafka changes a number of threads to the double
    or the half at most; one that is to go further goes there in steps.
  - A broker with a value of its own, set for it alone while it runs, keeps that; the module warns of it.
options:
  config:
    description: The properties by Kafka's names, such as C(log.retention.ms). One of null counts as not there.
    type: dict
    required: true
  managed: {description: Names of the properties that are set nowhere else., type: list, elements: str, default: []}
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Keep records for a day
  stock_market.streaming.kafka_broker_config:
    config:
      log.retention.ms: 86400000
    managed: [log.retention.ms, log.retention.bytes]
    bootstrap_servers: [203.0.113.7:9092]
"""

RETURN = r"""
config: {description: "What is set for all brokers now, or would be.", type: dict, returned: success}
"""

THREADS = {
    "background.threads",
    "log.cleaner.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
}
_TOO_FAR = re.compile("half the current value|double the current value")
_POLL_SECONDS = 0.1

Changes = Mapping[str, str | None]
# broker -> name -> property
Brokers = Mapping[int, Mapping[str, Property]]


def next_step(changes: Changes, brokers: Brokers) -> dict[str, str | None]:
    """Return the changes, with each number of threads only as far from what it is as Kafka goes at once.

    A broker with a number of its own does not follow, and so sets no limit.
    """
    step = dict(changes)
    for name in THREADS & changes.keys():
        held = [each[name] for each in brokers.values() if not each[name].of_broker]
        goals = [changes[name] or each.fallback or "" for each in held]
        if not all(re.fullmatch("[1-9][0-9]*", goal) for goal in goals):
            continue  # Kafka says what is wrong with it
        reach = [(int(each.value or 1) // 2, int(each.value or 1) * 2) for each in held]
        if any(not low <= int(goal) <= high for goal, (low, high) in zip(goals, reach, strict=True)):
            step[name] = str(min(max(int(goals[0]), *(low for low, _ in reach)), *(high for _, high in reach)))
    return step


def lagging(wanted: Changes, brokers: Brokers) -> list[str]:
    """Return in words where a broker does not have yet what is wanted; a value of the broker's own is no lag."""
    return [
        f"{name} is {held[name].value} on broker {broker}"
        for broker, held in brokers.items()
        for name, value in wanted.items()
        if (held[name].of_cluster if value is None else not (held[name].of_broker or same(held[name].value, value)))
    ]


def stubborn(wanted: Changes, brokers: Brokers) -> list[str]:
    """Return a warning for each value of a broker's own that stands before the cluster's."""
    return [
        f"Broker {broker} has a {name} of its own, {held[name].value}, so that of the cluster, {value}, does not hold "
        f"there. To take it away: kafka-configs.sh --bootstrap-server ... --alter --entity-type brokers "
        f"--entity-name {broker} --delete-config {name}"
        for broker, held in brokers.items()
        for name, value in wanted.items()
        if value is not None and held[name].of_broker and not same(held[name].value, value)
    ]


class ClusterWide:
    """What is to be set for all brokers, and the way there."""

    def __init__(self, options: Mapping[str, Any], check_mode: bool) -> None:
        texts = {name: config_text(value) for name, value in options["config"].items()}
        self.wanted: dict[str, str | None] = {name: text for name, text in texts.items() if text is not None}
        self.managed = set(options["managed"])
        self.timeout: int = options["timeout"]
        self.check_mode = check_mode
        self.before: dict[str, str | None] | None = None
        self.warnings: list[str] = []

    def apply(self, admin: Any) -> dict[str, Any]:
        """Make the brokers' configuration what it should be and return the module's result.

        Raises:
            RefusedError: Kafka does not take a value, or a broker does not follow in time.
        """
        metadata = kafka_cluster.metadata(admin)
        self.admin, self.controller = admin, metadata["answered_by"]
        self.brokers = sorted(broker["node_id"] for broker in metadata["brokers"])
        now = declared(admin, self.controller)
        # What was there before the first of several attempts.
        self.before = now if self.before is None else self.before
        named = self.wanted.keys() | (self.managed & now.keys())
        changes = {name: self.wanted.get(name) for name in sorted(named) if now.get(name) != self.wanted.get(name)}
        if changes:
            self.change(changes)
        if not self.check_mode:
            self.await_brokers({**changes, **self.wanted}, self.timeout)
        after = {**now, **changes}
        return self.result({name: value for name, value in after.items() if changes.get(name, "") is not None})

    def look(self, asked: Changes) -> dict[int, dict[str, Property]]:
        """Return what each broker has of these properties.

        Raises:
            RefusedError: one knows no such property.
        """
        brokers = {broker: properties(self.admin, broker, asked.keys()) for broker in self.brokers}
        unknown = sorted({name for held in brokers.values() for name in asked if name not in held})
        if unknown:
            raise RefusedError(f"Kafka knows no broker configuration {', '.join(unknown)}; correct the name.")
        return brokers

    def change(self, changes: Changes) -> None:
        """Set and take away, in as many steps as the numbers of threads need; in check mode only ask for the first."""
        step = next_step(changes, self.look(changes))
        if step != changes:
            # The end of the way, before the first step, so that nothing is left half way.
            self.ask_for(changes, validate_only=True, far=True)
        self.ask_for(step, validate_only=self.check_mode)
        while step != changes and not self.check_mode:
            self.await_brokers(step, self.timeout)
            step = next_step(changes, self.look(changes))
            self.ask_for(step)

    def ask_for(self, step: Changes, *, validate_only: bool = False, far: bool = False) -> None:
        """Ask Kafka for one step; `far` says that its only fault may be that it is more than one."""
        words = refusal(self.admin, self.controller, step, validate_only=validate_only)
        if words and not (far and _TOO_FAR.search(words)):
            listed = names(f"without {name}" if value is None else f"{name}={value}" for name, value in step.items())
            raise RefusedError(
                f"Kafka refuses the brokers' configuration ({listed}), and nothing was set: {words}. Correct the value."
            )

    def await_brokers(self, wanted: Changes, seconds: float) -> None:
        """Return when every broker has what is wanted.

        Raises:
            RefusedError: one has not within `seconds`.
        """
        deadline = time.monotonic() + seconds
        while late := lagging(wanted, found := self.look(wanted)):
            if time.monotonic() > deadline:
                raise RefusedError(
                    f"Kafka took the brokers' configuration, but after {seconds:.0f} s {names(late)}. The broker's log "
                    "says why it could not apply it."
                )
            time.sleep(_POLL_SECONDS)
        self.warnings = stubborn(wanted, found)

    def result(self, after: dict[str, str | None]) -> dict[str, Any]:
        """Return the module's result where `after` is what is set in the end."""
        before = self.before or {}
        differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        return {
            "changed": bool(differing),
            "config": after,
            "warnings": self.warnings,
            "diff": kafka_admin.diff(
                "all brokers",
                "".join(f"{name}: {before[name]}\n" for name in differing if name in before),
                "".join(f"{name}: {after[name]}\n" for name in differing if name in after),
            ),
        }


def main() -> None:
    module = kafka_admin.make_module(DOCUMENTATION)
    work = ClusterWide(module.params, module.check_mode)
    module.exit_json(**kafka_admin.persistently(module, "the brokers' configuration", work.apply))


if __name__ == "__main__":
    main()
