#!/usr/bin/python
"""Ansible module: lets a change to one Kafka broker pass only where the cluster stands it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_admin, kafka_cluster
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import RefusedError
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_cluster import (
    Cluster,
    Partition,
    described,
    names,
)

with contextlib.suppress(ImportError):
    from kafka.errors import KafkaError

DOCUMENTATION = r"""
module: kafka_gate
short_description: Let a change to a running broker pass only where the cluster stands it
description:
  - Before a broker is stopped, it fails where a partition is offline, where one has a replica out of sync on another
    broker, and where one with a replica on this broker would have less than its topic's effective
    C(min.insync.replicas) without it. For what can pass by itself it waits.
  - A topic that can't do without any of its replicas, as with one replica, or with two of which two must be in sync, is
    named; to go on needs C(accept_outage).
  - A broker that is not alive passes, for to start it can only help. So does a cluster of one broker, with
    C(outage=true).
  - After the broker was started, it waits until the broker is registered again and every partition has its leader and
    all its replicas in sync, on several polls in a row.
  - It asks the controller, since another broker may be behind, and changes nothing.
  - The brokers' own readiness topics, C(__readiness-<broker id>), don't count.
options:
  broker: {description: Id of the broker that is to be changed., type: int, required: true}
  when: {description: Whether the change is to come or is done., type: str, choices: [before, after], required: true}
  polls: {description: "How many polls in a row have to find all well, after the change.", type: int, default: 2}
  timeout: {description: "How long to wait for all to be well, in seconds.", type: int, default: 120}
  accept_outage:
    description:
      - Topics that nobody may be able to use while this broker is away; V(*) is every topic.
      - After the change, their partitions count only for this broker's replica.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Wait until broker 2 may be restarted
  stock_market.streaming.kafka_gate:
    broker: 2
    when: before
    bootstrap_servers: [203.0.113.7:9092, 203.0.113.8:9092, 203.0.113.9:9092]
"""

RETURN = r"""
brokers: {description: "The registered brokers: C(id), C(rack), C(host), C(port).", type: list, returned: always}
controller: {description: "The controller's id, or -1.", type: int, returned: always}
offline: {description: "Partitions without a leader, as C(topic-partition).", type: list, returned: always}
under_replicated: {description: Partitions with a replica out of sync., type: list, returned: always}
below_min_isr: {description: Partitions that take no write with acks=all., type: list, returned: always}
alive: {description: Whether the broker is registered., type: bool, returned: always}
outage: {description: "Whether it is the only broker, so that its restart is an outage.", type: bool, returned: always}
"""

_CLIENT_SECONDS = 10.0
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Verdict:
    """Whether the gate opens, in words why, and, where it does not, whether waiting may help."""

    opens: bool
    words: str
    final: bool = False


def is_only(cluster: Cluster, broker: int) -> bool:
    """Whether the cluster has this broker and never had another."""
    return bool(cluster.members == {broker})


def before(cluster: Cluster, broker: int, accepted: Collection[str]) -> Verdict:
    """Judge whether the broker may be stopped."""
    if broker not in cluster.ids:
        return Verdict(True, f"Broker {broker} is not alive; to start it can only help.")
    if is_only(cluster, broker):
        return Verdict(True, f"Broker {broker} is the only one: while it restarts, nobody can write or read.")
    counted = [each for each in cluster.partitions if "*" not in accepted and each.topic not in accepted]
    hosted = [each for each in counted if broker in each.replicas]
    helpless = [each for each in hosted if len(each.replicas) - 1 < each.min_insync]
    if helpless:
        topics = names(dict.fromkeys(each.topic for each in helpless))
        return Verdict(
            False,
            f"Without broker {broker} these partitions have less replicas than their min.insync.replicas: "
            f"{names(_needing(each) for each in helpless)}. Give the topics more replicas, or accept that nobody can "
            f"write to them while it restarts (accept_outage: {topics}).",
            final=True,
        )
    offline = [each for each in counted if each.offline]
    behind = [each for each in counted if each.missing - {broker}]
    falling = [each for each in hosted if len(set(each.isr) - {broker}) < each.min_insync]
    return _verdict(
        f"Broker {broker} may be stopped.",
        f"Broker {broker} must not be stopped",
        [
            ("nobody leads", offline),
            ("not in sync on other brokers", behind),
            ("less than min.insync.replicas without it", falling),
        ],
        _lagging(cluster, {other for each in behind for other in each.missing - {broker}}),
    )


def after(cluster: Cluster, broker: int, accepted: Collection[str]) -> Verdict:
    """Judge whether the broker is back and everything is as it was."""
    if broker not in cluster.ids:
        return Verdict(False, f"Broker {broker} is not registered; the cluster has {sorted(cluster.ids)}.")
    spared = [each for each in cluster.partitions if "*" in accepted or each.topic in accepted]
    counted = [each for each in cluster.partitions if each not in spared]
    own = [each for each in spared if broker in each.replicas]
    behind = [each for each in counted if each.missing] + [each for each in own if broker in each.missing]
    return _verdict(
        f"Broker {broker} is back, and every replica in sync.",
        f"Broker {broker} is registered, but not all is well",
        [
            ("nobody leads", [each for each in counted + own if each.offline]),
            ("not in sync", behind),
        ],
        _lagging(cluster, {other for each in behind for other in each.missing}),
    )


def _needing(partition: Partition) -> str:
    return f"{partition.name} ({len(partition.replicas)} replicas, {partition.min_insync} needed)"


def _lagging(cluster: Cluster, brokers: set[int]) -> str:
    """What to do about the brokers whose replicas are not in sync."""
    down, slow = sorted(brokers - cluster.ids), sorted(brokers & cluster.ids)
    return (f" Not registered: broker {names(map(str, down))}; make up starts what does not run." if down else "") + (
        f" Not in sync yet: broker {names(map(str, slow))}." if slow else ""
    )


def _verdict(good: str, bad: str, problems: list[tuple[str, list[Partition]]], advice: str) -> Verdict:
    found = [f"{words} {names(described(each) for each in those)}" for words, those in problems if those]
    return Verdict(False, f"{bad}: {'; '.join(found)}.{advice}") if found else Verdict(True, good)


class Gate:
    """The gate that the module's options describe, and what it last saw of the cluster."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.broker: int = options["broker"]
        self.cluster = kafka_cluster.NOBODY

    def look(self) -> Cluster:
        """Ask the cluster with a new connection: an old one remembers brokers that are away."""
        with kafka_admin.open_client(self.options, "ansible-kafka_gate", _CLIENT_SECONDS) as admin:
            return kafka_cluster.read(admin)

    def nobody_is_there(self) -> bool:
        """Whether every bootstrap server's host says that nobody listens there.

        One that says nothing may be a broker which only this machine can't reach, and must not be stopped blindly.
        """
        return set(kafka_admin.servers(self.options).values()) == {False}

    def poll(self, judge: Callable[[Cluster, int, Collection[str]], Verdict]) -> Verdict:
        """Look once and judge."""
        try:
            self.cluster = self.look()
        except (KafkaError, OSError) as error:
            self.cluster = kafka_cluster.NOBODY
            if judge is before and self.nobody_is_there():
                return Verdict(True, f"No broker is alive; to start broker {self.broker} can only help.")
            why = kafka_admin.why_not(self.options) or f"{type(error).__name__}: {error}"
            return Verdict(False, f"The cluster could not be asked how it is: {why}.")
        return judge(self.cluster, self.broker, self.options["accept_outage"])

    def wait(self) -> Verdict:
        """Poll until the gate opens, or never will, or the time is over."""
        deadline = time.monotonic() + self.options["timeout"]
        judge, wanted = (before, 1) if self.options["when"] == "before" else (after, self.options["polls"])
        row = 0
        while True:
            verdict = self.poll(judge)
            row = row + 1 if verdict.opens else 0
            if row >= wanted or verdict.final:
                return verdict
            if time.monotonic() >= deadline and not verdict.opens:
                return Verdict(False, f"{verdict.words} So it was for {self.options['timeout']} s.")
            time.sleep(_POLL_SECONDS)

    def result(self, verdict: Verdict) -> dict[str, Any]:
        return dict(self.cluster.facts()) | {
            "alive": self.broker in self.cluster.ids,
            "outage": is_only(self.cluster, self.broker),
            "msg": verdict.words,
        }


def main() -> None:
    module = kafka_admin.make_module(DOCUMENTATION)
    options = module.params
    if options["polls"] < 1:
        module.fail_json(msg="kafka_gate needs at least 1 poll.")
    kafka_admin.quiet()
    gate = Gate(options)
    try:
        kafka_admin.check_options(options)
        verdict = gate.wait()
    except RefusedError as error:
        verdict = Verdict(False, str(error))
    if verdict.opens:
        module.exit_json(changed=False, **gate.result(verdict))
    module.fail_json(**gate.result(verdict))


if __name__ == "__main__":
    main()
